/** Checkpoints as files. */
import { checkpointName } from "./_checkpoint_name.ts";
import { FolderLock } from "./_folder_lock.ts";
import { reasonOf } from "./_redact.ts";
import type { CheckpointStore } from "./checkpoint.ts";
import { ExternalError } from "./error.ts";

/**
 * Keeps checkpoints in a folder, one file a source. A file is written aside, synced and renamed, and the
 * folder synced, so that a crash at any moment leaves the old state or the new one.
 *
 * The first use takes the folder for this process, until it ends: another process gets a clear error, and
 * a process that finds itself replaced stops with one. Any number of watches of one process share it.
 *
 * @example
 * ```ts
 * import { FileCheckpointStore } from "@koprs/external/checkpoint";
 * import { mkdtemp, rm } from "node:fs/promises";
 *
 * const folder = await mkdtemp("/tmp/checkpoints-");
 * const store = new FileCheckpointStore(folder);
 * await store.save("https://example.com/config", new Uint8Array([1, 2, 3]));
 * console.assert((await store.load("https://example.com/config"))?.length === 3);
 * await rm(folder, { recursive: true });
 * ```
 */
export class FileCheckpointStore implements CheckpointStore {
  readonly #folder: string;
  #lock: Promise<FolderLock> | undefined;

  /**
   * Touches nothing yet.
   *
   * @param folder Where the files are kept. It is made if it is missing. Not one that several machines
   * share.
   * @throws {TypeError} If the folder is not a string, or empty.
   */
  constructor(folder: string) {
    if (typeof folder !== "string" || folder === "") {
      throw new TypeError(
        "Cannot keep checkpoints as the folder must be a string that is not empty",
      );
    }
    this.#folder = folder;
  }

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, or another process uses it.
   */
  async load(key: string): Promise<Uint8Array | undefined> {
    const lock = await this.#open();
    const { readFile } = await import("node:fs/promises");
    try {
      const bytes = await readFile(`${lock.folder}/${await checkpointName(key)}`);
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (thrown) {
      if ((thrown as { code?: unknown }).code === "ENOENT") return undefined;
      throw thrown;
    }
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, or another process uses it.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const lock = await this.#open();
    const name = await checkpointName(key);
    const { open, rename, rm } = await import("node:fs/promises");
    const aside = `${lock.folder}/${name}.${lock.owner}.tmp`;
    try {
      const file = await open(aside, "w");
      try {
        await file.writeFile(state);
        await file.sync();
      } finally {
        await file.close();
      }
      await lock.check();
      await rename(aside, `${lock.folder}/${name}`);
      await lock.sync();
    } catch (thrown) {
      await rm(aside, { force: true });
      throw thrown;
    }
  }

  #open(): Promise<FolderLock> {
    this.#lock ??= FolderLock.take(this.#folder).catch((thrown) => {
      this.#lock = undefined;
      throw thrown instanceof ExternalError ? thrown : new ExternalError(
        "checkpoint",
        `Cannot keep checkpoints in '${this.#folder}': ${reasonOf(thrown)}: ` +
          "it must be a folder this process can write to",
        { cause: thrown },
      );
    });
    return this.#lock;
  }
}
