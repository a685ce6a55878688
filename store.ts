/**
 * Watches an object store: the interface of a store, and the poller that finds what changed in it.
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
export {
  ObjectStorePoller,
  type ObjectStorePollerOptions,
} from "./_listing/object_store_poller.ts";
export type { ObjectMeta } from "./_diff/object_meta.ts";
export type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "./_listing/object_store.ts";
