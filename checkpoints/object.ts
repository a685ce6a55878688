/** Checkpoints as objects of a store. */
import {
  checkConditions,
  isRefusal,
  noEtag,
  type WritableStore,
} from "../_listing/put_conditions.ts";
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

/** How often a write is tried that the store refuses though nobody else has written. */
const TRIES = 5;

/** What this process knows of one object. */
interface Known {
  /** The ETag it had when it was read or written last; undefined if it did not exist. */
  etag: string | undefined;
  /** The digest of its content then; undefined if it did not exist. */
  digest: string | undefined;
  /** The number of the newest save that is known to be done. */
  saved: number;
  /**
   * Digests of states whose write got no answer, with the numbers of their saves: any of them may have been done, or be
   * done yet.
   */
  readonly unanswered: Map<string, number>;
}

/** What is there. */
interface Found {
  readonly etag?: string;
  readonly state?: Uint8Array;
}

/**
 * Keeps checkpoints in an object store, one object a source, so that a container needs no disk. Every write
 * is conditional on the state this process read or wrote last: a stale writer loses with a clear error,
 * and never overwrites newer state. When two processes overlap, such as in a rolling update, the first to
 * save goes on, and the other one's watch ends.
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
  readonly #store: WritableStore;
  readonly #prefix: string;
  readonly #known = new Map<string, Known>();
  #saves = 0;

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
    const known = this.#knownOf(key);
    known.etag = etag;
    known.digest = state && await digestOf(state);
    return state;
  }

  /**
   * Replaces the state under this key. A save that is still under way when a newer one of the same key is done writes
   * nothing any more.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if another process has written or deleted it since, or the store knows
   * no conditional writes; with code `store` if the store cannot be written.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const number = ++this.#saves;
    const object = await this.#objectKey(key);
    const digest = await digestOf(state);
    await checkConditions(this.#store, `${this.#prefix}conditions.probe`, key);
    const known = this.#knownOf(key);
    // Before the write: if its answer is lost, this is what is known.
    known.unanswered.set(digest, number);
    for (let tries = 0; tries < TRIES && known.saved <= number; tries++) {
      const etag = await this.#write(object, state, known.etag);
      if (etag !== undefined) return this.#written(known, { number, digest, etag });
      // Somebody has written, or this process itself: clients repeat a write whose answer was lost, and
      // meet their own first try. Or nobody has, and the store was busy.
      const found = await this.#read(object);
      const there = found.state && await digestOf(found.state);
      if (there !== undefined && found.etag === undefined) throw noEtag(this.#store, key);
      if (there === digest && found.etag !== undefined) {
        return this.#written(known, { number, digest, etag: found.etag });
      }
      const own = there === undefined ? undefined : known.unanswered.get(there);
      if (own === undefined && there !== known.digest) throw this.#lost(key, object, there);
      if (own !== undefined && own > number) return;
      known.etag = found.etag;
      known.digest = there;
    }
    if (known.saved <= number) throw this.#refused(key, object);
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

  #knownOf(key: string): Known {
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { etag: undefined, digest: undefined, saved: 0, unanswered: new Map() };
      this.#known.set(key, known);
    }
    return known;
  }

  /** The new ETag. Undefined if the write was refused, or the store told none: then it is to be found out by reading. */
  async #write(
    object: string,
    state: Uint8Array,
    expected: string | undefined,
  ): Promise<string | undefined> {
    const options = expected === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: expected };
    try {
      return (await this.#store.put(object, state, options)).etag;
    } catch (thrown) {
      if (isRefusal(thrown, options)) return undefined;
      throw thrown;
    }
  }

  #written(
    known: Known,
    { number, digest, etag }: { number: number; digest: string; etag: string },
  ): void {
    if (number < known.saved) return; // A newer one is done by now: this answer came late.
    known.etag = etag;
    known.digest = digest;
    known.saved = number;
    // What was sent before is conditional on a state that is gone.
    for (const [other, of] of known.unanswered) if (of <= number) known.unanswered.delete(other);
  }

  #refused(key: string, object: string): ExternalError {
    return new ExternalError(
      "store",
      `Cannot save the checkpoint of '${key}' as ${this.#store.name}/${object} because the store refuses ` +
        "the write again and again, though nobody else has written it",
      { source: key, status: 412 },
    );
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

  async #read(object: string): Promise<Found> {
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

function canPut(store: ObjectStore): store is WritableStore {
  return typeof store?.put === "function" && typeof store.get === "function";
}

async function digestOf(state: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(state));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
