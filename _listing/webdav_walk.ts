/** The walk through the folders of a WebDAV server. */
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { mayHold, type Step, type Task, walk } from "./walk.ts";
import type { DavClient } from "./webdav_client.ts";
import { entriesOf, type Entry, type SubFolder } from "./webdav_folder.ts";

/** Requests at once. */
const AHEAD = 8;
/** A folder nested deeper than this is taken to contain itself. */
const MAX_DEPTH = 128;

interface Folder extends SubFolder {
  readonly parent: Folder | undefined;
  readonly depth: number;
}

/** The files whose keys begin with a prefix, in pages. Folders that cannot hold one are not asked for. */
export function walkDav(
  client: DavClient,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectMeta[], void> {
  const root: Folder = { key: "", url: client.url, trusted: true, parent: undefined, depth: 0 };
  return walk(new DavWalk(client, prefix).task(root), { ahead: AHEAD, signal });
}

class DavWalk {
  readonly #client: DavClient;
  readonly #prefix: string;

  constructor(client: DavClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  task(folder: Folder): Task {
    return async (signal) => {
      const steps: Step[] = [];
      let objects: ObjectMeta[] = [];
      for (const entry of await this.#read(folder, signal)) {
        if (!("url" in entry)) {
          if (entry.key.startsWith(this.#prefix)) objects.push(entry);
          continue;
        }
        if (!mayHold(entry.key, this.#prefix)) continue;
        if (objects.length > 0) steps.push(objects);
        objects = [];
        steps.push(this.task({ ...entry, parent: folder, depth: folder.depth + 1 }));
      }
      if (objects.length > 0) steps.push(objects);
      return steps;
    };
  }

  /** What a folder holds; nothing if it is gone by now. */
  async #read(folder: Folder, signal: AbortSignal): Promise<readonly Entry[]> {
    if (folder.depth > MAX_DEPTH) {
      throw this.#error(folder, `more than ${MAX_DEPTH} folders deep: does one hold itself?`);
    }
    const entries = await this.#find(folder, signal);
    if (entries === undefined) await this.#checkGone(folder, signal);
    return entries ?? [];
  }

  /** Throws if a folder that is not found is still listed. */
  async #checkGone({ key, parent }: Folder, signal: AbortSignal): Promise<void> {
    if (parent === undefined) return; // `#find` did throw
    const entries = await this.#find(parent, signal);
    if (entries === undefined) return await this.#checkGone(parent, signal);
    if (entries.some((entry) => entry.key === key)) {
      throw this.#error(parent, `it names the folder '${key}', which the server does not find`);
    }
  }

  /** What a folder holds, or undefined if there is no such folder. There must be one at the root. */
  async #find(folder: Folder, signal: AbortSignal): Promise<readonly Entry[] | undefined> {
    const doing = doingWith(folder);
    const reply = await this.#client.propfind(doing, folder, "1", signal);
    const { status, url, trusted, resources } = reply;
    const isRoot = folder.parent === undefined;
    if (resources !== undefined) {
      const entries = entriesOf({
        key: folder.key,
        url: new URL(url),
        trusted,
        resources,
        fault: (why, status) => this.#error(folder, why, status),
      });
      if (entries === undefined && isRoot) throw this.#error(folder, "it is a file, not a folder");
      return entries;
    }
    if ((status === 404 || status === 410) && !isRoot) return undefined;
    if (status >= 200 && status < 300) {
      throw this.#error(folder, `the server answered ${status}, not 207: is it a WebDAV folder?`);
    }
    throw this.#client.statusError(doing, reply);
  }

  #error(folder: Folder, why: string, status?: number): Error {
    return this.#client.error(doingWith(folder), why, status);
  }
}

function doingWith({ key }: Folder): string {
  return key === "" ? "list" : `list '${key}' in`;
}
