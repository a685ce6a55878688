/**
 * Where a watch keeps its state. After a restart the watch reports what changed since the last run,
 * removals included, and does not report again what did not change.
 *
 * @example
 * ```ts
 * import { MemoryCheckpointStore } from "@koprs/external/checkpoint";
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const store = new MemoryStore();
 * await store.put("a", "1");
 * const checkpoint = new MemoryCheckpointStore(); // in production: FileCheckpointStore of checkpoints/file
 *
 * const first = watchExternal(new ObjectStorePoller(store), { interval: 10, checkpoint });
 * for await (const event of first) {
 *   console.assert(event.type === "added");
 *   first.close(); // the loop ends after the last event, and the state is saved
 * }
 *
 * await store.delete("a"); // while nobody watches
 * const second = watchExternal(new ObjectStorePoller(store), { interval: 10, checkpoint });
 * for await (const event of second) {
 *   console.assert(event.type === "removed");
 *   second.close();
 * }
 * ```
 *
 * @module
 */

export type { CheckpointStore } from "./_state/checkpoint_store.ts";
export { MemoryCheckpointStore } from "./checkpoints/memory.ts";
export { sweep } from "./_state/sweep.ts";
