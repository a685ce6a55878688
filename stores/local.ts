/**
 * A folder as an object store: every file under it is an object, and its key is its path from the folder,
 * with `/` between the names on every system.
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
import { stat as statBack } from "node:fs";
import { type FileHandle, lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { orAborted } from "../_bounds/abort.ts";
import { reasonOf, redactError } from "../_errors/redact.ts";
import { compareText, mayHold, type Step, type Task, walk } from "../_listing/walk.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { GetOptions, ListOptions, ObjectStore } from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** Parts of the tree that are read at once. */
const AHEAD = 8;
/** Files whose states are asked for at once, in one such part. */
const BATCH = 128;
/** Bytes read from a file at once. */
const CHUNK = 64 * 1024;
// The clock that stamps files ticks every 1 to 16 ms, so a file may be written again without a new time.
const TICK = 20;
const LOOKS = 3;
const WINDOWS = process.platform === "win32";

/** What a name that is not UTF-8 is decoded with, on every runtime. */
const REPLACEMENT = "\ufffd";

/** How to make a {@linkcode LocalStore}. */
export interface LocalStoreOptions {
  /**
   * Names the store in logs, spans and checkpoints.
   *
   * @default {url} the folder as a URL, such as `file:///var/data`
   */
  name?: string;
  /**
   * Whether a file's inode number is part of its ETag, so that a file put in place of another is seen to
   * be new even if its size and its time are the same. Turn it off for file systems that give their files
   * new numbers at will (many in user space, such as sshfs), or where a checkpoint must outlive a move of
   * the data to another disk. Windows never uses it.
   *
   * @default {true}
   */
  inode?: boolean;
}

/** What is asked of a file: the same on every runtime only if asked for as `bigint`. */
interface FileState {
  readonly size: bigint;
  /** Whole milliseconds: Deno knows no more. */
  readonly mtimeMs: bigint;
  readonly ino: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
}

interface Entry {
  /** With a final slash if it is a folder. */
  readonly key: string;
  readonly folder: boolean;
  /** Whether a failure to follow it leaves it out. */
  readonly link: boolean;
}

/**
 * The files of a folder and of all folders in it. Needs no more than the right to read them.
 *
 * - Links to files are followed, wherever they lead. Links to folders are not. Links that lead nowhere,
 *   sockets, pipes and devices are left out, and so is a file that vanishes while the folder is listed.
 * - A folder that is missing, is no folder, cannot be read, or is put in place of another while it is
 *   listed fails the listing, and with it the poll: nothing is ever taken for removed.
 * - A name that is not UTF-8 fails the listing too, as no key could be told from it.
 * - The ETag is made from the size, the modification time in milliseconds and the inode number, the same
 *   on Deno, Node and Bun. What a writer changes and then hides, by setting the old time again in the
 *   same file, is not seen; nor is a second write of the same size within the clock of the file system,
 *   where that is slower than 20 ms (FAT): `minAge` of the poller helps there.
 * - A volume that is not mounted is an empty folder: give the poller a `maxRemoved`.
 *
 * Keys come in UTF-8 byte order. There is no `put`, since files know no conditional write.
 *
 * @example Reading what an event named
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

  /**
   * Reads nothing yet.
   *
   * @param folder A path, or a `file:` URL. A relative path is resolved now.
   * @param options Its name, and what makes an ETag.
   * @throws {TypeError} If the folder or an option cannot be used.
   */
  constructor(folder: string | URL, options: LocalStoreOptions = {}) {
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
    const { name, inode = true } = options;
    if (name !== undefined && (typeof name !== "string" || name === "")) {
      throw new TypeError("Cannot make a store as 'name' must be a string that is not empty");
    }
    if (typeof inode !== "boolean") {
      throw new TypeError("Cannot make a store as 'inode' must be a boolean");
    }
    this.#root = resolve(path);
    this.#inode = inode && !WINDOWS;
    this.name = name ?? pathToFileURL(this.#root).href;
  }

  /**
   * The files, page by page, in UTF-8 byte order of their keys. Folders that cannot hold a key with the
   * prefix are not read.
   *
   * @param options Which of them; `after` and `until` are not looked at.
   * @returns Pages of up to 1,000. An empty listing has none.
   * @throws {ExternalError} With code `store` if any folder or file could not be looked at.
   */
  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", signal } = options;
    signal?.throwIfAborted();
    const before = await orAborted(this.#rootState(), signal);
    yield* walk(this.#folderTask("", prefix), { ahead: AHEAD, signal });
    // What was read of a folder that is gone, unmounted or another one by now is not all of it.
    const after = await orAborted(this.#rootState(), signal);
    if (before !== after) {
      throw this.#error("list", "the folder was put in place of another while it was listed");
    }
  }

  /**
   * The content of one file.
   *
   * @param key Its key, as listed. One with empty names, `.`, `..` or a link to a folder in it is none.
   * @param options Which ETag it must have, at the begin and at the end of the stream.
   * @returns The content. The file is closed when it is read to its end, cancelled or aborted.
   * @throws {ExternalError} With code `store`: status 404 if there is no such file, 412 if it has
   * another ETag. The stream fails with 412 if the file changes while it is read and `ifMatch` is given.
   */
  async get(key: string, options: GetOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options;
    signal?.throwIfAborted();
    const opening = this.#open(key, ifMatch);
    const file = await orAborted(opening, signal).catch((error) => {
      opening.then((file) => file.close()).catch(() => {}); // Opened after the abort.
      throw error;
    });
    return this.#stream(key, file, options);
  }

  /** Reads one folder. `folder` is empty, or a key with a final slash. */
  #folderTask(folder: string, prefix: string): Task {
    return async () => {
      const entries = await this.#read(folder, prefix);
      const steps: Step[] = [];
      let files: Entry[] = [];
      for (const entry of entries) {
        if (!entry.folder && files.push(entry) < BATCH) continue;
        if (files.length > 0) steps.push(this.#filesTask(files));
        files = [];
        if (entry.folder) steps.push(this.#folderTask(entry.key, prefix));
      }
      if (files.length > 0) steps.push(this.#filesTask(files));
      return steps;
    };
  }

  async #read(folder: string, prefix: string): Promise<Entry[]> {
    let names: Awaited<ReturnType<typeof readNames>>;
    try {
      names = await readNames(this.#path(folder));
    } catch (thrown) {
      // Of the root itself nothing is left then: that is no empty listing.
      if (folder !== "" && isVanished(thrown)) return [];
      throw this.#readError(folder, thrown);
    }
    const entries: Entry[] = [];
    let suspects: string[] | undefined;
    for (const entry of names) {
      const key = folder + entry.name;
      if (entry.name.includes(REPLACEMENT)) (suspects ??= []).push(entry.name);
      if (entry.isDirectory() ? !mayHold(`${key}/`, prefix) : !key.startsWith(prefix)) continue;
      if (entry.isFile()) entries.push({ key, folder: false, link: false });
      else if (entry.isDirectory()) entries.push({ key: `${key}/`, folder: true, link: false });
      else if (entry.isSymbolicLink()) entries.push({ key, folder: false, link: true });
      else entries.push(...await this.#look(key)); // a special file, or a file system that does not say
    }
    if (suspects !== undefined) await this.#checkNames(folder, suspects, prefix);
    return entries.sort((a, b) => compareText(a.key, b.key));
  }

  /** For an entry of which the folder does not say what it is. */
  async #look(key: string): Promise<Entry[]> {
    try {
      const found = await lstat(this.#path(key));
      if (found.isDirectory()) return [{ key: `${key}/`, folder: true, link: false }];
      const link = found.isSymbolicLink();
      return link || found.isFile() ? [{ key, folder: false, link }] : [];
    } catch (thrown) {
      if (isVanished(thrown)) return [];
      throw this.#readError(key, thrown);
    }
  }

  /** Looks at files that follow one another. */
  #filesTask(files: readonly Entry[]): Task {
    return async (signal) => {
      const objects = await this.#objects(files);
      await this.#lookAgain(files, objects, signal);
      return [objects.filter((object) => object !== undefined)];
    };
  }

  /**
   * Looks once more at files that were written just now. One of them may be written again, to the same
   * size, before its clock ticks: a change that no later listing could see.
   */
  async #lookAgain(
    files: readonly Entry[],
    objects: (ObjectMeta | undefined)[],
    signal: AbortSignal,
  ): Promise<void> {
    for (let look = 0; look < LOOKS && !signal.aborted; look++) {
      const young = [...objects.keys()].filter((i) => isYoung(objects[i]));
      if (young.length === 0) return;
      await new Promise((resolve) => setTimeout(resolve, TICK));
      const found = await this.#objects(young.map((i) => files[i] as Entry));
      for (const [j, i] of young.entries()) objects[i] = found[j];
    }
  }

  /** What is known of each of these files; undefined where there is none of that name by now. */
  #objects(files: readonly Entry[]): Promise<(ObjectMeta | undefined)[]> {
    // One promise for all, and of each state only what is needed: a promise for each file, with the
    // whole state behind it until the last one is there, takes Node twice the time.
    return new Promise((resolve, reject) => {
      const objects = files.map((): ObjectMeta | undefined => undefined);
      let left = files.length;
      for (const [i, { key, link }] of files.entries()) {
        statBack(this.#path(key), { bigint: true }, (failure, state) => {
          if (failure) {
            const absent = isVanished(failure) || link && codeOf(failure) === "ELOOP";
            if (!absent) reject(this.#readError(key, failure));
          } else if (state.isFile()) {
            objects[i] = this.#meta(key, state);
          }
          if (--left === 0) resolve(objects);
        });
      }
    });
  }

  #meta(key: string, state: FileState): ObjectMeta {
    return {
      key,
      size: Number(state.size),
      etag: this.#etag(state),
      lastModified: Number(state.mtimeMs),
    };
  }

  #etag({ size, mtimeMs, ino }: FileState): string {
    const written = `${base36(mtimeMs)}-${base36(size)}`;
    // Through a number, as Deno has it: of numbers beyond 2⁵³ the last bits are lost.
    return this.#inode ? `"${written}-${base36(BigInt(Number(ino)))}"` : `"${written}"`;
  }

  /** A name that is not UTF-8 is decoded to one that leads to nothing, or to another file. */
  async #checkNames(folder: string, names: readonly string[], prefix: string): Promise<void> {
    const wanted = names.filter((name) => {
      const key = folder + name;
      return key.startsWith(prefix) || mayHold(`${key}/`, prefix);
    });
    const seen = new Set<string>();
    for (const name of wanted) {
      if (seen.has(name)) throw this.#nameError(folder, name, "two names both read as");
      seen.add(name);
    }
    for (const name of wanted) {
      if (await this.#exists(folder + name)) continue;
      // It was there, and nothing is: it vanished, unless it is there still.
      const again = await readNames(this.#path(folder)).catch((thrown) => {
        if (isVanished(thrown)) return [];
        throw this.#readError(folder, thrown);
      });
      if (again.some((entry) => entry.name === name)) {
        throw this.#nameError(folder, name, "a name that is not UTF-8 reads as");
      }
    }
  }

  async #exists(key: string): Promise<boolean> {
    try {
      await lstat(this.#path(key));
      return true;
    } catch (thrown) {
      if (isVanished(thrown)) return false;
      throw this.#readError(key, thrown);
    }
  }

  #nameError(folder: string, name: string, what: string): ExternalError {
    return this.#error(
      "list",
      `in '${this.#path(folder)}' ${what} ${JSON.stringify(name)}, so no key is exact: ` +
        "rename what 'ls -b' shows with a backslash",
    );
  }

  /** What tells one folder at the root's path from another. */
  async #rootState(): Promise<string> {
    try {
      const { dev, ino } = await stat(this.#root, { bigint: true });
      return `${dev} ${ino}`;
    } catch (thrown) {
      throw this.#readError("", thrown);
    }
  }

  async #open(key: string, ifMatch: string | undefined): Promise<FileHandle> {
    if (!isKey(key)) throw this.#missing(key, "is not a key of this store");
    let file: FileHandle | undefined;
    try {
      const path = await this.#realPath(key);
      // Not opened first: to open a pipe would wait for its writer.
      if (path === undefined || !(await stat(path)).isFile()) throw this.#missing(key);
      file = await open(path, "r");
      const state = await file.stat({ bigint: true });
      if (!state.isFile()) throw this.#missing(key);
      if (ifMatch !== undefined && this.#etag(state) !== ifMatch) throw this.#changed(key);
      return file;
    } catch (thrown) {
      await file?.close();
      if (thrown instanceof ExternalError) throw thrown;
      if (isVanished(thrown) || codeOf(thrown) === "ELOOP") throw this.#missing(key);
      throw this.#error(`get '${key}' from`, explain(thrown), thrown);
    }
  }

  /** The path of a key, or undefined if a link to a folder is part of it. */
  async #realPath(key: string): Promise<string | undefined> {
    const names = key.split("/");
    const name = names.pop() as string;
    const root = await realpath(this.#root);
    const expected = join(root, ...names);
    const folder = names.length === 0 ? root : await realpath(expected);
    return folder === expected ? join(folder, name) : undefined;
  }

  #stream(key: string, file: FileHandle, options: GetOptions): ReadableStream<Uint8Array> {
    const { ifMatch, signal } = options;
    let closed: Promise<void> | undefined;
    let onAbort = () => {};
    const close = () => {
      signal?.removeEventListener("abort", onAbort);
      return closed ??= file.close();
    };
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        onAbort = () => {
          controller.error(signal?.reason);
          close().catch(() => {}); // The reader is told of the abort.
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        if (signal?.aborted) onAbort();
      },
      pull: async (controller) => {
        try {
          const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK);
          if (signal?.aborted) return;
          if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
          if (ifMatch !== undefined) {
            const state = await file.stat({ bigint: true });
            if (this.#etag(state) !== ifMatch) throw this.#changed(key);
          }
          await close();
          controller.close();
        } catch (thrown) {
          await close().catch(() => {}); // It failed already.
          if (signal?.aborted) return;
          throw thrown instanceof ExternalError
            ? thrown
            : this.#error(`get '${key}' from`, explain(thrown), thrown);
        }
      },
      cancel: close,
    }, { highWaterMark: 0 });
  }

  #path(key: string): string {
    // Not `join`, which would undo what it takes for detours.
    return key === "" ? this.#root : `${this.#root}/${key}`;
  }

  #missing(key: string, why = "does not exist"): ExternalError {
    return new ExternalError("store", `Cannot get '${key}' from '${this.name}' as it ${why}`, {
      source: this.name,
      status: 404,
    });
  }

  #changed(key: string): ExternalError {
    const message =
      `Cannot get '${key}' from '${this.name}' as it changed: its ETag is another one`;
    return new ExternalError("store", message, { source: this.name, status: 412 });
  }

  #readError(key: string, thrown: unknown): ExternalError {
    if (thrown instanceof ExternalError) return thrown;
    return this.#error("list", `'${this.#path(key)}': ${explain(thrown)}`, thrown);
  }

  #error(doing: string, why: string, thrown?: unknown): ExternalError {
    return new ExternalError("store", `Cannot ${doing} '${this.name}': ${why}`, {
      source: this.name,
      ...(thrown !== undefined && { cause: redactError(thrown) }),
    });
  }
}

function readNames(path: string) {
  return readdir(path, { withFileTypes: true, encoding: "utf8" });
}

function isYoung(object: ObjectMeta | undefined): boolean {
  return object?.lastModified !== undefined && Math.abs(Date.now() - object.lastModified) < TICK;
}

/** Digits in base 36. Of a number they come quicker than of a bigint, and are the same if it is exact. */
function base36(value: bigint): string {
  const number = Number(value);
  return (Number.isSafeInteger(number) ? number : value).toString(36);
}

/** Whether a key can be one of a listing. Others might lead out of the folder. */
function isKey(key: unknown): key is string {
  if (typeof key !== "string" || key.includes("\0")) return false;
  if (WINDOWS && /[\\:]/.test(key)) return false;
  return key.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

// ENOTDIR: a folder on the way to it was replaced by a file.
function isVanished(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === "ENOENT" || code === "ENOTDIR";
}

function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | null)?.code;
}

function explain(thrown: unknown): string {
  switch (codeOf(thrown)) {
    case "ENOENT":
      return "it does not exist (ENOENT)";
    case "ENOTDIR":
      return "it is not a folder (ENOTDIR)";
    case "EACCES":
    case "EPERM":
      return `this process may not read it (${codeOf(thrown)})`;
    default:
      return reasonOf(thrown);
  }
}
