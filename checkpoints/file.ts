/** Checkpoints as files. */
import { codeOf } from "../_errors/code_of.ts";
import { constants } from "node:fs";
import { open, readdir, rename, rm } from "node:fs/promises";
import { frame, unframe } from "../_state/owner_line.ts";
import { checkpointName, keyOfName } from "../_state/name.ts";
import { FolderLock } from "../_state/folder_lock.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";

// Errors that may pass by themselves: tried again, like any failed poll. Any other error of the
// folder ends the stream.
const PASSING = new Set(
  "EAGAIN EBUSY EDQUOT EINTR EIO EMFILE ENFILE ENOBUFS ENOMEM ENOSPC ESTALE ETIMEDOUT".split(" "),
);

// Windows has no such flag.
const READ_NO_LINK = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
/** Bytes asked for at once: no system reads more than 2 GiB in one go. */
const CHUNK = 64 * 1024 * 1024;
/** Bytes of a file that a listing reads: a key that needs more is left out. */
const HEAD = 64 * 1024;

/** A save that has not begun yet. */
interface Waiting {
  readonly lock: FolderLock;
  state: Uint8Array;
  readonly done: Promise<void>;
}

/**
 * Keeps checkpoints in a folder, one file for each source. A state is written to a temporary file,
 * which is synced and renamed, and the folder is synced, so that a crash at any moment leaves the
 * old state or the new one.
 *
 * The first use locks the folder for this process until the process ends, however it ends: another
 * process, on Deno, Node or Bun, gets a clear error. Any number of watches of one process share the
 * folder. If several machines share a folder, such as one on NFS, it depends on the file system
 * whether the lock works between them; if it does not, the process that came first stops with an
 * error before its next write.
 *
 * The folder must belong to this process alone: it is created so that only its user can read and
 * write it. A folder that others can write to, such as `/tmp` or an `emptyDir` volume of a
 * Kubernetes pod, is refused: name a folder inside it, such as `/var/lib/my-operator/checkpoints`
 * on a volume at `/var/lib/my-operator`. On Deno it needs `--allow-read` and `--allow-write` for
 * that folder, and nothing else. Node must be 22.13 or later; Node 22 warns once that SQLite, which
 * locks the folder, is experimental there.
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
  /** By key, the lock under which it was opened last. Its state is saved under no other lock. */
  readonly #locks = new Map<string, FolderLock>();
  /** By the name of the file. */
  readonly #waiting = new Map<string, Waiting>();
  #last: Promise<unknown> = Promise.resolve();

  /**
   * Does not access the folder yet.
   *
   * @param folder Where the files are kept. It is created if it is missing.
   * @throws {TypeError} If the folder is not a string, is empty, or holds U+0000.
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
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, others may write to it, or another
   * process uses it.
   */
  async load(key: string): Promise<Uint8Array | undefined> {
    const { lock, name } = await this.#opened(key, true);
    return await lock.inTurn(name, () => readState(`${lock.folder}/${name}`, key));
  }

  /**
   * The same as `load`: no other process can use the folder, and any other store object of this
   * process that had the key cannot save or delete it any more. Waits for a save that is under way,
   * and resolves to what it saved.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, others may write to it, or another
   * process uses it.
   */
  async claim(key: string): Promise<Uint8Array | undefined> {
    return await this.load(key);
  }

  /**
   * Replaces the state under this key. If several saves wait for one that is under way, only the
   * newest of them is written, for all of them.
   *
   * @param key The name of the source.
   * @param state The state of the source.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, another process
   * uses it, or another watch of this process has asked for the same key since this one did.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    const { lock, name } = await this.#opened(key, false);
    const before = this.#waiting.get(name);
    if (before?.lock === lock) {
      before.state = state;
      return await before.done;
    }
    const done = lock.inTurn(name, () => {
      if (this.#waiting.get(name) === waiting) this.#waiting.delete(name);
      return this.#write(lock, key, name, waiting.state);
    });
    const waiting: Waiting = { lock, state, done };
    this.#waiting.set(name, waiting);
    await done;
  }

  /**
   * Deletes the file of this key, so that it stays deleted even after a crash.
   *
   * @param key The name of the source.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, another process uses it, or
   * another store object of this process has asked for the same key since this one did.
   */
  async delete(key: string): Promise<void> {
    const { lock, name } = await this.#opened(key, false);
    await lock.inTurn(name, async () => {
      this.#checkUser(lock, "delete", key, name);
      await lock.check();
      await rm(`${lock.folder}/${name}`, { force: true });
      await lock.sync();
      this.#locks.delete(key);
    });
  }

  /**
   * The keys that have a state. Locks the folder, and reads the beginning of each file. States that
   * release 0.1 saved last are left out, unless their key has only letters, digits, dots and
   * hyphens: no other key can be recovered from the file.
   *
   * @returns The keys.
   * @throws {ExternalError} With code `checkpoint` if the folder cannot be used, or another process uses it.
   */
  async *list(): AsyncGenerator<string, void> {
    const { folder } = await this.#take();
    for (const file of await readdir(folder, { withFileTypes: true })) {
      const { name } = file;
      if (!name.endsWith(".checkpoint") || !file.isFile()) continue;
      const bytes = await readBytes(`${folder}/${name}`, HEAD);
      const key = bytes && await keyOfName(name, unframe(bytes).head);
      if (key !== undefined) yield key;
    }
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
    this.#checkUser(lock, "save", key, name);
    await lock.check();
    const aside = lock.aside(name);
    try {
      const file = await open(aside, "wx", 0o600);
      try {
        await file.writeFile(frame({ key }));
        await file.writeFile(state);
        await file.sync();
      } finally {
        await file.close();
      }
      await lock.check(); // Writing may have taken long.
      await rename(aside, `${lock.folder}/${name}`);
    } catch (thrown) {
      await rm(aside, { force: true }).catch(() => {}); // The first error is the one to report.
      throw thrown;
    }
    await lock.sync();
  }

  #checkUser(lock: FolderLock, verb: "save" | "delete", key: string, name: string): void {
    if (lock.users.get(name) === this) return;
    throw new ExternalError(
      "checkpoint",
      `Cannot ${verb} the checkpoint of '${key}' in '${lock.folder}' as another watch of this process ` +
        "has begun to keep its own there: give one of the sources another 'name'",
      { source: key },
    );
  }

  /** The lock and the file name for a key. Callers get them in the order of their calls. */
  #opened(key: string, anew: boolean): Promise<{ lock: FolderLock; name: string }> {
    const opened = this.#last.then(async () => {
      const name = await checkpointName(key);
      const known = anew ? undefined : this.#locks.get(key);
      return { lock: known ?? await this.#open(key, name), name };
    });
    this.#last = opened.catch(() => {});
    return opened;
  }

  /** Locks the folder, and takes the key from any other store object of this process. */
  async #open(key: string, name: string): Promise<FolderLock> {
    const lock = await this.#take();
    lock.users.set(name, this);
    this.#locks.set(key, lock);
    return lock;
  }

  async #take(): Promise<FolderLock> {
    try {
      return await FolderLock.take(this.#folder);
    } catch (thrown) {
      if (thrown instanceof ExternalError) throw thrown;
      if (PASSING.has(String(codeOf(thrown)))) throw thrown;
      throw new ExternalError(
        "checkpoint",
        `Cannot keep checkpoints in '${this.#folder}': ${
          reasonOf(thrown)
        }: it must be a folder that ` +
          "this process may read and write",
        { cause: thrown },
      );
    }
  }
}

/** The state in a file, or undefined if there is none. */
async function readState(path: string, key: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readBytes(path);
    return bytes && unframe(bytes, key).state;
  } catch (thrown) {
    if (codeOf(thrown) !== "ELOOP") throw thrown;
    throw new ExternalError(
      "checkpoint",
      `Cannot load the checkpoint of '${key}' as '${path}' is a symbolic link: put a file in its place`,
      { source: key },
    );
  }
}

/** The first bytes of a file, or all; undefined if there is none. */
async function readBytes(path: string, most = Infinity): Promise<Uint8Array | undefined> {
  const file = await open(path, READ_NO_LINK).catch((thrown) => {
    if (codeOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  });
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(Math.min((await file.stat()).size, most));
    let length = 0;
    while (length < bytes.length) {
      const wanted = Math.min(bytes.length - length, CHUNK);
      const { bytesRead } = await file.read(bytes, length, wanted, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}
