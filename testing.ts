/**
 * The tests that every store and every source of this package passes, for people who write their own.
 * They register with `node:test`, so they run on Deno, Node and Bun.
 *
 * @example A store of one's own: what the tests need of it
 * ```ts
 * import type { StoreFixture } from "@koprs/external/testing";
 * import { MemoryStore } from "@koprs/external/stores/memory"; // yours here
 *
 * async function setUp(): Promise<StoreFixture> {
 *   const store = new MemoryStore({ pageSize: 10 });
 *   return {
 *     store,
 *     put: (key, body) => store.put(key, body),
 *     delete: (key) => store.delete(key),
 *     pageSize: 10,
 *     sameContentIsNoChange: true,
 *     close: () => {},
 *   };
 * }
 *
 * const { store, put } = await setUp();
 * await put("a", new Uint8Array(3));
 * for await (const page of store.list()) console.assert(page[0]?.size === 3);
 * ```
 *
 * @example The tests: all of `my_store_test.ts` beside that
 * ```ts ignore
 * testStore("my store", setUp);
 * ```
 *
 * @module
 */
import { describe } from "node:test";
import { registerSource } from "./_testing_source.ts";
import { registerStore } from "./_testing_store.ts";
import type { ObjectStore } from "./store.ts";
import type { ExternalSource } from "./watcher.ts";

/** A store to be tested, empty at first, and a way to change it behind its back. */
export interface StoreFixture {
  /** What is tested. */
  readonly store: ObjectStore;
  /**
   * Writes an object, or writes it anew, by another way than `store.put`. Resolves when a listing shows it.
   * Where times are coarse and there are no ETags: when a listing also tells it from what was there before.
   */
  put(key: string, body: Uint8Array<ArrayBuffer>): unknown;
  /** Deletes an object that is there. Resolves when no listing shows it any more. */
  delete(key: string): unknown;
  /**
   * How many objects the store lists a page: the tests write a bit more than twice as many. Make it small.
   *
   * @default {undefined} the store has no pages, or none that objects fill; the tests write 201 objects
   */
  readonly pageSize?: number;
  /**
   * Whether the backend can hold a key. Keys that it cannot hold are left out, and named in the output.
   *
   * @default {undefined} it can hold any key that is valid Unicode
   */
  accepts?(key: string): boolean;
  /**
   * True: writing the same content again is no change, as the ETag is made from the content alone.
   *
   * @default {false} it may be one
   */
  readonly sameContentIsNoChange?: boolean;
  /** Removes the bucket, container or folder itself. Without it that case is skipped. */
  vanish?(): unknown;
  /**
   * Makes the n-th request (or page) of the next listing fail, counted from 1, for as often as the client
   * retries it. Has no effect if that listing makes fewer, and none on later listings. Without it faults are
   * skipped.
   */
  failPage?(n: number): unknown;
  /**
   * A second store object on the same objects, as a restarted program would make it.
   *
   * @default {store}
   */
  readonly otherStore?: ObjectStore;
  /** Frees what the fixture holds. Called at the end of the test, also after a failure. */
  close(): unknown;
}

/** A source to be tested, of a thing without items at first, and a way to change that thing. */
export interface SourceFixture<T> {
  /** What is tested. */
  readonly source: ExternalSource<T>;
  /** What tells one item from another. */
  key(item: T): string;
  /**
   * The keys the tests may use, at least one. A source of one single thing has one.
   *
   * @default {["a", "b", "c", "d"]}
   */
  readonly keys?: readonly string[];
  /** Adds the item of a key, behind the source's back. Called only if it is not there. */
  add(key: string): unknown;
  /** Changes the item of a key, each time to something it was not before. Called only if it is there. */
  modify(key: string): unknown;
  /** Removes the item of a key. Called only if it is there. */
  remove(key: string): unknown;
  /** Makes the next poll fail, and none after it. Without it that case is skipped. */
  fail?(): unknown;
  /** A new source object on the same thing, as a restarted program would make it. */
  fresh(): ExternalSource<T> | Promise<ExternalSource<T>>;
  /** Frees what the fixture holds. Called at the end of the test, also after a failure. */
  close?(): unknown;
}

/**
 * Registers the tests of a store, in a suite of this name: keys and prefixes are exact, a listing is whole or
 * fails, ranges and order are what they should be if the store is `ranged`, `get` gives the very bytes,
 * conditional writes hold if there is a `put`, an abort ends everything at once, and the events of an
 * {@linkcode ObjectStorePoller} over it, replayed, are what is there.
 *
 * What the fixture or the store does not offer is skipped.
 *
 * @example For a store that does not take every key, in a test file
 * ```ts ignore
 * testStore("my store", async () => ({
 *   ...await setUp(),
 *   accepts: (key) => !key.includes("//"),
 * }));
 * ```
 *
 * @param name What the suite is called.
 * @param setUp Makes an empty store. Called about twenty times, so it should be cheap: a new bucket on a
 * server that runs already.
 */
export function testStore(name: string, setUp: () => Promise<StoreFixture>): void {
  describe(name, () => registerStore(setUp));
}

/**
 * Registers the tests of a source, in a suite of this name: every change is reported once and in an order
 * that can be true, a poll counts only once it was read to its end, a failure or an abort loses nothing,
 * and what `save` gives is taken back by `restore`.
 *
 * What the fixture or the source does not offer is skipped.
 *
 * @example What the tests need of a source
 * ```ts
 * import type { SourceFixture } from "@koprs/external/testing";
 * import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store"; // yours here
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * async function setUp(): Promise<SourceFixture<ObjectMeta>> {
 *   const store = new MemoryStore();
 *   let version = 0;
 *   return {
 *     source: new ObjectStorePoller(store),
 *     key: (object) => object.key,
 *     add: (key) => store.put(key, `${version++}`),
 *     modify: (key) => store.put(key, `${version++}`),
 *     remove: (key) => store.delete(key),
 *     fresh: () => new ObjectStorePoller(store),
 *   };
 * }
 *
 * const { source, add, key } = await setUp();
 * await add("a");
 * const [event] = await source.poll({ signal: AbortSignal.timeout(1_000) });
 * console.assert(event !== undefined && key(event.item) === "a");
 * ```
 *
 * @example The tests, in a test file beside that
 * ```ts ignore
 * testSource("my source", setUp);
 * ```
 *
 * @param name What the suite is called.
 * @param setUp Makes a source of a thing without items. Called about a dozen times.
 */
export function testSource<T>(name: string, setUp: () => Promise<SourceFixture<T>>): void {
  describe(name, () => registerSource(setUp));
}
