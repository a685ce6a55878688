/** The source that watches an object store. */
import { orAborted } from "../_bounds/abort.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import { acknowledge } from "../_diff/acknowledgement_of.ts";
import { ObjectBuilder } from "../_diff/builder.ts";
import { knownItems } from "../_diff/known.ts";
import { Lookup } from "../_diff/lookup.ts";
import { objectCodec } from "../_diff/object_identity.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { checkPart, type ExternalPart } from "../_diff/part.ts";
import type { Snapshot } from "../_diff/snapshot.ts";
import type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "../_diff/source.ts";
import { Tracker } from "../_diff/tracker.ts";
import { checkCount, checkName, checkPositive, checkShare } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { ObjectStore } from "./object_store.ts";
import { type Listing, PartListing } from "./part_listing.ts";
import { storeError } from "./store_error.ts";
import { StoreListing, type Take } from "./store_listing.ts";

const DEFAULT_CONCURRENCY = 16;

/** How to poll a store. */
export interface ObjectStorePollerOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   *
   * @default {store.name} followed by the prefix
   */
  name?: string;
  /**
   * Only keys that begin with this string, as in the cloud services: `"a/b"` also takes `a/bc`.
   *
   * @default {""} all keys
   */
  prefix?: string;
  /** Only objects for which this returns true. If it throws, the poll fails with code `invalid`. */
  filter?: (object: ObjectMeta) => boolean;
  /**
   * In milliseconds. An object younger than this, by its `lastModified` and the local clock, is treated as it was
   * before: a new one waits, a changed one keeps its old state, and neither is removed. For writers that write in
   * several steps.
   *
   * @default {0}
   */
  minAge?: number;
  /**
   * From 0 to 1: a poll that would remove a larger share of the objects fails with code `removal-guard`. Objects
   * that an unfinished delivery may have reported count, too. For a poll of a part, it is still the share of all
   * objects.
   *
   * @default {1} no guard
   */
  maxRemoved?: number;
  /**
   * How many ranges of a `ranged` store are listed at once: a whole number. An unchanged store takes no more
   * requests for it; a first listing takes at most 15 % and 4 requests more.
   *
   * @default {16}
   */
  concurrency?: number;
}

/**
 * Polls an object store, or the part of it under a prefix. A poll lists all objects, and reports what changed since
 * the last listing, in UTF-8 byte order of the keys. Contents are not read: use
 * `store.get(key, { ifMatch: item.etag })`.
 *
 * An object has changed if its ETag or its size differs or, in a store without ETags, its size or `lastModified`.
 * Tracking takes 30 to 50 bytes per object, and more if keys are long and have random letters in them.
 *
 * @example Only finished files, and no mass removal
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
  /** Receives what became of each event, by the key of its object. */
  readonly acknowledgement: Acknowledgement<ObjectMeta>;
  /** Always true: a part of the store can be polled alone. */
  readonly parts: true = true;
  readonly #store: ObjectStore;
  readonly #filter: ObjectStorePollerOptions["filter"];
  readonly #minAge: number;
  readonly #listing: StoreListing;
  readonly #partListing: PartListing;
  readonly #tracker: Tracker<ObjectMeta>;
  /** Whether the state is known to be of this very store. */
  #confirmed = false;

  /**
   * Makes no request yet.
   *
   * @param store What to poll. One store serves any number of pollers.
   * @param options How to poll it.
   * @throws {TypeError} If the store or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(store: ObjectStore, options?: ObjectStorePollerOptions) {
    if (typeof store?.list !== "function" || typeof store.name !== "string") {
      throw new TypeError("Cannot poll as the store has no 'list' method or no 'name'");
    }
    const { prefix = "", filter, minAge = 0, maxRemoved = 1, concurrency = DEFAULT_CONCURRENCY } =
      options ?? {};
    if (typeof prefix !== "string" || !prefix.isWellFormed()) {
      throw new TypeError("Cannot poll as 'prefix' must be a string without halves of a character");
    }
    if (filter !== undefined && typeof filter !== "function") {
      throw new TypeError("Cannot poll as 'filter' must be a function");
    }
    if (minAge !== 0) checkPositive("poll", "minAge", minAge);
    checkShare("poll", "maxRemoved", maxRemoved);
    checkCount("poll", "concurrency", concurrency);
    const { name = prefix === "" ? store.name : `${store.name}/${prefix}` } = options ?? {};
    checkName("poll", name);
    this.name = name;
    this.#store = store;
    this.#filter = filter;
    this.#minAge = minAge;
    const selective = filter !== undefined || minAge > 0;
    const listing = { store, name, prefix, concurrency, selective };
    this.#listing = new StoreListing(listing);
    const identity = JSON.stringify(["objects", store.name, prefix]);
    const form = { codec: objectCodec, build: snapshotOf };
    this.#partListing = new PartListing({ ...listing, filtered: filter !== undefined, form });
    this.#tracker = new Tracker({ name, identity, ...form, maxRemoved });
    this.acknowledgement = acknowledge(
      this.#tracker,
      (event) => event.item.key,
      (change) => change,
    );
  }

  /**
   * Polls once. The new state is committed when the iterable is read to its end.
   *
   * With a `part`, only that is listed: one request for a key, or for several keys close to each other. Nothing
   * else is removed or reported. A part outside of the poller's prefix is empty. If listing everything takes fewer
   * requests, everything is listed.
   *
   * @param options The signal that aborts it, and what to poll.
   * @returns The changes, computed while they are read.
   * @throws {TypeError} If `part` is not valid.
   * @throws {ExternalError} If the listing failed on any page, or too much would be removed. With code `checkpoint`
   * if the restored state is of another store with the same name.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<ObjectMeta>>> {
    const { signal } = options;
    const tracker = this.#tracker;
    let listed: Listing;
    if (options.part !== undefined) checkPart(`poll '${this.name}'`, options.part);
    tracker.begin(options);
    try {
      if (!this.#confirmed) {
        signal.throwIfAborted();
        // Without an `identity` to ask for, the listing begins at once.
        tracker.confirm(
          this.#store.identity === undefined ? undefined : await this.#origin(signal),
        );
        this.#confirmed = true;
      }
      const { part } = options;
      const ofPart = part === undefined ? undefined : await this.#listPart(part, options);
      listed = ofPart ?? await this.#listAll(options);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw storeError(`list '${this.name}'`, this.name, thrown);
    }
    return tracker.deliver(listed.next, options, listed.part);
  }

  async #listAll(options: PollOptions): Promise<Listing> {
    let requests = 0;
    const onRequest = () => {
      requests++;
      options.onRequest?.();
    };
    const { committed } = this.#tracker;
    const next = await this.#listing.list(committed, { ...options, onRequest }, () => this.#take());
    this.#partListing.wholeRequests = Math.max(1, requests);
    return { next };
  }

  /** Undefined if everything is to be listed. */
  #listPart(part: ExternalPart, options: PollOptions): Promise<Listing | undefined> {
    const { committed } = this.#tracker;
    return this.#partListing.list(part, committed, options, () => this.#take());
  }

  /** How many objects are known. */
  get size(): number {
    return this.#tracker.committed.count;
  }

  /**
   * The known state of an object: as of the last poll whose events were all handled or, by handlers, set aside.
   * Undefined if the object is not known.
   *
   * @param key The key of the object.
   */
  get(key: string): ObjectMeta | undefined {
    return this.#tracker.committed.get(key, objectCodec);
  }

  /**
   * Whether an object is known.
   *
   * @param key The key of the object.
   */
  has(key: string): boolean {
    return this.#tracker.committed.get(key, objectCodec) !== undefined;
  }

  /**
   * The known objects, in UTF-8 byte order of their keys, made while they are read. Later polls do not change an
   * iteration that has begun.
   *
   * @param prefix Only keys that begin with this string.
   */
  items(prefix?: string): IterableIterator<ObjectMeta> {
    return knownItems(this.#tracker.committed, objectCodec, prefix ?? "");
  }

  /**
   * Gives, without a request, what a poll would give if there were no objects any more. The removals are committed
   * when the iterable is read to its end.
   *
   * @param options How the events are acknowledged.
   * @returns A `removed` for every object that is known or in doubt.
   */
  withdraw(options: PollOptions): Iterable<ExternalEvent<ObjectMeta>> {
    return this.#tracker.withdraw(options);
  }

  /** The state that was handled, as bytes: what {@linkcode restore} takes. */
  save(): Uint8Array {
    return this.#tracker.save();
  }

  /**
   * Continues from what `save` gave, in this or another process. The next poll checks that the state is of this
   * store, and not of another one with the same name.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or are of another store or
   * prefix.
   */
  restore(state: Uint8Array): void {
    this.#tracker.restore(state);
    this.#confirmed = false;
    this.#listing.forget();
  }

  /** The identity that tells the store from others with the same name. */
  async #origin(signal: AbortSignal): Promise<string> {
    const origin: unknown = await orAborted(Promise.resolve(this.#store.identity?.()), signal);
    if (typeof origin === "string") return origin;
    throw new ExternalError(
      "store",
      `Cannot list '${this.name}' as 'identity' of its store gave no string but ${typeof origin}`,
      { source: this.name },
    );
  }

  /** Makes the function that puts the objects of one range into the snapshot. */
  #take(): Take {
    const filter = this.#filter;
    const doubtful = new Lookup(this.#tracker.doubtful);
    return (object, builder) => {
      if (filter !== undefined && !this.#passes(object, filter)) return;
      if (!this.#isYoung(object)) return builder.add(object);
      // As it was reported last, if it may have been reported.
      const key = textBytes(object.key);
      const told = doubtful.find(key, 0, key.length)?.value(objectCodec);
      if (told === undefined) builder.keep(object.key);
      else builder.add(told);
    };
  }

  #isYoung({ lastModified }: ObjectMeta): boolean {
    return lastModified !== undefined && this.#minAge > 0 &&
      Date.now() - lastModified < this.#minAge;
  }

  #passes(object: ObjectMeta, filter: (object: ObjectMeta) => boolean): boolean {
    try {
      return filter(object);
    } catch (thrown) {
      throw new ExternalError(
        "invalid",
        `Cannot poll '${this.name}' as 'filter' failed for '${object.key}': ${reasonOf(thrown)}`,
        { source: this.name, cause: thrown },
      );
    }
  }
}

function snapshotOf(objects: Iterable<ObjectMeta>): Snapshot {
  const builder = new ObjectBuilder();
  for (const object of objects) builder.add(object);
  return builder.finish();
}
