/**
 * Checkpoints in memory.
 *
 * @module
 */
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";

/** What is kept under one key. */
interface Entry {
  /** Distinguishes this write from every other. A number is never used twice, not even after the entry was deleted. */
  readonly version: number;
  /** Missing if the key was claimed and not saved since. */
  readonly state?: Uint8Array;
}

/** What the instances of one store share. */
interface Shared {
  readonly entries: Map<string, Entry>;
  version: number;
}

/**
 * Keeps checkpoints in memory: for tests, and for a watch that is stopped and started again in one
 * process.
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
  #shared: Shared = { entries: new Map(), version: 0 };
  /** By key, the version that this instance read or wrote last; undefined if there was no entry. */
  readonly #known = new Map<string, number | undefined>();

  /**
   * Another store object on the same checkpoints, as another process would have: each can lose a
   * key to the other.
   *
   * @returns A store that has read nothing yet.
   * @example
   * ```ts
   * import { MemoryCheckpointStore } from "@koprs/external/checkpoint";
   *
   * const store = new MemoryCheckpointStore();
   * await store.save("config", new Uint8Array([1]));
   * const other = store.instance();
   * console.assert((await other.claim("config"))?.[0] === 1);
   * const failed = await store.save("config", new Uint8Array([2])).catch((error) => error);
   * console.assert(failed.code === "checkpoint");
   * ```
   */
  instance(): MemoryCheckpointStore {
    const other = new MemoryCheckpointStore();
    other.#shared = this.#shared;
    return other;
  }

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns A copy, or undefined if there is none.
   */
  load(key: string): Promise<Uint8Array | undefined> {
    const entry = this.#shared.entries.get(key);
    this.#known.set(key, entry?.version);
    return Promise.resolve(entry?.state?.slice());
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state The state of the source. It is copied.
   * @throws {ExternalError} With code `checkpoint` if another instance has saved, claimed or deleted it since.
   */
  // deno-lint-ignore require-await -- what is thrown must reject
  async save(key: string, state: Uint8Array): Promise<void> {
    this.#check("save", key);
    this.#write(key, state.slice());
  }

  /**
   * Loads the state under this key, and takes the key over: no other instance can save or delete it
   * any more.
   *
   * @param key The name of the source.
   * @returns A copy, or undefined if there is none.
   */
  claim(key: string): Promise<Uint8Array | undefined> {
    const state = this.#shared.entries.get(key)?.state;
    this.#write(key, state);
    return Promise.resolve(state?.slice());
  }

  /**
   * Forgets the state under this key.
   *
   * @param key The name of the source.
   * @throws {ExternalError} With code `checkpoint` if another instance has saved, claimed or
   * deleted it since this one last read or wrote it.
   */
  // deno-lint-ignore require-await -- what is thrown must reject
  async delete(key: string): Promise<void> {
    if (this.#known.has(key)) this.#check("delete", key);
    this.#shared.entries.delete(key);
    this.#known.delete(key);
  }

  /**
   * The keys that have a state. Keys that are saved or deleted meanwhile may or may not be listed.
   *
   * @returns The keys.
   */
  async *list(): AsyncGenerator<string, void> {
    for (const [key, { state }] of this.#shared.entries) {
      if (state !== undefined) yield key;
    }
  }

  #write(key: string, state: Uint8Array | undefined): void {
    const version = ++this.#shared.version;
    this.#shared.entries.set(key, { version, ...(state !== undefined && { state }) });
    this.#known.set(key, version);
  }

  #check(verb: "save" | "delete", key: string): void {
    const entry = this.#shared.entries.get(key);
    if (entry?.version === this.#known.get(key)) return;
    const why = entry === undefined
      ? "somebody has deleted it since"
      : "another one has taken it over since";
    throw new ExternalError(
      "checkpoint",
      `Cannot ${verb} the checkpoint of '${key}' in memory as ${why}: this watch ends`,
      { source: key },
    );
  }
}
