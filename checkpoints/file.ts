/** Checkpoints as files. */
import { checkpointName } from "../_state/name.ts";
import { FolderLock } from "../_state/folder_lock.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";

// What may pass by itself: tried again, like any failed poll. Anything else about the folder ends the stream.
const PASSING = new Set(
  "EAGAIN EBUSY EDQUOT EINTR EIO EMFILE ENFILE ENOBUFS ENOMEM ENOSPC ESTALE ETIMEDOUT".split(" "),
);

/**
 * Keeps checkpoints in a folder, one file a source. A file is written aside, synced and renamed, and the
 * folder synced, so that a crash at any moment leaves the old state or the new one.
 *
 * The first use takes the folder for this process until it ends, however it ends: another process gets a
 * clear error. Any number of watches of one process share the folder. Not for a folder that several
 * machines share, such as one on NFS: there each takes it from the other, and the one that lost it stops
 * with an error before its next write.
 *
 * Only the user of this process can read the files. The file system must know symbolic links and Unix
 * sockets. On Deno it needs `--allow-read` and `--allow-write` for the folder, and `--allow-net` for the
 * socket that tells whether the process is alive.
 *
 * @example
 * ```ts
 * import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
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
  /** The lock under which a key was asked for last. State is saved under no other. */
  readonly #locks = new Map<string, FolderLock>();
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Touches nothing yet.
   *
   * @param folder Where the files are kept. It is made if it is missing.
   * @throws {TypeError} If the folder is not a string, or empty.
   */
  constructor(folder: string) {
    if (typeof folder !== "string" || folder === "" || folder.includes("\0")) {
      throw new TypeError(
        "Cannot keep checkpoints as the folder must be a path, a string that is not empty",
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
    const { lock, name } = await this.#opened(key, true);
    const { readFile } = await import("node:fs/promises");
    return await lock.inTurn(name, async () => {
      try {
        const bytes = await readFile(`${lock.folder}/${name}`);
        return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      } catch (thrown) {
        if ((thrown as { code?: unknown }).code === "ENOENT") return undefined;
        throw thrown;
      }
    });
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state What the source gave.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, another process uses it, or
   * another watch of this process has asked for the same key since.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const { lock, name } = await this.#opened(key, false);
    await lock.inTurn(name, () => this.#write(lock, key, name, state));
  }

  /**
   * Where the state of this key is kept, for error messages.
   *
   * @param key The name of the source.
   * @returns The path of the file.
   */
  async locate(key: string): Promise<string> {
    return `${this.#locks.get(key)?.folder ?? this.#folder}/${await checkpointName(key)}`;
  }

  async #write(lock: FolderLock, key: string, name: string, state: Uint8Array): Promise<void> {
    const { open, rename, rm } = await import("node:fs/promises");
    if (lock.users.get(name) !== this) {
      throw new ExternalError(
        "checkpoint",
        `Cannot save the checkpoint of '${key}' in '${lock.folder}' as another watch of this process ` +
          "has begun to keep its own there: give one of the sources another 'name'",
        { source: key },
      );
    }
    await lock.check();
    const aside = `${lock.folder}/${name}.${lock.id}.tmp`;
    try {
      const file = await open(aside, "w", 0o600);
      try {
        await file.writeFile(state);
        await file.sync();
      } finally {
        await file.close();
      }
      await lock.check(); // Writing may have taken long.
      await rename(aside, `${lock.folder}/${name}`);
    } catch (thrown) {
      await rm(aside, { force: true }).catch(() => {});
      throw thrown;
    }
    await lock.sync();
  }

  /** The lock and the file name for a key, to the callers in the order of their calls. */
  #opened(key: string, anew: boolean): Promise<{ lock: FolderLock; name: string }> {
    const opened = this.#last.then(async () => {
      const name = await checkpointName(key);
      const known = anew ? undefined : this.#locks.get(key);
      return { lock: known ?? await this.#open(key, name), name };
    });
    this.#last = opened.catch(() => {});
    return opened;
  }

  /** Takes the folder, and the key from any other watch of this process. */
  async #open(key: string, name: string): Promise<FolderLock> {
    try {
      const lock = await FolderLock.take(this.#folder);
      lock.users.set(name, this);
      this.#locks.set(key, lock);
      return lock;
    } catch (thrown) {
      if (thrown instanceof ExternalError) throw thrown;
      const { code } = thrown as { code?: unknown };
      if (typeof code === "string" && PASSING.has(code)) throw thrown;
      throw new ExternalError(
        "checkpoint",
        `Cannot keep checkpoints in '${this.#folder}': ${
          reasonOf(thrown)
        }: it must be a folder, on a ` +
          "file system with symbolic links and sockets, that this process may read and write",
        { cause: thrown },
      );
    }
  }
}
