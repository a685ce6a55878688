/** Checkpoints as objects of a store. */
import { CheckpointObjects } from "../_listing/checkpoint_objects.ts";
import type { ObjectStore } from "../_listing/object_store.ts";
import type { WritableStore } from "../_listing/put_conditions.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { FencedStates } from "../_state/fenced.ts";

/** How to keep checkpoints in a store. */
export interface ObjectCheckpointStoreOptions {
  /**
   * Put before the name of each object. Keep it out of what is watched, or every save is a change.
   *
   * @default {".koprs-external/"}
   */
  prefix?: string;
}

/**
 * Keeps checkpoints in an object store, one object a source, so that a container needs no disk. Every write
 * is conditional on the state this process read or wrote last: a stale writer loses with a clear error,
 * and never overwrites newer state. When two processes overlap, such as in a rolling update, the first to
 * save goes on, and the other one's watch ends. Where several share their sources, whoever takes one over claims it.
 *
 * Before its first save it asks once whether the server honours such conditions, by an object of its own under the prefix,
 * `conditions.probe`: without them a stale writer would overwrite newer state in silence.
 *
 * @example
 * ```ts
 * import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const bucket = new MemoryStore(); // or an S3Store, GcsStore or AzureStore
 * const store = new ObjectCheckpointStore(bucket, { prefix: "state/" });
 * await store.save("config", new Uint8Array([1]));
 * console.assert((await store.load("config"))?.[0] === 1);
 * ```
 */
export class ObjectCheckpointStore implements CheckpointStore {
  readonly #objects: CheckpointObjects;
  readonly #states: FencedStates;

  /**
   * Makes no request yet.
   *
   * @param store Where to keep them: a store with a `put` that takes conditions.
   * @param options How to name them.
   * @throws {TypeError} If the store has no `put`, or the prefix is not a string.
   */
  constructor(store: ObjectStore, options?: ObjectCheckpointStoreOptions) {
    if (!canPut(store)) {
      throw new TypeError(
        `Cannot keep checkpoints in '${store?.name}' as this store has no conditional 'put'`,
      );
    }
    const { prefix = ".koprs-external/" } = options ?? {};
    if (typeof prefix !== "string") {
      throw new TypeError("Cannot keep checkpoints as 'prefix' must be a string");
    }
    this.#objects = new CheckpointObjects(store, prefix);
    this.#states = new FencedStates(this.#objects);
  }

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `store` if the store cannot be read.
   */
  async load(key: string): Promise<Uint8Array | undefined> {
    return await this.#states.load(key);
  }

  /**
   * Replaces the state under this key. A save that is still under way when a newer one of the same key is done writes
   * nothing any more.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if another process has written, claimed or deleted it since, or the store
   * knows no conditional writes; with code `store` if the store cannot be written.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    await this.#states.save(key, state);
  }

  /**
   * The state saved last under this key; it is written once more, with a mark of this store object, so that no other one can
   * save or delete it any more.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `checkpoint` if the store knows no conditional writes; with code `store` if the store
   * cannot be read or written, or others claim it at the same time again and again.
   */
  async claim(key: string): Promise<Uint8Array | undefined> {
    return await this.#states.claim(key);
  }

  /**
   * Forgets the state under this key. An object without a state, of some hundred bytes, takes its place: it holds off
   * whoever had the key before. It may be deleted by hand once no such process can be left.
   *
   * @param key The name of the source.
   * @throws {ExternalError} With code `checkpoint` if another process has written, claimed or deleted it since this store
   * object had it; with code `store` if the store cannot be written.
   */
  async delete(key: string): Promise<void> {
    await this.#states.delete(key);
  }

  /**
   * The keys that have a state. Reads the beginning of each object. States that release 0.1 saved, and that were not saved
   * since, are left out, but for names of letters, digits, dots and hyphens alone: no other can be told from the object.
   *
   * @returns The keys.
   * @throws {ExternalError} With code `store` if the store cannot be read.
   */
  async *list(): AsyncGenerator<string, void> {
    yield* this.#objects.list();
  }

  /**
   * Where the state of this key is kept, for error messages.
   *
   * @param key The name of the source.
   * @returns The name of the store with the key of the object behind it.
   */
  async locate(key: string): Promise<string> {
    return await this.#objects.locate(key);
  }
}

function canPut(store: ObjectStore): store is WritableStore {
  return typeof store?.put === "function" && typeof store.get === "function";
}
