/**
 * One process a folder, by a lock that dies with its holder.
 *
 * Whoever wants the folder listens on a socket of its own in it: the kernel closes that when the process
 * dies, however it dies. Then it makes the link `lock.N` to its socket, N one more than the highest there
 * is, if nobody listens behind that one. A link is made by one process only and never replaced, and the
 * highest is never removed, so of any number of processes that start at once exactly one holds the folder.
 * No clock and no process id is asked: clocks jump, and ids are used again.
 *
 * The kernel of another machine knows nothing of the socket, so two machines that share a folder can take
 * it from each other. The one that lost it finds a higher link before its next write, and stops.
 */
import type { Server } from "node:net";
import { ExternalError } from "../_errors/external_error.ts";

// The kernel's limit for the path of a socket is 108 bytes on Linux and 104 on macOS.
const LONGEST_SOCKET_PATH = 100;

// The folders this process holds. Its watches share them.
const held = new Map<string, Promise<FolderLock>>();

export class FolderLock {
  /** The folder, as an absolute path without links. */
  readonly folder: string;
  /** Names this holder, among all there ever were. */
  readonly id: string = crypto.randomUUID().replaceAll("-", "").slice(0, 16);
  /** Which object of this process was the last to ask for a name in the folder. */
  readonly users: Map<string, object> = new Map();
  readonly #turns = new Map<string, Promise<unknown>>();
  #claim = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Takes the folder for this process, and makes it if it is missing. */
  static async take(path: string): Promise<FolderLock> {
    const { mkdir, realpath } = await import("node:fs/promises");
    await mkdir(path, { recursive: true });
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

  /** Throws if the folder is not this process's any more. */
  async check(): Promise<void> {
    if (isWindows(await platform())) return;
    const next = await this.#socketOf(this.#claim + 1);
    if (next === undefined && await this.#socketOf(this.#claim) === this.#socket) return;
    const ours = await held.get(this.folder)?.catch(() => undefined);
    if (ours === this) held.delete(this.folder);
    throw new ExternalError(
      "checkpoint",
      `Cannot save a checkpoint in '${this.folder}' as ` +
        (next === undefined
          ? "the folder was removed or emptied under this process, so another one may use it by now"
          : "another process has taken over the folder, and its state is newer") +
        ": this watch ends; let one process alone use the folder, and start again",
    );
  }

  /** Makes renames in the folder last through a loss of power. */
  async sync(): Promise<void> {
    if (isWindows(await platform())) return; // It can neither open a folder nor needs to.
    const { open } = await import("node:fs/promises");
    const folder = await open(this.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  get #socket(): string {
    return `${this.id}.sock`;
  }

  async #take(): Promise<this> {
    if (isWindows(await platform())) {
      // A pipe of that name can be there once, and is gone with its process.
      if (await listen(await pipeOf(this.folder)) === undefined) throw this.#inUse();
      await this.#tidy();
      return this;
    }
    const { rm } = await import("node:fs/promises");
    const server = await withShortPath(
      this.folder,
      (folder) => listen(`${folder}/${this.#socket}`),
    );
    try {
      await this.#claimFolder();
      await this.#tidy();
      return this;
    } catch (thrown) {
      server?.close();
      await rm(this.#path(this.#socket), { force: true }).catch(() => {});
      throw thrown;
    }
  }

  async #claimFolder(): Promise<void> {
    const { chmod, rm, symlink } = await import("node:fs/promises");
    // So that a process of another user can tell whether it is alive. It only ever hangs up.
    await chmod(this.#path(this.#socket), 0o666);
    while (true) {
      const highest = await this.#highestClaim();
      if (highest > 0 && await this.#isAlive(`lock.${highest}`)) throw this.#inUse();
      this.#claim = highest + 1;
      const link = this.#path(`lock.${this.#claim}`);
      try {
        await symlink(this.#socket, link);
      } catch (thrown) {
        if (codeOf(thrown) === "EEXIST") continue; // Somebody else was as fast: is that one alive?
        throw thrown;
      }
      // Others may have claimed more, died, and been tidied away between the look and the link.
      if (await this.#highestClaim() === this.#claim) break;
      await rm(link, { force: true });
    }
    // The one before may, as its last act, have taken the socket for one that was left behind.
    if (await this.#isAlive(`lock.${this.#claim}`)) return;
    throw Object.assign(new Error("the lock was lost while it was taken"), { code: "EAGAIN" });
  }

  /** Removes what crashes left behind. Only for the holder of the folder. */
  async #tidy(): Promise<void> {
    const { readdir, rm } = await import("node:fs/promises");
    for (const name of await readdir(this.folder)) {
      // The link before ours stays: a folder that is read while links change may miss a new one.
      const left = isClaim(name)
        ? claimOf(name) < this.#claim - 1
        : /^[0-9a-f]{16}\.sock$/.test(name)
        ? name !== this.#socket && !await this.#isAlive(name)
        : /\.checkpoint\.[0-9a-f]{16}\.tmp$/.test(name);
      if (left) await rm(this.#path(name), { force: true });
    }
  }

  async #highestClaim(): Promise<number> {
    const { readdir } = await import("node:fs/promises");
    const names = await readdir(this.folder);
    return names.filter(isClaim).reduce((highest, name) => Math.max(highest, claimOf(name)), 0);
  }

  /** The name of the socket behind a claim, or undefined if there is no such claim. */
  async #socketOf(claim: number): Promise<string | undefined> {
    const { readlink } = await import("node:fs/promises");
    try {
      return await readlink(this.#path(`lock.${claim}`));
    } catch (thrown) {
      if (codeOf(thrown) === "ENOENT") return undefined;
      throw thrown;
    }
  }

  #isAlive(name: string): Promise<boolean> {
    return withShortPath(this.folder, (folder) => isListening(`${folder}/${name}`));
  }

  #path(name: string): string {
    return `${this.folder}/${name}`;
  }

  #inUse(): ExternalError {
    return new ExternalError(
      "checkpoint",
      `Cannot keep checkpoints in '${this.folder}' as another process uses the folder: ` +
        "end that process, or give each a folder of its own",
    );
  }
}

async function platform(): Promise<string> {
  return (await import("node:process")).platform;
}

function isWindows(platform: string): boolean {
  return platform === "win32";
}

function isClaim(name: string): boolean {
  return /^lock\.[1-9][0-9]{0,14}$/.test(name);
}

function claimOf(name: string): number {
  return Number(name.slice("lock.".length));
}

function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | null)?.code;
}

async function pipeOf(folder: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(folder));
  const name = btoa(String.fromCharCode(...new Uint8Array(digest))).replace(/[^A-Za-z0-9]/g, "_");
  return `\\\\.\\pipe\\koprs-external-${name}`;
}

/** Lends a path to the folder that leaves room for the name of a socket. */
async function withShortPath<R>(folder: string, use: (folder: string) => Promise<R>): Promise<R> {
  const longest = LONGEST_SOCKET_PATH - "/0123456789abcdef.sock".length;
  if (new TextEncoder().encode(folder).length <= longest) return await use(folder);
  const { mkdtemp, rmdir, symlink, unlink } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const aside = await mkdtemp(`${tmpdir()}/koprs-`);
  try {
    await symlink(folder, `${aside}/f`);
    return await use(`${aside}/f`);
  } finally {
    await unlink(`${aside}/f`).catch(() => {});
    await rmdir(aside).catch(() => {});
  }
}

/** Listens there until the process dies. Undefined if somebody else does. */
async function listen(address: string): Promise<Server | undefined> {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => socket.destroy());
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (codeOf(error) === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref(); // It must not keep the process alive.
      resolve(server);
    });
  });
}

/** Whether somebody listens there. When in doubt, yes. */
async function isListening(address: string): Promise<boolean> {
  const { connect } = await import("node:net");
  return await new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      socket.destroy();
      resolve(codeOf(error) !== "ECONNREFUSED" && codeOf(error) !== "ENOENT");
    });
  });
}
