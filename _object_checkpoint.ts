/** Checkpoints as objects of a store. */
import { checkpointName } from "./_checkpoint_name.ts";
import type { CheckpointStore } from "./checkpoint.ts";
import { ExternalError } from "./error.ts";
import type { ObjectStore } from "./store.ts";

/** How to keep checkpoints in a store. */
export interface ObjectCheckpointStoreOptions {
  /**
   * Put before the name of each object. Keep it out of what is watched, or every save is a change.
   *
   * @default {".koprs-external/"}
   */
  prefix?: string;
}

/** A state as this process read or wrote it last. */
interface Known {
  readonly etag: string | undefined;
  /** Set while a write is under way whose outcome is not known. */
  readonly pending?: Uint8Array;
}

/**
 * Keeps checkpoints in an object store, one object a source, so that a container needs no disk. Every write
 * is conditional on the state this process read or wrote last: a stale writer loses with a clear error,
 * and never overwrites newer state.
 *
 * @example
 * ```ts
 * import { ObjectCheckpointStore } from "@koprs/external/checkpoint";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const bucket = new MemoryStore(); // or an S3Store, GcsStore or AzureStore
 * const store = new ObjectCheckpointStore(bucket, { prefix: "state/" });
 * await store.save("config", new Uint8Array([1]));
 * console.assert((await store.load("config"))?.[0] === 1);
 * ```
 */
export class ObjectCheckpointStore implements CheckpointStore {
  readonly #store: ObjectStore & Required<Pick<ObjectStore, "put">>;
  readonly #prefix: string;
  readonly #known = new Map<string, Known>();

  /**
   * Makes no request yet.
   *
   * @param store Where to keep them: a store with a `put` that takes conditions.
   * @param options How to name them.
   * @throws {TypeError} If the store has no `put`.
   */
  constructor(store: ObjectStore, options: ObjectCheckpointStoreOptions = {}) {
    if (!canPut(store)) {
      throw new TypeError(
        `Cannot keep checkpoints in '${store?.name}' as this store has no conditional 'put'`,
      );
    }
    this.#store = store;
    this.#prefix = options.prefix ?? ".koprs-external/";
  }

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `store` if the store cannot be read.
   */
  async load(key: string): Promise<Uint8Array | undefined> {
    const { etag, state } = await this.#read(await this.#objectKey(key));
    this.#known.set(key, { etag });
    return state;
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if another process has written it since, with code
   * `store` if the store cannot be written.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const object = await this.#objectKey(key);
    const known = this.#known.get(key);
    // The answer to the last write was lost: it may have been done.
    const expected = known?.pending === undefined
      ? known?.etag
      : (await this.#ours(key, object, known.pending, known)).etag;
    this.#known.set(key, { etag: expected, pending: state });
    try {
      this.#known.set(key, await this.#put(object, state, expected));
    } catch (thrown) {
      if (!(thrown instanceof ExternalError && thrown.status === 412)) throw thrown;
      // A client that repeats a write whose answer was lost meets its own first try.
      this.#known.set(key, await this.#ours(key, object, state));
    }
  }

  async #put(object: string, state: Uint8Array, expected: string | undefined): Promise<Known> {
    const condition = expected === undefined
      ? { ifNoneMatch: "*" as const }
      : { ifMatch: expected };
    const { etag } = await this.#store.put(object, state, condition);
    return { etag: etag ?? (await this.#find(object))?.etag };
  }

  /**
   * The state that is there, if it is `written`, or has the ETag it had before that.
   *
   * @throws {ExternalError} If somebody else wrote.
   */
  async #ours(
    key: string,
    object: string,
    written: Uint8Array,
    before?: { readonly etag: string | undefined },
  ): Promise<Known> {
    const { etag, state } = await this.#read(object);
    const done = state !== undefined && state.length === written.length &&
      state.every((byte, i) => byte === written[i]);
    const untouched = before !== undefined && etag === before.etag;
    if (done || untouched) return { etag };
    throw new ExternalError(
      "checkpoint",
      `Cannot save the checkpoint of '${key}' in '${this.#store.name}' as another process has written ` +
        "it since: its state is newer, and this watch ends",
      { source: key, status: 412 },
    );
  }

  async #read(object: string): Promise<{ etag?: string; state?: Uint8Array }> {
    const found = await this.#find(object);
    if (found === undefined) return {};
    const { etag } = found;
    const stream = await this.#store.get(object, etag === undefined ? {} : { ifMatch: etag });
    const state = new Uint8Array(await new Response(stream).arrayBuffer());
    return { state, ...(etag !== undefined && { etag }) };
  }

  async #find(object: string): Promise<{ etag?: string } | undefined> {
    for await (const page of this.#store.list({ prefix: object })) {
      const found = page.find(({ key }) => key === object);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #objectKey(key: string): Promise<string> {
    return this.#prefix + await checkpointName(key);
  }
}

function canPut(
  store: ObjectStore,
): store is ObjectStore & Required<Pick<ObjectStore, "put">> {
  return typeof store?.put === "function" && typeof store.get === "function";
}
