/**
 * Test suites for stores, sources and checkpoint stores of your own. Those of this package pass the same suites.
 * They register with `node:test`, so they run on Deno, Node and Bun.
 *
 * @example The fixture for a store of your own
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
 * @example The rest of the test file
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
 * Registers the tests of a store, in a suite of this name: keys and prefixes are exact, a listing is complete or
 * fails, ranges and order are correct if the store is `ranged`, `get` gives the exact bytes, conditional writes hold if
 * there is a `put`, an abort ends everything at once, no listener is left on a signal (if the fixture sets
 * `leavesSignals`), and replaying the events of an {@linkcode ObjectStorePoller} over it gives what the store holds.
 *
 * Tests of what the fixture or the store does not offer are skipped.
 *
 * @example In the test file of a store that cannot hold every key
 * ```ts ignore
 * testStore("my store", async () => ({
 *   ...await setUp(),
 *   accepts: (key) => !key.includes("//"),
 * }));
 * ```
 *
 * @param name What the suite is called.
 * @param setUp Makes an empty store. Called about twenty times, so it should be cheap, such as a new bucket on a
 * server that is already running.
 */
export function testStore(name: string, setUp: () => Promise<StoreFixture>): void {
  describe(name, () => registerStore(setUp));
}

/**
 * Registers the tests of a source, in a suite of this name: every change is reported once and in a possible
 * order, a poll takes effect only once its events were read to the end, a failure or an abort loses nothing,
 * no listener is left on a signal (if the fixture sets `leavesSignals`), and `restore` accepts what `save` gave.
 *
 * Tests of what the fixture or the source does not offer are skipped.
 *
 * @example The fixture for a source
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
 * @example The rest of the test file
 * ```ts ignore
 * testSource("my source", setUp);
 * ```
 *
 * @param name What the suite is called.
 * @param setUp Makes a source that has no items yet. Called about a dozen times.
 */
export function testSource<T>(name: string, setUp: () => Promise<SourceFixture<T>>): void {
  describe(name, () => registerSource(setUp));
}

/**
 * Registers the tests of a checkpoint store, in a suite of this name: states are loaded as they were saved, and keys
 * are exact. If the store has these methods, `delete` forgets a state, `list` names all keys that have one, and a
 * `claim` stops whoever had the key before, also when claims and saves run at the same time.
 *
 * Tests of what the store does not offer are skipped.
 *
 * @example The fixture for a checkpoint store
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
 * @example The rest of the test file
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
