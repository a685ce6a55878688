/**
 * Checkpoints in memory.
 *
 * @module
 */
import type { CheckpointStore } from "../_state/checkpoint_store.ts";

/**
 * Keeps checkpoints in memory: for tests, and for a watch that is ended and begun again in one process.
 *
 * @example
 * ```ts
 * import { MemoryCheckpointStore } from "@koprs/external/checkpoint";
 *
 * const store = new MemoryCheckpointStore();
 * await store.save("config", new Uint8Array([1]));
 * console.assert((await store.load("config"))?.[0] === 1);
 * ```
 */
export class MemoryCheckpointStore implements CheckpointStore {
  readonly #states = new Map<string, Uint8Array>();

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns A copy, or undefined if there is none.
   */
  load(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#states.get(key)?.slice());
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state What the source gave. It is copied.
   */
  save(key: string, state: Uint8Array): Promise<void> {
    this.#states.set(key, state.slice());
    return Promise.resolve();
  }
}
