/** The source that watches an object store. */
import type { ObjectMeta } from "../_diff/object_meta.ts";
import type { ObjectStore } from "./object_store.ts";
import { ObjectBuilder } from "../_diff/builder.ts";
import { objectCodec } from "../_diff/codec.ts";
import { compareKeys } from "../_bytes/order.ts";
import { checkPositive, checkShare } from "../_errors/checks.ts";
import { eachPage } from "./pages.ts";
import { listTogether, type Range, rangesBetween } from "./ranges.ts";
import { reasonOf, withoutSecrets } from "../_errors/redact.ts";
import { canScan, scanPages } from "./scan.ts";
import { Snapshot } from "../_diff/snapshot.ts";
import { listSplitting, type OnPage } from "./split_listing.ts";
import { storeError } from "./store_error.ts";
import { Tracker } from "../_diff/tracker.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";

const DEFAULT_CONCURRENCY = 16;
// A range ends with a page that is read in part. With fewer objects than these in each, the pages read in
// vain would outweigh what listing side by side saves.
const OBJECTS_A_RANGE = 5_000;

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
