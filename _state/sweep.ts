/** Deletes the states of sources that are no longer watched. */
import type { CheckpointStore } from "./checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";

/**
 * Deletes the checkpoints that are no longer needed. Skips a checkpoint that another process has
 * taken over meanwhile.
 *
 * `keep` must return true for every source that is watched anywhere with this store: a watch whose
 * checkpoint is deleted ends at its next save.
 *
 * @param store A store that can list and delete, as all stores of this package can.
 * @param keep Whether a source of this name may still be watched. It is asked once for each key that has a state.
 * @returns The keys whose checkpoints were deleted.
 * @throws {TypeError} If the store has no `list` or no `delete`, or `keep` is not a function.
 * @throws {ExternalError} If the store cannot be read or written: what was deleted before stays
 * deleted.
 * @example
 * ```ts
 * import { MemoryCheckpointStore, sweep } from "@koprs/external/checkpoint";
 *
 * const store = new MemoryCheckpointStore();
 * for (const name of ["shop-a", "shop-b"]) await store.save(name, new Uint8Array([1]));
 * const shops = new Set(["shop-b"]); // all that are watched now
 * const swept = await sweep(store, (name) => shops.has(name));
 * console.assert(swept.join() === "shop-a");
 * ```
 */
export async function sweep(
  store: CheckpointStore,
  keep: (key: string) => boolean,
): Promise<string[]> {
  if (typeof store?.list !== "function" || typeof store.delete !== "function") {
    throw new TypeError("Cannot sweep as the store has no 'list' or no 'delete' method");
  }
  if (typeof keep !== "function") throw new TypeError("Cannot sweep as 'keep' must be a function");
  const gone: string[] = [];
  for await (const key of store.list()) if (!keep(key)) gone.push(key);
  const swept: string[] = [];
  for (const key of gone) {
    try {
      await store.delete(key);
      swept.push(key);
    } catch (thrown) {
      if (!(thrown instanceof ExternalError) || thrown.code !== "checkpoint") throw thrown;
    }
  }
  return swept;
}
