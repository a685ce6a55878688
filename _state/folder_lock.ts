/**
 * Lets only one process use a folder, by a lock that ends with its holder.
 *
 * SQLite locks the empty file `lock` by the means of each system (`fcntl`, `LockFileEx`): the
 * kernel releases the lock when the process dies, however it dies. Deno, Node and Bun all include
 * SQLite, so they exclude each other, and Deno needs only the right to read and write the folder.
 * The lock depends on no clock and no process id: clocks jump, and ids are reused. Nothing is ever
 * written to that file. It must not be opened in any other way: a process that closes one handle of
 * a file loses all `fcntl` locks it has on that file.
 *
 * The holder also writes its id into the file `holder`, and checks it before each write. So where
 * the lock does not keep others out, such as between machines that share a folder, or after
 * somebody has deleted `lock`, the process that took the folder first finds another id there, and
 * stops.
 */
import { codeOf } from "../_errors/code_of.ts";
import { lstat, open, readdir, readFile, realpath, rename, rm } from "node:fs/promises";
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { ExternalError } from "../_errors/external_error.ts";
import { checkMode, checkOwner, makeFolder } from "./private_folder.ts";

// The folders this process holds. Its watches share them.
const held = new Map<string, Promise<FolderLock>>();

export class FolderLock {
  /** The folder, as an absolute path without links. */
  readonly folder: string;
  /** By name in the folder: the store object of this process that asked for it last. */
  readonly users: Map<string, object> = new Map();
  /** Identifies this holder among all that ever existed. */
  readonly #id = randomId();
  readonly #turns = new Map<string, Promise<unknown>>();
  // The lock lasts as long as this is open, so it must not be collected as garbage.
  #file: DatabaseSync | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Takes the folder for this process, and makes it if it is missing. */
  static async take(path: string): Promise<FolderLock> {
    await makeFolder(path);
    const folder = await realpath(path);
    let lock = held.get(folder);
    if (lock === undefined) {
      lock = new FolderLock(folder).#take();
      held.set(folder, lock);
      lock.catch(() => held.delete(folder));
    }
    return lock;
  }

  /** Runs work on a name in the folder after all earlier work on that name is done. */
  inTurn<R>(name: string, work: () => Promise<R>): Promise<R> {
    const done = (this.#turns.get(name) ?? Promise.resolve()).then(work);
    this.#turns.set(name, done.catch(() => {}));
    return done;
  }

  /**
   * An unused path in the folder for a temporary file. If a crash leaves the file there, the next
   * holder removes it.
   */
  aside(name: string): string {
    return `${this.folder}/${name}.${randomId()}.tmp`;
  }

  /** Throws if this process does not hold the folder any more. */
  async check(): Promise<void> {
    const holder = await this.#holder();
    if (holder === this.#id) return;
    const ours = await held.get(this.folder)?.catch(() => undefined);
    if (ours === this) held.delete(this.folder);
    this.#file?.close(); // So that a new watch of this process can take the folder again.
    this.#file = undefined;
    throw new ExternalError(
      "checkpoint",
      `Cannot save a checkpoint in '${this.folder}' as ` +
        (holder === undefined
          ? "the folder was removed or emptied under this process, so another one may use it by now"
          : "another process has taken over the folder, and its state is newer") +
        ": this watch ends; let one process alone use the folder, and start again",
    );
  }

  /** Makes renames in the folder survive a loss of power. */
  async sync(): Promise<void> {
    if (process.platform === "win32") return; // Windows cannot open a folder, and does not need to.
    const folder = await open(this.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async #take(): Promise<this> {
    await checkMode(this.folder);
    const aside = this.aside("holder");
    try {
      // Before the lock: the owner of the new file is the user of this process. Asking for that
      // user would need a permission.
      await checkOwner(this.folder, await createFile(aside, this.#id));
      this.#file = await lockFile(`${this.folder}/lock`);
      if (this.#file === undefined) throw this.#inUse();
      await rename(aside, `${this.folder}/holder`);
      await this.#tidy();
      return this;
    } catch (thrown) {
      this.#file?.close();
      await rm(aside, { force: true }).catch(() => {}); // The first error is the one to report.
      throw thrown;
    }
  }

  /**
   * Removes files that crashes left behind, and the locks of release 0.1, so that a process that
   * still has one stops.
   */
  async #tidy(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const left = /^(holder|.*\.checkpoint)\.[0-9a-f]{16}\.tmp$/.test(name) ||
        /^lock\.[1-9][0-9]{0,14}$|^[0-9a-f]{16}\.sock$/.test(name);
      if (left) await rm(`${this.folder}/${name}`, { force: true });
    }
  }

  /** The id of the process that took the folder last, or undefined if its file is gone. */
  async #holder(): Promise<string | undefined> {
    try {
      return await readFile(`${this.folder}/holder`, "utf8");
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return undefined;
      throw thrown;
    }
  }

  #inUse(): ExternalError {
    return new ExternalError(
      "checkpoint",
      `Cannot keep checkpoints in '${this.folder}' as another process uses the folder: ` +
        "end that process, or give each a folder of its own",
    );
  }
}

/** Locks a file until the process ends, and creates it if it is missing. Undefined if another process has locked it. */
async function lockFile(path: string): Promise<DatabaseSync | undefined> {
  await createFile(path, "").catch((thrown) => {
    if (codeOf(thrown) !== "EEXIST") throw thrown;
  });
  if (!(await lstat(path)).isFile()) throw new Error(`'${path}' is not a regular file: remove it`);
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Error("this runtime has no 'node:sqlite': use Node 22.13 or later");
  });
  const file = new DatabaseSync(path);
  try {
    // IMMEDIATE takes one lock in one step: of many processes that try at once, exactly one gets
    // it. The journal is kept in memory, so that it makes no file: nothing is ever written.
    file.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
    return file;
  } catch (thrown) {
    file.close();
    // Deno's error has no error number.
    if (/\bis locked\b/.test((thrown as Error).message)) return undefined;
    throw thrown;
  }
}

/** Creates a file that only this user can read, and returns the user's id. Rejects if the file exists. */
async function createFile(path: string, content: string): Promise<number> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(content);
    return (await file.stat()).uid;
  } finally {
    await file.close();
  }
}

function randomId(): string {
  return crypto.randomUUID().replaceAll("-", "").slice(0, 16);
}
