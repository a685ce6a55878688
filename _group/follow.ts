/** Keeps a group in line with a stream: one source for each item that there is. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkFunction } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { RemoveOptions } from "./options.ts";

/** What to watch for one item. */
export interface Followed<T> {
  /** The source. It must be a new object each time. */
  readonly source: ExternalSource<T>;
  /** The options that the source is added with. */
  readonly options?: Partial<WatchOptions>;
}

/** How a group follows a stream of desired items. */
export interface FollowOptions<D> {
  /**
   * Returns a key that is different for each item.
   *
   * @default {the item itself, if it is a string; or its `metadata.namespace` and `metadata.name`, its `key`, `url` or
   * `name`}
   */
  key?: (item: D) => string;
  /**
   * Returns a version of the item. When it changes, the source is replaced by a new one.
   *
   * @default {JSON.stringify}
   */
  version?: (item: D) => string;
  /**
   * How a source is removed when its item is gone.
   *
   * @default {{}} nothing is reported, and its checkpoint stays
   */
  removed?: RemoveOptions;
  /**
   * How a source is removed when a new one takes its place. If both have the same name, but the new one watches
   * something else, such as another URL, `forget` is needed: the state of the old one does not fit the new one.
   *
   * @default {{}} nothing is reported, and the new one continues from the checkpoint, if it has the same name
   */
  replaced?: RemoveOptions;
}

/** What a follower needs from a group. */
export interface Followable<T> {
  add(source: ExternalSource<T>, options?: Partial<WatchOptions>): void;
  remove(name: string, how: RemoveOptions): Promise<boolean>;
  /** Reports a failure that affects only one item. */
  report(error: ExternalError): void;
  /** Calls `callback` at the end of the group. Returns a function that takes that back. */
  atEnd(callback: () => void): () => void;
}

/** One item of the stream, or one that is gone and whose source may still have to be removed. */
interface Place<D> {
  /** The item as last reported; undefined if it is gone. */
  desired: { readonly item: D } | undefined;
  /** The name of the source that was added last for the item, and the version of the item then. */
  name: string | undefined;
  version: string | undefined;
  working: Promise<void> | undefined;
}

export class Follower<T, D> {
  readonly #group: Followable<T>;
  readonly #make: (item: D) => Followed<T>;
  readonly #options: FollowOptions<D>;
  readonly #places: Map<string, Place<D>> = new Map();
  #ended = false;

  constructor(
    group: Followable<T>,
    make: (item: D) => Followed<T>,
    options: FollowOptions<D>,
  ) {
    checkFunction("follow", "make", make);
    if (typeof make !== "function") throw new TypeError("Cannot follow as 'make' is missing");
    checkFunction("follow", "key", options.key);
    checkFunction("follow", "version", options.version);
    this.#group = group;
    this.#make = make;
    this.#options = options;
  }

  /** Follows until the stream or the group ends. Rejects if the stream fails. */
  async run(desired: AsyncIterable<ExternalEvent<D>>): Promise<void> {
    const events = desired[Symbol.asyncIterator]();
    let end: () => void = () => {};
    const ended = new Promise<IteratorResult<ExternalEvent<D>>>((resolve) => {
      end = () => resolve({ done: true, value: undefined });
    });
    const takeBack = this.#group.atEnd(() => {
      this.#ended = true;
      end();
      // Not awaited: it may settle only when the stream has its next event.
      events.return?.().catch(() => {});
    });
    try {
      for (;;) {
        const next = await Promise.race([events.next(), ended]);
        if (next.done) break;
        this.#take(next.value);
      }
    } finally {
      takeBack();
      await Promise.all([...this.#places.values()].map(({ working }) => working));
    }
  }

  #take(event: ExternalEvent<D>): void {
    let key: string;
    try {
      key = keyOf(event.item, this.#options.key);
    } catch (thrown) {
      return this.#failed("an item", thrown);
    }
    let place = this.#places.get(key);
    if (place === undefined) {
      place = { desired: undefined, name: undefined, version: undefined, working: undefined };
      this.#places.set(key, place);
    }
    place.desired = event.type === "removed" ? undefined : { item: event.item };
    place.working ??= this.#work(key, place);
  }

  /** Does what the newest event says, until there is no newer one. */
  async #work(key: string, place: Place<D>): Promise<void> {
    let done: Place<D>["desired"] | "nothing" = "nothing";
    while (done !== place.desired && !this.#ended) {
      const desired = done = place.desired;
      try {
        if (desired === undefined) await this.#remove(place, this.#options.removed);
        else await this.#replace(place, desired);
      } catch (thrown) {
        this.#failed(`'${oneLine(key)}'`, thrown);
      }
    }
    place.working = undefined;
    if (place.name === undefined) this.#places.delete(key);
  }

  async #replace(place: Place<D>, desired: { readonly item: D }): Promise<void> {
    const version = versionOf(desired.item, this.#options.version);
    if (place.name !== undefined && place.version === version) return;
    // Before anything is removed: if `make` fails, the old source stays as it is.
    const { source, options } = this.#make(desired.item);
    await this.#remove(place, this.#options.replaced);
    // A newer event may have come meanwhile.
    if (place.desired !== desired || this.#ended) return;
    this.#group.add(source, options);
    place.name = source.name;
    place.version = version;
  }

  async #remove(place: Place<D>, how: RemoveOptions = {}): Promise<void> {
    const { name } = place;
    if (name === undefined) return;
    place.name = undefined;
    try {
      await this.#group.remove(name, how);
    } catch (thrown) {
      // A removal that was refused leaves the source where it is; one that failed otherwise does not.
      if (thrown instanceof TypeError) place.name = name;
      throw thrown;
    }
  }

  #failed(what: string, thrown: unknown): void {
    if (this.#ended) return;
    const message = `Cannot follow ${what}: ${reasonOf(thrown)}`;
    this.#group.report(new ExternalError("invalid", message, { cause: thrown }));
  }
}

/** The fields that usually identify an item of a source of this package or of a cluster. */
interface Named {
  readonly key?: unknown;
  readonly url?: unknown;
  readonly name?: unknown;
  readonly metadata?: { readonly namespace?: unknown; readonly name?: unknown };
}

function keyOf<D>(item: D, key: ((item: D) => string) | undefined): string {
  const found = key === undefined ? usualKey(item) : key(item);
  if (typeof found === "string") return found;
  throw new TypeError(
    key === undefined
      ? "nothing tells the items apart: give the option 'key'"
      : "'key' must return a string",
  );
}

function usualKey(item: unknown): unknown {
  if (typeof item !== "object" || item === null) return item;
  const { key, url, name, metadata } = item as Named;
  if (typeof metadata?.name === "string") {
    return JSON.stringify([metadata.namespace, metadata.name]);
  }
  return key ?? url ?? name;
}

function versionOf<D>(item: D, version: ((item: D) => string) | undefined): string {
  const found: unknown = version === undefined ? JSON.stringify(item) : version(item);
  if (typeof found === "string") return found;
  throw new TypeError("'version' must return a string");
}
