/** Checkpoints as objects of a store. */
import { checkpointName } from "../_state/name.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectStore } from "../_listing/object_store.ts";

/** How to keep checkpoints in a store. */
export interface ObjectCheckpointStoreOptions {
  /**
   * Put before the name of each object. Keep it out of what is watched, or every save is a change.
   *
   * @default {".koprs-external/"}
   */
  prefix?: string;
}

/** What this process knows of one object: what it read or wrote last. */
interface Known {
  /** Its ETag; undefined if it did not exist. */
  readonly etag: string | undefined;
  /** Digests of states whose write got no answer: any of them may have been done, or be done yet. */
  readonly unanswered: readonly string[];
}

/**
 * Keeps checkpoints in an object store, one object a source, so that a container needs no disk. Every write
 * is conditional on the state this process read or wrote last: a stale writer loses with a clear error,
 * and never overwrites newer state. When two processes overlap, such as in a rolling update, the first to
 * save goes on, and the other one's watch ends.
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
  readonly #store: ObjectStore & Required<Pick<ObjectStore, "put">>;
  readonly #prefix: string;
  readonly #known = new Map<string, Known>();

  /**
   * Makes no request yet.
   *
   * @param store Where to keep them: a store with a `put` that takes conditions.
   * @param options How to name them.
   * @throws {TypeError} If the store has no `put`, or the prefix is not a string.
   */
  constructor(store: ObjectStore, options: ObjectCheckpointStoreOptions = {}) {
    if (!canPut(store)) {
      throw new TypeError(
        `Cannot keep checkpoints in '${store?.name}' as this store has no conditional 'put'`,
      );
    }
    const { prefix = ".koprs-external/" } = options;
    if (typeof prefix !== "string") {
      throw new TypeError("Cannot keep checkpoints as 'prefix' must be a string");
    }
    this.#store = store;
    this.#prefix = prefix;
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
    this.#known.set(key, { etag, unanswered: this.#known.get(key)?.unanswered ?? [] });
    return state;
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if another process has written or deleted it since, with
   * code `store` if the store cannot be written.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const object = await this.#objectKey(key);
    const digest = await digestOf(state);
    let { etag, unanswered } = this.#known.get(key) ?? { etag: undefined, unanswered: [] };
    while (true) {
      // Before the write: if its answer is lost, this is what is known.
      this.#known.set(key, { etag, unanswered: [...unanswered, digest] });
      if (await this.#write(key, object, state, etag)) return;
      // Somebody has written, or this process itself: clients repeat a write whose answer was lost, and
      // meet their own first try.
      const found = await this.#read(object);
      const there = found.state && await digestOf(found.state);
      if (there === digest) return this.#written(key, found.etag);
      if (there === undefined || !unanswered.includes(there)) throw this.#lost(key, object, there);
      etag = found.etag;
      unanswered = unanswered.filter((other) => other !== there);
    }
  }

  /**
   * Where the state of this key is kept, for error messages.
   *
   * @param key The name of the source.
   * @returns The name of the store with the key of the object behind it.
   */
  async locate(key: string): Promise<string> {
    return `${this.#store.name}/${await this.#objectKey(key)}`;
  }

  /** False if the object is not the one that is expected. */
  async #write(
    key: string,
    object: string,
    state: Uint8Array,
    expected: string | undefined,
  ): Promise<boolean> {
    try {
      const { etag } = await this.#store.put(
        object,
        state,
        expected === undefined ? { ifNoneMatch: "*" } : { ifMatch: expected },
      );
      if (etag === undefined) return false; // Then it is to be found out by reading.
      this.#written(key, etag);
      return true;
    } catch (thrown) {
      const { status } = thrown instanceof ExternalError ? thrown : {};
      // S3 answers 404 where it shall replace what is not there.
      if (status === 412 || status === 404 && expected !== undefined) return false;
      throw thrown;
    }
  }

  #written(key: string, etag: string | undefined): void {
    if (etag === undefined) {
      throw new ExternalError(
        "checkpoint",
        `Cannot keep the checkpoint of '${key}' in '${this.#store.name}' as the store tells no ETag, so ` +
          "no write can be conditional: use another store",
        { source: key },
      );
    }
    this.#known.set(key, { etag, unanswered: [] });
  }

  #lost(key: string, object: string, there: string | undefined): ExternalError {
    const what = there === undefined
      ? "somebody has deleted it since: this watch ends; start it again to begin afresh"
      : "another process has written it since: its state is newer, and this watch ends; let one " +
        "process alone watch under this name, and start again";
    return new ExternalError(
      "checkpoint",
      `Cannot save the checkpoint of '${key}' as ${this.#store.name}/${object} because ${what}`,
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

async function digestOf(state: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(state));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
