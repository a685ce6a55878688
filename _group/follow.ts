/** Makes a group what a stream says: one source for each item that there is. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkFunction } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { RemoveOptions } from "./options.ts";

/** What to watch for one item. */
export interface Followed<T> {
  /** The source. A new object each time. */
  readonly source: ExternalSource<T>;
  /** What it is added with. */
  readonly options?: Partial<WatchOptions>;
}

/** How a group follows what is desired. */
export interface FollowOptions<D> {
  /**
   * What tells the items apart.
   *
   * @default {the item itself, if it is a string; or its `key`, `url`, `metadata.namespace` and `metadata.name`, or `name`}
   */
  key?: (item: D) => string;
  /**
   * What changes whenever the source is to be made anew.
   *
   * @default {JSON.stringify}
   */
  version?: (item: D) => string;
  /**
   * How a source is removed whose item is gone.
   *
   * @default {{}} nothing is reported, and its checkpoint stays
   */
  removed?: RemoveOptions;
  /**
   * How a source is removed that another one takes the place of. If both have one name, and the new one watches something
   * else, such as another URL, `forget` is needed: the state of the old one is not its own.
   *
   * @default {{}} nothing is reported, and the new one goes on from the checkpoint, if it has the same name
   */
  replaced?: RemoveOptions;
}

/** What following does to a group. */
export interface Followable<T> {
  add(source: ExternalSource<T>, options?: Partial<WatchOptions>): void;
  remove(name: string, how: RemoveOptions): Promise<boolean>;
  /** Something failed for one item alone. */
  report(error: ExternalError): void;
  /** Has something called at the end of the group. Returns what takes that back. */
  atEnd(callback: () => void): () => void;
}

/** One item that is or was there. */
interface Place<D> {
  /** The newest word. */
  desired: { readonly item: D } | undefined;
  /** The source that was added last for it, and for which version. */
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

  /** Follows to the end of the stream or of the group. Rejects if the stream fails. */
  async run(desired: AsyncIterable<ExternalEvent<D>>): Promise<void> {
    const events = desired[Symbol.asyncIterator]();
    let end: () => void = () => {};
    const ended = new Promise<IteratorResult<ExternalEvent<D>>>((resolve) => {
      end = () => resolve({ done: true, value: undefined });
    });
    const takeBack = this.#group.atEnd(() => {
      this.#ended = true;
      end();
      // It may answer only with the event it waits for: nobody waits for that.
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

  /** Does what the newest word says, until there is no newer one. */
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
    if (place.desired === undefined && place.name === undefined) this.#places.delete(key);
  }

  async #replace(place: Place<D>, desired: { readonly item: D }): Promise<void> {
    const version = versionOf(desired.item, this.#options.version);
    if (place.name !== undefined && place.version === version) return;
    // Before anything is removed: a definition that is wrong leaves the source as it is.
    const { source, options } = this.#make(desired.item);
    await this.#remove(place, this.#options.replaced);
    // A newer word has come meanwhile.
    if (place.desired !== desired || this.#ended) return;
    this.#group.add(source, options);
    place.name = source.name;
    place.version = version;
  }

  async #remove(place: Place<D>, how: RemoveOptions = {}): Promise<void> {
    const { name } = place;
    if (name === undefined) return;
    place.name = undefined;
    await this.#group.remove(name, how);
  }

  #failed(what: string, thrown: unknown): void {
    if (this.#ended) return;
    const message = `Cannot follow ${what}: ${reasonOf(thrown)}`;
    this.#group.report(new ExternalError("invalid", message, { cause: thrown }));
  }
}

/** What may tell items apart that come from sources of this package or from a cluster. */
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
