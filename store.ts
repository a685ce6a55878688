/**
 * Watches an object store: what a store is, and the poller that finds what changed in one.
 *
 * @example
 * ```ts
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const store = new MemoryStore();
 * await store.put("reports/1.csv", "a,b");
 * for await (const event of watchExternal(new ObjectStorePoller(store, { prefix: "reports/" }), 60_000)) {
 *   console.log(event.type, event.item.key, event.item.size); // added reports/1.csv 3
 *   break;
 * }
 * ```
 *
 * @module
 */
import { ObjectBuilder } from "./_builder.ts";
import { objectCodec } from "./_codec.ts";
import { compareKeys } from "./_key_space.ts";
import { checkPositive, checkShare } from "./_options.ts";
import { eachPage } from "./_pages.ts";
import { listTogether, type Range, rangesBetween } from "./_ranges.ts";
import { reasonOf, withoutSecrets } from "./_redact.ts";
import { canScan, scanPages } from "./_scan.ts";
import { Snapshot } from "./_snapshot.ts";
import { listSplitting, type OnPage } from "./_split_listing.ts";
import { storeError } from "./_store_error.ts";
import { Tracker } from "./_tracker.ts";
import { ExternalError } from "./error.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "./watcher.ts";

const DEFAULT_CONCURRENCY = 16;
// A range ends with a page that is read in part. With fewer objects than these in each, the pages read in
// vain would outweigh what listing side by side saves.
const OBJECTS_A_RANGE = 5_000;

/** What a listing says of one object. */
export interface ObjectMeta {
  /** The key, exactly as the store has it. */
  readonly key: string;
  /** The size in bytes. */
  readonly size: number;
  /** Opaque; changes whenever the content does. Absent where the store has none. */
  readonly etag?: string;
  /** When the object was last written, in milliseconds since the epoch, as `File.lastModified`. */
  readonly lastModified?: number;
}

/** Which part of a store to list. */
export interface ListOptions {
  /** Only keys that begin with this string. Default: all keys. */
  prefix?: string;
  /** Only keys greater than this one, in UTF-8 byte order. For stores with `ranged`. */
  after?: string;
  /** Only keys up to and including this one, in UTF-8 byte order. For stores with `ranged`. */
  until?: string;
  /** Aborts the listing: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** How to read one object. */
export interface GetOptions {
  /** The ETag an event named: the read fails if the object has another one by now. */
  ifMatch?: string;
  /** Aborts the read: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** Something that lists objects and reads one. */
export interface ObjectStore {
  /** Names the store in logs, spans and checkpoints, such as `s3://bucket`. Holds no secret. */
  readonly name: string;
  /**
   * True: `list` honours `after` and `until` and yields keys in UTF-8 byte order, so that ranges are listed at once. It may
   * turn false when a store learns that they do not pay.
   */
  readonly ranged?: boolean;
  /** The objects, page by page. Throws if any page cannot be had; never ends early without an error. */
  list(options?: ListOptions): AsyncIterable<readonly ObjectMeta[]>;
  /**
   * The content of one object, as a stream. Rejects with an {@linkcode ExternalError} of code `store` if
   * the object is missing (status 404) or is not the one of `ifMatch` any more (status 412).
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * Writes one object, on a condition. Optional. Rejects with an {@linkcode ExternalError} of code
   * `store` and status 412 if the condition does not hold, and writes nothing then.
   */
  put?(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult>;
}

/** On which condition to write one object. */
export interface PutOptions {
  /** The ETag that the object must have. */
  ifMatch?: string;
  /** `"*"`: the object must not exist. */
  ifNoneMatch?: "*";
  /** Aborts the write: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** What is known of an object that was written. */
export interface PutResult {
  /** Its new ETag, as a listing has it. */
  readonly etag?: string;
}

/** How to poll a store. */
export interface ObjectStorePollerOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   *
   * @default {store.name} with the prefix behind it
   */
  name?: string;
  /**
   * Only keys that begin with this string, as the clouds mean it: `"a/b"` also takes `a/bc`.
   *
   * @default {""} all keys
   */
  prefix?: string;
  /** Only objects for which this returns true. If it throws, the poll fails with code `invalid`. */
  filter?: (object: ObjectMeta) => boolean;
  /**
   * Milliseconds. An object younger than this, by its `lastModified` and this machine's clock, is taken as
   * it was before: a new one waits, a changed one keeps its old state, and neither is removed. For
   * writers that write in several steps.
   *
   * @default {0}
   */
  minAge?: number;
  /**
   * From 0 to 1: a poll that would remove a larger share of the objects fails with code `removal-guard`.
   *
   * @default {1} no guard
   */
  maxRemoved?: number;
  /**
   * How many ranges of a `ranged` store are listed at once.
   *
   * @default {16}
   */
  concurrency?: number;
}

/**
 * Polls an object store, or the part of it under a prefix. A poll lists it whole, and reports what
 * changed since the last listing in UTF-8 byte order of the keys. Contents are not read: use
 * `store.get(key, { ifMatch: item.etag })`.
 *
 * An object changed when its ETag or its size differs or, where the store has no ETags, its size or
 * `lastModified`. Tracking takes 30 to 50 bytes an object, and more where keys are long and have random
 * letters in them.
 *
 * @example Only what is finished, and never a mass removal
 * ```ts
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const poller = new ObjectStorePoller(new MemoryStore(), {
 *   prefix: "incoming/",
 *   filter: (object) => object.key.endsWith(".csv"),
 *   minAge: 10_000,
 *   maxRemoved: 0.5,
 * });
 * console.assert(poller.name.endsWith("/incoming/"));
 * ```
 */
export class ObjectStorePoller implements ExternalSource<ObjectMeta> {
  /** Names the source in logs, spans and checkpoints. */
  readonly name: string;
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #filter: ObjectStorePollerOptions["filter"];
  readonly #minAge: number;
  readonly #concurrency: number;
  readonly #tracker: Tracker<ObjectMeta>;

  /**
   * Makes no request yet.
   *
   * @param store What to poll. One store serves any number of pollers.
   * @param options How to poll it.
   * @throws {TypeError} If the store or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(store: ObjectStore, options: ObjectStorePollerOptions = {}) {
    if (typeof store?.list !== "function" || typeof store.name !== "string") {
      throw new TypeError("Cannot poll as the store has no 'list' method or no 'name'");
    }
    const { prefix = "", filter, minAge = 0, maxRemoved = 1, concurrency = DEFAULT_CONCURRENCY } =
      options;
    if (typeof prefix !== "string") throw new TypeError("Cannot poll as 'prefix' must be a string");
    if (filter !== undefined && typeof filter !== "function") {
      throw new TypeError("Cannot poll as 'filter' must be a function");
    }
    if (minAge !== 0) checkPositive("poll", "minAge", minAge);
    checkShare("poll", "maxRemoved", maxRemoved);
    checkPositive("poll", "concurrency", concurrency);
    this.name = options.name ?? (prefix === "" ? store.name : `${store.name}/${prefix}`);
    this.#store = store;
    this.#prefix = prefix;
    this.#filter = filter;
    this.#minAge = minAge;
    this.#concurrency = concurrency;
    const identity = JSON.stringify(["objects", store.name, prefix]);
    this.#tracker = new Tracker({
      name: this.name,
      identity,
      codec: objectCodec,
      build(objects) {
        const builder = new ObjectBuilder();
        for (const object of objects) builder.add(object);
        return builder.finish();
      },
      maxRemoved,
    });
  }

  /**
   * One poll. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns The changes, found while they are read.
   * @throws {ExternalError} If the listing failed on any page, or too much would be removed.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<ObjectMeta>>> {
    const { signal } = options;
    const old = this.#tracker.committed;
    let next: Snapshot;
    try {
      next = await this.#listAll(old, options);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw storeError(`list '${this.name}'`, this.name, thrown);
    }
    return this.#tracker.deliver(next);
  }

  /** The state that was handled, as bytes: what {@linkcode restore} takes. */
  save(): Uint8Array {
    return this.#tracker.save();
  }

  /**
   * Goes on from what `save` gave, also in another process.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or are of another store or
   * prefix.
   */
  restore(state: Uint8Array): void {
    this.#tracker.restore(state);
  }

  async #listAll(old: Snapshot, options: PollOptions): Promise<Snapshot> {
    const prefix = this.#prefix;
    const concurrency = () => this.#store.ranged === true ? this.#concurrency : 1;
    const { signal } = options;
    const parts = Math.min(concurrency(), Math.floor(old.count / OBJECTS_A_RANGE));
    if (concurrency() > 1 && parts <= 1) {
      const listed = await listSplitting(
        { prefix, concurrency, signal },
        (range, signal, onPage) => this.#list(range, old, signal, options, onPage),
      );
      return Snapshot.concat(
        listed.map(({ part, until }) => until === undefined ? part : part.slice(undefined, until)),
      );
    }
    const ranges = rangesBetween(parts > 1 ? old.cuts(parts) : []);
    return Snapshot.concat(
      await listTogether(
        ranges,
        signal,
        (range, signal) => this.#list(range, old, signal, options),
      ),
    );
  }

  /** Lists one range; `onPage` may end it. */
  async #list(
    range: Range,
    old: Snapshot,
    signal: AbortSignal,
    { onRequest }: PollOptions,
    onPage?: OnPage,
  ): Promise<Snapshot> {
    const store = this.#store;
    const builder = new ObjectBuilder(old.slice(range.after, range.until));
    const options = { ...range, ...(this.#prefix !== "" && { prefix: this.#prefix }), signal };
    if (canScan(store) && this.#filter === undefined && this.#minAge === 0) {
      await eachPage(store[scanPages](options), signal, (page) => {
        onRequest?.();
        page.addTo(builder);
        // Undefined after keys that came out of order.
        return onPage === undefined || page.count === 0 ||
          onPage(builder.firstKey, builder.lastKey);
      });
    } else {
      let first: string | undefined;
      let last: string | undefined;
      let inOrder = true;
      await eachPage(store.list(options), signal, (page) => {
        onRequest?.();
        for (const object of page) {
          this.#add(object, builder);
          if (onPage === undefined) continue;
          const { key } = object;
          inOrder &&= last === undefined || compareKeys(last, key) < 0;
          first ??= key;
          last = key;
        }
        return onPage === undefined || page.length === 0 ||
          onPage(inOrder ? first : undefined, inOrder ? last : undefined);
      });
    }
    return builder.finish();
  }

  #add(object: ObjectMeta, builder: ObjectBuilder): void {
    if (this.#filter !== undefined && !this.#passes(object, this.#filter)) return;
    const { key, lastModified } = object;
    const young = lastModified !== undefined && this.#minAge > 0 &&
      Date.now() - lastModified < this.#minAge;
    if (young) builder.keep(key);
    else builder.add(object);
  }

  #passes(object: ObjectMeta, filter: (object: ObjectMeta) => boolean): boolean {
    try {
      return filter(object);
    } catch (thrown) {
      throw new ExternalError(
        "invalid",
        `Cannot poll '${this.name}' as 'filter' failed for '${object.key}': ${reasonOf(thrown)}`,
        { source: this.name, cause: withoutSecrets(thrown) },
      );
    }
  }
}
