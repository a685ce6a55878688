/**
 * Where a watch keeps its state, so that a restart goes on where the last run stopped: what changed
 * meanwhile is reported, removals included, and what did not is not reported again.
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
 * const checkpoint = new MemoryCheckpointStore(); // in production: new FileCheckpointStore("/var/lib/me")
 *
 * const first = watchExternal(new ObjectStorePoller(store), { interval: 10, checkpoint });
 * for await (const event of first) {
 *   console.assert(event.type === "added");
 *   first.close(); // the loop ends behind the last event, and the state is saved
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
export { FileCheckpointStore } from "./_file_checkpoint.ts";
export { ObjectCheckpointStore, type ObjectCheckpointStoreOptions } from "./_object_checkpoint.ts";

/**
 * Keeps the state of watches, each under the name of its source.
 *
 * A rejection with an {@linkcode ExternalError} of code `checkpoint` means that this process must not go
 * on, such as when another one has taken over: it ends the stream. Any other is taken to pass: a load, and
 * a save before the first event of a poll, are tried again like a failed poll; another save behind the next
 * events.
 */
export interface CheckpointStore {
  /**
   * The state saved last under this key, or undefined if there is none.
   *
   * @param key The name of the source.
   */
  load(key: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the state under this key: whole or not at all, also through a crash.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   */
  save(key: string, state: Uint8Array): Promise<void>;
  /**
   * Where the state of this key is kept, such as a path: shown with an error about it. Holds no secret.
   * Optional.
   *
   * @param key The name of the source.
   */
  locate?(key: string): string | Promise<string>;
}

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
