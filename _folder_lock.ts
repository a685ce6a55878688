/**
 * One process a folder, without a lock that outlives its holder.
 *
 * The holder listens on a socket in the folder. The kernel closes it when the process dies, however it
 * dies, so a connection that is refused tells that nobody holds the folder any more. Two processes may
 * find that out at the same time: the file `owner` says which of them came last, and the other stops at
 * its next write.
 */
import { ExternalError } from "./error.ts";

// The kernel's limit for the path of a socket is 108 bytes on Linux and 104 on macOS.
const LONGEST_SOCKET_PATH = 100;

// The folders this process holds. Its watches share them.
const held = new Map<string, Promise<FolderLock>>();

export class FolderLock {
  /** The folder, as an absolute path without links. */
  readonly folder: string;
  /** Names this holder, among all there ever were. */
  readonly owner: string = crypto.randomUUID();

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

  /** Throws if another process has taken over. */
  async check(): Promise<void> {
    const { readFile } = await import("node:fs/promises");
    const owner = await readFile(this.#ownerFile, "utf8");
    if (owner === this.owner) return;
    held.delete(this.folder);
    throw new ExternalError(
      "checkpoint",
      `Cannot save a checkpoint in '${this.folder}' as another process has taken over the folder: ` +
        "its state is newer, and this watch ends",
    );
  }

  /** Makes renames in the folder last through a loss of power. */
  async sync(): Promise<void> {
    const { open } = await import("node:fs/promises");
    const { platform } = await import("node:process");
    if (platform === "win32") return; // It can neither open a folder nor needs to.
    const folder = await open(this.folder, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  get #ownerFile(): string {
    return `${this.folder}/owner`;
  }

  async #take(): Promise<FolderLock> {
    const { readdir, rename, rm, writeFile } = await import("node:fs/promises");
    const address = await this.#address();
    while (!await listen(address)) {
      if (await isAlive(address)) {
        throw new ExternalError(
          "checkpoint",
          `Cannot keep checkpoints in '${this.folder}' as another process uses it: ` +
            "end that process, or use another folder",
        );
      }
      await rm(address, { force: true });
    }
    // What a crash left behind between write and rename.
    for (const name of await readdir(this.folder)) {
      if (name.endsWith(".tmp")) await rm(`${this.folder}/${name}`, { force: true });
    }
    const aside = `${this.#ownerFile}.${this.owner}`;
    await writeFile(aside, this.owner);
    await rename(aside, this.#ownerFile);
    return this;
  }

  async #address(): Promise<string> {
    const path = `${this.folder}/lock`;
    const { platform } = await import("node:process");
    if (platform !== "win32" && new TextEncoder().encode(path).length <= LONGEST_SOCKET_PATH) {
      return path;
    }
    const { tmpdir } = await import("node:os");
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(this.folder));
    const name = `koprs-external-${btoa(String.fromCharCode(...new Uint8Array(digest, 0, 12)))}`
      .replaceAll("/", "_");
    return platform === "win32" ? `\\\\.\\pipe\\${name}` : `${tmpdir()}/${name}`;
  }
}

/** Listens there until the process dies. False if somebody does, or did. */
async function listen(address: string): Promise<boolean> {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => socket.destroy());
  return await new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if ((error as { code?: unknown }).code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen(address, () => {
      server.unref(); // It must not keep the process alive.
      resolve(true);
    });
  });
}

/** Whether somebody listens there. */
async function isAlive(address: string): Promise<boolean> {
  const { connect } = await import("node:net");
  return await new Promise((resolve) => {
    const socket = connect(address);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => {
      const { code } = error as { code?: unknown };
      resolve(code !== "ECONNREFUSED" && code !== "ENOENT");
    });
  });
}
