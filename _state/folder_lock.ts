/**
 * One process a folder, by a lock that dies with its holder.
 *
 * SQLite locks the empty file `lock` by what each system has for that (`fcntl`, `LockFileEx`): the kernel lets go of it
 * when the process dies, however it dies. Deno, Node and Bun all bring SQLite, so they exclude each other, and Deno asks
 * for no right but to read and write the folder. No clock and no process id is asked: clocks jump, and ids are used again.
 * Nothing is ever written to that file. It must not be opened in any other way: a process that closes one handle of a file
 * loses all `fcntl` locks it has on it.
 *
 * The holder also writes its id into the file `holder`, and looks at it before each write. So wherever a lock holds nobody
 * off, such as between machines that share a folder, or once somebody has deleted `lock`, the process that took the
 * folder first finds another id there, and stops.
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
  /** Which object of this process was the last to ask for a name in the folder. */
  readonly users: Map<string, object> = new Map();
  /** Names this holder, among all there ever were. */
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

  /** Runs what is to be done with a name in the folder when all before it is done. */
  inTurn<R>(name: string, work: () => Promise<R>): Promise<R> {
    const done = (this.#turns.get(name) ?? Promise.resolve()).then(work);
    this.#turns.set(name, done.catch(() => {}));
    return done;
  }

  /** A path in the folder that nothing has yet. What is left there by a crash is removed by the next holder. */
  aside(name: string): string {
    return `${this.folder}/${name}.${randomId()}.tmp`;
  }

  /** Throws if the folder is not this process's any more. */
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

  /** Makes renames in the folder last through a loss of power. */
  async sync(): Promise<void> {
    if (process.platform === "win32") return; // It can neither open a folder nor needs to.
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
      // Before the lock: whose file this is tells which user this process is, without asking for that right.
      await checkOwner(this.folder, await createFile(aside, this.#id));
      this.#file = await lockFile(`${this.folder}/lock`);
      if (this.#file === undefined) throw this.#inUse();
      await rename(aside, `${this.folder}/holder`);
      await this.#tidy();
      return this;
    } catch (thrown) {
      this.#file?.close();
      await rm(aside, { force: true }).catch(() => {}); // What went wrong first is told.
      throw thrown;
    }
  }

  /** Removes what crashes left behind, and the locks of release 0.1, which stops a process that still has one. */
  async #tidy(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const left = /^(holder|.*\.checkpoint)\.[0-9a-f]{16}\.tmp$/.test(name) ||
        /^lock\.[1-9][0-9]{0,14}$|^[0-9a-f]{16}\.sock$/.test(name);
      if (left) await rm(`${this.folder}/${name}`, { force: true });
    }
  }

  /** The id of whoever took the folder last, or undefined if that is not there any more. */
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

/** Locks a file until the process ends, and makes it if it is missing. Undefined if somebody else has it locked. */
async function lockFile(path: string): Promise<DatabaseSync | undefined> {
  await createFile(path, "").catch((thrown) => {
    if (codeOf(thrown) !== "EEXIST") throw thrown;
  });
  if (!(await lstat(path)).isFile()) throw new Error(`'${path}' is no plain file: remove it`);
  const { DatabaseSync } = await import("node:sqlite").catch(() => {
    throw new Error("this runtime has no 'node:sqlite', as Node has from 22.13 on");
  });
  const file = new DatabaseSync(path);
  try {
    // IMMEDIATE takes one lock in one step: of many that try at once, exactly one gets it. The journal of a write that
    // never comes is to be no file.
    file.exec("PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE");
    return file;
  } catch (thrown) {
    file.close();
    // Deno gives no number of the error.
    if (/\bis locked\b/.test((thrown as Error).message)) return undefined;
    throw thrown;
  }
}

/** Makes a file that only this user can read, and returns the number of that user. Never writes into one that is there. */
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
