/**
 * The tests that every store, every source and every checkpoint store of this package passes, for people who write their own.
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
import type { CheckpointFixture, SourceFixture, StoreFixture } from "./_conformance/fixtures.ts";
import { describe } from "node:test";
import { registerCheckpointStore } from "./_conformance/checkpoint_suite.ts";
import { registerSource } from "./_conformance/source_suite.ts";
import { registerStore } from "./_conformance/store_suite.ts";

/**
 * Registers the tests of a store, in a suite of this name: keys and prefixes are exact, a listing is whole or
 * fails, ranges and order are what they should be if the store is `ranged`, `get` gives the very bytes,
 * conditional writes hold if there is a `put`, an abort ends everything at once, nothing leaves a listener on its signal if
 * the fixture asks for that, and the events of an {@linkcode ObjectStorePoller} over it, replayed, are what is there.
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
 * nothing leaves a listener on its signal if the fixture asks for that, and what `save` gives is taken back by `restore`.
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

/**
 * Registers the tests of a checkpoint store, in a suite of this name: states are loaded as they were saved, keys are exact, and
 * where the store has them, `delete` forgets, `list` names what has a state, and a `claim` stops whoever had the key before,
 * also where claims and saves cross.
 *
 * What the store does not offer is skipped.
 *
 * @example What the tests need of a checkpoint store
 * ```ts
 * import type { CheckpointFixture } from "@koprs/external/testing";
 * import { MemoryCheckpointStore } from "@koprs/external/checkpoint"; // yours here
 *
 * async function setUp(): Promise<CheckpointFixture> {
 *   const store = new MemoryCheckpointStore();
 *   return { store, other: () => store.instance() };
 * }
 *
 * const { store, other } = await setUp();
 * await store.save("a", new Uint8Array([1]));
 * console.assert((await (await other()).load("a"))?.[0] === 1);
 * ```
 *
 * @example The tests, in a test file beside that
 * ```ts ignore
 * testCheckpointStore("my checkpoint store", setUp);
 * ```
 *
 * @param name What the suite is called.
 * @param setUp Makes a store without any state. Called about a dozen times.
 */
export function testCheckpointStore(name: string, setUp: () => Promise<CheckpointFixture>): void {
  describe(name, () => registerCheckpointStore(setUp));
}

export type { CheckpointFixture, SourceFixture, StoreFixture } from "./_conformance/fixtures.ts";
