/**
 * A local folder as an object store: every file under it is an object, and its key is its path
 * relative to the folder, with `/` as the separator on every system.
 *
 * @example
 * ```ts
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { LocalStore } from "@koprs/external/stores/local";
 * import { watchExternal } from "@koprs/external/watcher";
 * import { mkdtemp, writeFile } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 *
 * const folder = await mkdtemp(`${tmpdir()}/inbox-`);
 * await writeFile(`${folder}/order.json`, "{}");
 * const store = new LocalStore(folder);
 * for await (const { type, item } of watchExternal(new ObjectStorePoller(store), 5_000)) {
 *   console.log(type, item.key, item.size); // added order.json 2
 *   break;
 * }
 * ```
 *
 * @module
 */
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { orAborted } from "../_bounds/abort.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { streamOf } from "../_files/content.ts";
import { checkName } from "../_errors/checks.ts";
import { codeOf } from "../_errors/code_of.ts";
import { Failures, isVanished } from "../_files/failure.ts";
import { FolderListing } from "../_files/folder_listing.ts";
import { contentEtag, stateEtag } from "../_files/stat.ts";
import { isInVolume, isReal, type Place, placeOf } from "../_files/volume.ts";
import type { GetOptions, ListOptions, ObjectStore } from "../_listing/object_store.ts";
import { walk } from "../_listing/walk.ts";

/** How many folders, or batches of files, are read at once. */
const AHEAD = 8;
/** Attempts to open a file, as a Kubernetes volume may be swapped meanwhile. */
const TRIES = 3;
const WINDOWS = process.platform === "win32";

/** How to make a {@linkcode LocalStore}. */
export interface LocalStoreOptions {
  /**
   * Names the store in logs, spans and checkpoints.
   *
   * @default {url} the folder as a URL, such as `file:///var/data`
   */
  name?: string;
  /**
   * Whether a file's inode number is part of its ETag. Then a file that is renamed over another one
   * is reported as modified even if size and modification time are the same. A file that is deleted
   * and created again may get the old inode number: if size and time are the same as well, the
   * change is not seen. Turn it off for file systems whose inode numbers change without reason
   * (many in user space, such as sshfs), or where a checkpoint must outlive a move of the data to
   * another disk. Never used on Windows.
   *
   * @default {true}
   */
  inode?: boolean;
}

/**
 * The files of a folder and of all its subfolders. Needs only the right to read them.
 *
 * - Links to files are followed, wherever they lead. Links to folders are not. Links that lead nowhere,
 *   sockets, pipes and devices are left out, and so is a file that vanishes while the folder is listed.
 * - If the folder is missing, is not a folder, or is replaced by another one while it is listed, or
 *   if any folder in it cannot be read, the listing fails, and with it the poll: nothing is
 *   reported as removed.
 * - A file name that is not UTF-8 fails the listing too, as no exact key can be made from it.
 * - The ETag is made from the size, the modification time in milliseconds and the inode number, and
 *   is the same on Deno, Node and Bun. Two changes that keep the size are not seen: one in the same
 *   file after which the writer sets the old time again, and a second write within one tick of the
 *   file system's clock, if a tick is longer than 20 ms (FAT). `minAge` of the poller helps against
 *   the second.
 * - A volume that is not mounted looks like an empty folder: give the poller a `maxRemoved`.
 * - The folder may be, contain or lie in a ConfigMap, Secret or projected volume of Kubernetes. The
 *   files there have the keys that the volume defines, and each listing sees the volume at one
 *   moment. Their ETag is made from the content, as every update writes all files again: only those
 *   whose content changed are `modified`.
 *
 * Keys come in UTF-8 byte order. There is no `put`, since file systems have no conditional writes.
 * On Deno it needs only `--allow-read` for the folder.
 *
 * @example Reading each file, unless it has changed since it was listed
 * ```ts
 * import { LocalStore } from "@koprs/external/stores/local";
 * import { mkdtemp, writeFile } from "node:fs/promises";
 * import { tmpdir } from "node:os";
 *
 * const folder = await mkdtemp(`${tmpdir()}/inbox-`);
 * await writeFile(`${folder}/order.json`, "{}");
 * const store = new LocalStore(folder);
 * for await (const page of store.list()) {
 *   for (const { key, etag } of page) {
 *     const content = await store.get(key, { ifMatch: etag });
 *     console.log(key, await new Response(content).json()); // order.json {}
 *   }
 * }
 * ```
 */
export class LocalStore implements ObjectStore {
  /** Names the store in logs, spans and checkpoints. */
  readonly name: string;
  readonly #root: string;
  readonly #inode: boolean;
  readonly #failures: Failures;

  /**
   * Does not read the folder yet.
   *
   * @param folder A path, or a `file:` URL. A relative path is resolved now.
   * @param options The store's name, and whether inode numbers are part of ETags.
   * @throws {TypeError} If the folder or an option cannot be used.
   */
  constructor(folder: string | URL, options?: LocalStoreOptions) {
    if (typeof folder !== "string" && !(folder instanceof URL) || folder === "") {
      throw new TypeError("Cannot make a store as the folder must be a path or a file: URL");
    }
    if (folder instanceof URL && folder.protocol !== "file:") {
      throw new TypeError(
        `Cannot make a store as the folder's URL must be a file: URL: it is ${folder.protocol}`,
      );
    }
    const path = typeof folder === "string" ? folder : fileURLToPath(folder);
    if (path.includes("\0")) throw new TypeError("Cannot make a store as the path holds U+0000");
    const { name, inode = true } = options ?? {};
    if (name !== undefined) checkName("make a store", name);
    if (typeof inode !== "boolean") {
      throw new TypeError("Cannot make a store as 'inode' must be a boolean");
    }
    this.#root = resolve(path);
    this.#inode = inode && !WINDOWS;
    this.name = name ?? pathToFileURL(this.#root).href;
    this.#failures = new Failures(this.name);
  }

  /**
   * The files, page by page, in UTF-8 byte order of their keys. Folders that cannot hold a key with the
   * prefix are not read.
   *
   * @param options Which files; `after` and `until` are ignored.
   * @returns Pages of up to 1,000 files. An empty listing has none.
   * @throws {ExternalError} With code `store` if any folder or file could not be accessed.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", signal } = options ?? {};
    signal?.throwIfAborted();
    const before = await orAborted(this.#rootState(), signal);
    const listing = new FolderListing({ prefix, inode: this.#inode, failures: this.#failures });
    const root = listing.root({ key: "", path: this.#root }, before.volume);
    yield* walk(root, { ahead: AHEAD, signal });
    // If the folder was removed, unmounted or replaced meanwhile, the listing may be incomplete.
    const after = await orAborted(this.#rootState(), signal);
    if (before.id !== after.id) {
      const why = "the folder was put in place of another while it was listed";
      throw this.#failures.of("list", why);
    }
  }

  /**
   * The content of one file.
   *
   * @param key Its key, as listed. A key with an empty name, `.`, `..` or a link to a folder in it
   * counts as missing.
   * @param options The ETag it must have, both when the stream begins and when it ends.
   * @returns The content. The file is closed when the stream is read to its end, cancelled or
   * aborted.
   * @throws {ExternalError} With code `store`: status 404 if there is no such file, 412 if it has
   * another ETag. The stream fails with 412 if the file changes while it is read and `ifMatch` is given.
   */
  async get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options ?? {};
    signal?.throwIfAborted();
    const opening = this.#open(key, ifMatch);
    const { file, volume } = await orAborted(opening, signal).catch((error) => {
      opening.then(({ file }) => file.close()).catch(() => {}); // Opened after the abort.
      throw error;
    });
    return streamOf(file, {
      signal,
      checkEnd: async () => {
        // Files of a Kubernetes volume are replaced, never rewritten.
        if (ifMatch === undefined || volume) return;
        const state = await file.stat({ bigint: true });
        if (stateEtag(state, this.#inode) !== ifMatch) throw this.#failures.changed(key);
      },
      failed: (thrown) => this.#failures.get(key, thrown),
    });
  }

  /** Identifies the folder that is at the root's path now. */
  async #rootState(): Promise<{ id: string; volume: boolean }> {
    try {
      const { dev, ino } = await stat(this.#root, { bigint: true });
      return { id: `${dev} ${ino}`, volume: isInVolume(await realpath(this.#root)) };
    } catch (thrown) {
      throw this.#failures.list(this.#root, thrown);
    }
  }

  async #open(key: string, ifMatch: string | undefined): Promise<{ file: FileHandle } & Place> {
    if (!isKey(key)) throw this.#failures.missing(key, "is not a valid key of a file");
    for (let tries = 1;; tries++) {
      try {
        const place = await this.#placeOf(key);
        if (place === undefined) throw this.#failures.missing(key);
        return { file: await this.#openAt(place, key, ifMatch), ...place };
      } catch (thrown) {
        const absent = isVanished(thrown) || codeOf(thrown) === "ELOOP";
        if (!absent) throw this.#failures.get(key, thrown);
        // The folder of a volume may have been swapped since its link was read.
        if (tries === TRIES) throw this.#failures.missing(key);
      }
    }
  }

  /** Where a key's file is, or undefined if a link to a folder is part of it. */
  async #placeOf(key: string): Promise<Place | undefined> {
    const place = await placeOf(await realpath(this.#root), key.split("/"));
    return place !== undefined && await isReal(dirname(place.path)) ? place : undefined;
  }

  async #openAt(place: Place, key: string, ifMatch: string | undefined): Promise<FileHandle> {
    // Checked before it is opened, as opening a pipe waits until somebody writes to it.
    if (!(await stat(place.path)).isFile()) throw this.#failures.missing(key);
    const file = await open(place.path, "r");
    try {
      const state = await file.stat({ bigint: true });
      if (!state.isFile()) throw this.#failures.missing(key);
      if (ifMatch === undefined) return file;
      const etag = place.volume
        ? await contentEtag(await contentOf(file))
        : stateEtag(state, this.#inode);
      if (etag !== ifMatch) throw this.#failures.changed(key);
      return file;
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }
}

/** The whole content of a file. Does not move the position at which the next read begins. */
async function contentOf(file: FileHandle): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array((await file.stat()).size);
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, at);
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}

/** Whether a listing can contain this key. Other keys might lead out of the folder. */
function isKey(key: unknown): key is string {
  // A lone surrogate would be replaced, and the key would name another file.
  if (typeof key !== "string" || key.includes("\0") || /\p{Cs}/u.test(key)) return false;
  if (WINDOWS && /[\\:]/.test(key)) return false;
  return key.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}
