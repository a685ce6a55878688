/** Checkpoints as objects of a store. */
import { CheckpointObjects } from "../_listing/checkpoint_objects.ts";
import type { ObjectStore } from "../_listing/object_store.ts";
import type { WritableStore } from "../_listing/put_conditions.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { FencedStates } from "../_state/fenced.ts";

/** How to keep checkpoints in a store. */
export interface ObjectCheckpointStoreOptions {
  /**
   * Put before the name of each object. Do not watch objects with this prefix, or every save is a
   * change.
   *
   * @default {".koprs-external/"}
   */
  prefix?: string;
}

/**
 * Keeps checkpoints in an object store, one object for each source, so that a container needs no
 * disk. Every write is conditional on the state this process read or wrote last: a stale writer
 * gets a clear error, and never overwrites newer state. When two processes overlap, such as in a
 * rolling update, the first to save continues, and the watch of the other one ends. If several
 * processes divide the sources among them, the one that takes a source over claims its checkpoint.
 *
 * Before its first save it tests once whether the server honours such conditions, with an object of
 * its own under the prefix, `conditions.probe`: without conditions, a stale writer would overwrite
 * newer state silently.
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
   * @param options How to name the objects.
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
   * Replaces the state under this key. Once a newer save of the same key is done, an older one that
   * is still under way no longer writes anything.
   *
   * @param key The name of the source.
   * @param state The state of the source.
   * @throws {ExternalError} With code `checkpoint` if another process has written, claimed or
   * deleted it since, or the store does not support conditional writes; with code `store` if the
   * store cannot be written.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    await this.#states.save(key, state);
  }

  /**
   * Loads the state under this key, and takes the key over: the state is written again with a mark
   * of this store object, so that no other one can save or delete it any more.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `checkpoint` if the store does not support conditional
   * writes; with code `store` if the store cannot be read or written, or others claim the key at
   * the same time again and again.
   */
  async claim(key: string): Promise<Uint8Array | undefined> {
    return await this.#states.claim(key);
  }

  /**
   * Forgets the state under this key. An object without a state, of some hundred bytes, takes its
   * place: it stops any process that had the key before. It may be deleted by hand once there can
   * be no such process any more.
   *
   * @param key The name of the source.
   * @throws {ExternalError} With code `checkpoint` if another process has written, claimed or
   * deleted it since this store object last read or wrote it; with code `store` if the store cannot
   * be written.
   */
  async delete(key: string): Promise<void> {
    await this.#states.delete(key);
  }

  /**
   * The keys that have a state. Reads the beginning of each object. States that release 0.1 saved
   * last are left out, unless their key has only letters, digits, dots and hyphens: no other key
   * can be recovered from the object.
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
   * @returns The name of the store, followed by the key of the object.
   */
  async locate(key: string): Promise<string> {
    return await this.#objects.locate(key);
  }
}

function canPut(store: ObjectStore): store is WritableStore {
  return typeof store?.put === "function" && typeof store.get === "function";
}
