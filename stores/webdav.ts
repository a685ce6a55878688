/**
 * A folder on a WebDAV server (RFC 4918) as an object store: every file under it is an object, and its key
 * is its path from the folder. Apache, nginx with dav-ext, rclone, Nextcloud and others.
 *
 * @example
 * ```ts
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { WebDavStore } from "@koprs/external/stores/webdav";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const store = new WebDavStore("https://cloud.example.com/dav/inbox/", {
 *   headers: { authorization: `Basic ${btoa("user:password")}` },
 *   fetch: () => // a stand-in for the server
 *     Promise.resolve(
 *       new Response(
 *         `<multistatus xmlns="DAV:">
 *           <response><href>/dav/inbox/</href><propstat>
 *             <prop><resourcetype><collection/></resourcetype></prop><status>HTTP/1.1 200 OK</status>
 *           </propstat></response>
 *           <response><href>/dav/inbox/order.json</href><propstat>
 *             <prop><getcontentlength>2</getcontentlength><getetag>"1"</getetag><resourcetype/></prop>
 *             <status>HTTP/1.1 200 OK</status>
 *           </propstat></response>
 *         </multistatus>`,
 *         { status: 207 },
 *       ),
 *     ),
 * });
 * for await (const { type, item } of watchExternal(new ObjectStorePoller(store), 30_000)) {
 *   console.log(type, item.key, item.size); // added order.json 2
 *   break;
 * }
 * ```
 *
 * @module
 */
import { parseHttpDate } from "../_http/http_date.ts";
import { type DavResource, parseMultistatus } from "../_listing/multistatus.ts";
import { reasonOf, redactUrl } from "../_errors/redact.ts";
import { HttpClient, type RequestOptions } from "../_http/request.ts";
import { openStream } from "../_http/stream.ts";
import { compareKeys } from "../_bytes/order.ts";
import { mayHold, type Step, type Task, walk } from "../_listing/walk.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

export type { RequestOptions };

/** Requests at once. */
const AHEAD = 8;
/** A folder nested deeper than this holds itself. */
const MAX_DEPTH = 128;

const PROPFIND = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>`;

/** How to reach the server. */
export interface WebDavStoreOptions extends RequestOptions {
  /**
   * Names the store in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
   *
   * @default {url} with `dav+` before it, without user info, secret query values masked
   */
  name?: string;
}

interface Folder {
  /** Empty, or with a final slash. */
  readonly key: string;
  readonly url: URL;
  readonly parent: Folder | undefined;
  readonly depth: number;
}

/** What a folder holds, in order: objects, and folders of which the keys end with a slash. */
type Entry = ObjectMeta | Omit<Folder, "parent" | "depth">;

/**
 * The files of a folder on a WebDAV server, and of all folders in it: one `PROPFIND` of depth 1 for each
 * folder, eight at once.
 *
 * - What is not a whole answer fails the listing, and with it the poll: a folder that cannot be read, a
 *   part of an answer, a name whose encoding leaves its key in doubt. A folder that is gone when its turn
 *   comes is left out only if the folder that named it does not name it any more.
 * - Content is told by the server's ETags. Where it gives none in listings (nginx), by size and a time in
 *   whole seconds: two writes of one size within one second look the same, unless the poller's `minAge`
 *   is above a second.
 * - Only paths are taken from the answers, so requests go to no other server than the one of the URL, or
 *   the one it redirects to. A proxy that rewrites paths must rewrite those of the answers, too.
 * - `maxBytes` bounds the answer for one folder: 16 MiB are about 30,000 files in one.
 * - A size that the server does not know is 0. What a server hides or renames is hidden or renamed here:
 *   nginx leaves out names that begin with a dot, rclone shows control characters as pictures of them.
 * - When the folder that rclone serves is gone, rclone shows it as empty: watch a folder in it, or give the
 *   poller a `maxRemoved`.
 *
 * Keys come in UTF-8 byte order.
 *
 * @example Credentials, and a private CA
 * ```ts
 * import { WebDavStore } from "@koprs/external/stores/webdav";
 *
 * const store = new WebDavStore("https://user:s3cret@cloud.example.com/dav/inbox", {
 *   timeout: 10_000,
 *   fetch: globalThis.fetch, // or one that knows the CA
 * });
 * console.assert(store.name === "dav+https://cloud.example.com/dav/inbox/");
 * ```
 */
export class WebDavStore implements ObjectStore {
  /** Names the store in logs, spans and checkpoints. */
  readonly name: string;
  readonly #client: HttpClient;
  #conditions: Promise<void> | undefined;

  /**
   * Makes no request yet.
   *
   * @param url The folder: http or https. User info is sent as Basic credentials and never shown.
   * @param options How to reach the server.
   * @throws {TypeError} If the URL or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: string | URL, options: WebDavStoreOptions = {}) {
    const folder = asFolder(url);
    const name = options.name ??
      (typeof folder === "string" ? undefined : `dav+${redactUrl(folder)}`);
    this.#client = new HttpClient(folder, { ...options, name });
    this.name = this.#client.name;
  }

  /**
   * The files, page by page, in UTF-8 byte order of their keys. Folders that cannot hold a key with the
   * prefix are not asked for.
   *
   * @param options Which of them; `after` and `until` are not looked at.
   * @returns Pages of up to 1,000. An empty listing has none.
   * @throws {ExternalError} If any folder could not be listed whole: with code `store`, or `network`,
   * `timeout` or `too-large`.
   */
  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", signal } = options;
    const root: Folder = { key: "", url: this.#client.url, parent: undefined, depth: 0 };
    yield* walk(this.#task(root, prefix), { ahead: AHEAD, signal });
  }

  /**
   * The content of one file.
   *
   * @param key Its key, as listed.
   * @param options Which ETag it must have. Servers that do not heed `If-Match` are caught by the ETag
   * of their answer.
   * @returns The content.
   * @throws {ExternalError} With code `store`: status 404 if there is no such file, 412 if it has
   * another ETag. With code `network` or `timeout` if there was no answer.
   */
  async get(key: string, options: GetOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options;
    signal?.throwIfAborted();
    if (!isKey(key)) throw this.#missing(key);
    let changed = false;
    const conditions: Record<string, string> = {};
    if (ifMatch !== undefined && isStrong(ifMatch)) conditions["if-match"] = ifMatch;
    try {
      return await openStream(this.#client, {
        signal,
        url: this.#urlOf(key),
        headersFor: () => conditions,
        wants: (status, headers) => {
          const etag = headers.get("etag");
          changed = status === 200 && ifMatch !== undefined && etag !== null &&
            opaque(etag) !== opaque(ifMatch);
          return status === 200 && !changed;
        },
      });
    } catch (thrown) {
      const status = thrown instanceof ExternalError ? thrown.status : undefined;
      if (changed || status === 412) {
        throw this.#error(`get '${key}' from`, "it changed: its ETag is another one", 412);
      }
      if (status === 404 || status === 410) throw this.#missing(key);
      throw this.#failure(`get '${key}' from`, thrown);
    }
  }

  /**
   * Writes one file. Its folder must exist.
   *
   * Before the first conditional write the store finds out whether the server heeds conditions, as many
   * do not (rclone, nginx): it writes a file `.koprs-…` in the folder of the URL, and deletes it.
   *
   * @param key Its key.
   * @param body Its content.
   * @param options On which condition to write.
   * @returns The new ETag, where the server tells it.
   * @throws {ExternalError} With code `store`: status 412 if the condition does not hold, no status if
   * the server does not heed conditions. Nothing is written then.
   */
  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const { ifMatch, ifNoneMatch, signal } = options;
    signal?.throwIfAborted();
    if (!isKey(key)) throw this.#error("put to", `'${key}' is no key of a file`);
    if (ifMatch !== undefined && !isStrong(ifMatch)) {
      throw this.#error(
        `put '${key}' to`,
        `${ifMatch} is no strong ETag, so none that can be matched`,
      );
    }
    const conditions: Record<string, string> = {};
    if (ifMatch !== undefined) conditions["if-match"] = ifMatch;
    if (ifNoneMatch !== undefined) conditions["if-none-match"] = ifNoneMatch;
    if (Object.keys(conditions).length > 0) await this.#requireConditions(signal);
    const { status, headers } = await this.#send("PUT", key, signal, conditions, body);
    if (status === 412) throw this.#error(`put '${key}' to`, "the condition does not hold", 412);
    if (status < 200 || status > 299) {
      const hint = status === 409 ? ": does its folder exist?" : "";
      throw this.#error(`put '${key}' to`, `the server answered ${status}${hint}`, status);
    }
    const etag = headers.get("etag");
    return etag === null ? {} : { etag };
  }

  #task(folder: Folder, prefix: string): Task {
    return async (signal) => {
      const entries = await this.#read(folder, signal);
      const steps: Step[] = [];
      let objects: ObjectMeta[] = [];
      for (const entry of entries) {
        if (!("url" in entry)) {
          if (entry.key.startsWith(prefix)) objects.push(entry);
          continue;
        }
        if (!mayHold(entry.key, prefix)) continue;
        if (objects.length > 0) steps.push(objects);
        objects = [];
        steps.push(this.#task({ ...entry, parent: folder, depth: folder.depth + 1 }, prefix));
      }
      if (objects.length > 0) steps.push(objects);
      return steps;
    };
  }

  /** What a folder holds; nothing if it is gone by now. */
  async #read(folder: Folder, signal: AbortSignal): Promise<readonly Entry[]> {
    if (folder.depth > MAX_DEPTH) {
      throw this.#listError(folder, `more than ${MAX_DEPTH} folders deep: does one hold itself?`);
    }
    const entries = await this.#find(folder, signal);
    if (entries === undefined) await this.#checkGone(folder, signal);
    return entries ?? [];
  }

  /** Throws if a folder that does not answer is listed all the same. */
  async #checkGone({ key, parent }: Folder, signal: AbortSignal): Promise<void> {
    if (parent === undefined) return; // `#find` did throw
    const entries = await this.#find(parent, signal);
    if (entries === undefined) return await this.#checkGone(parent, signal);
    if (entries.some((entry) => entry.key === key)) {
      throw this.#listError(parent, `it names the folder '${key}', which the server does not find`);
    }
  }

  /** What a folder holds, or undefined if there is no such folder. There must be one at the root. */
  async #find(folder: Folder, signal: AbortSignal): Promise<readonly Entry[] | undefined> {
    const reply = await this.#propfind(folder, signal);
    const { status, headers, url, body } = reply;
    if (status === 207) {
      const entries = this.#entries(folder, new URL(url), body);
      if (entries !== undefined || folder.parent !== undefined) return entries;
      throw this.#listError(folder, "it is a file, not a folder");
    }
    if ((status === 404 || status === 410) && folder.parent !== undefined) return undefined;
    if (status >= 200 && status < 300) {
      throw this.#listError(
        folder,
        `the server answered ${status}, not 207: is it a WebDAV folder?`,
      );
    }
    throw this.#failure(this.#listing(folder), this.#client.statusError(status, headers, reply));
  }

  async #propfind(folder: Folder, signal: AbortSignal) {
    try {
      return await this.#client.exchange({
        signal,
        url: folder.url,
        method: "PROPFIND",
        body: PROPFIND,
        headersFor: () => ({ depth: "1", "content-type": "application/xml; charset=utf-8" }),
        wants: (status) => status === 207,
      });
    } catch (thrown) {
      throw this.#failure(this.#listing(folder), thrown);
    }
  }

  /** What an answer says, or undefined if it is of a file. */
  #entries(folder: Folder, url: URL, body: Uint8Array): Entry[] | undefined {
    let resources: DavResource[];
    try {
      resources = parseMultistatus(body);
    } catch (thrown) {
      throw this.#listError(folder, `the answer is no whole listing: ${reasonOf(thrown)}`);
    }
    const names = this.#namesOf(folder, url.pathname);
    const entries: Entry[] = [];
    let self: DavResource | undefined;
    for (const resource of resources) {
      const { href, status } = resource;
      const found = this.#namesOf(folder, pathOf(href));
      const inside = names.every((name, i) => name === found[i]);
      if (!inside || found.length > names.length + 1) {
        const path = url.pathname;
        throw this.#listError(
          folder,
          `asked for ${path}, the server names ${quote(href)} outside of it`,
        );
      }
      if (status !== undefined && status !== 404 && status !== 410) {
        const why = `the server answered ${status} for ${quote(href)}`;
        throw this.#listError(folder, why, status);
      }
      if (found.length === names.length) {
        // Told twice, once with a slash and once without, is told.
        if (self === undefined || resource.folder) self = resource;
      } else if (status === undefined) {
        entries.push(this.#entry(folder, url, found.at(-1) as string, resource));
      }
    }
    if (self === undefined) {
      throw this.#listError(folder, "the server names what is in the folder, but not the folder");
    }
    if (!self.folder) return undefined;
    return entries.sort((a, b) => compareKeys(a.key, b.key));
  }

  #entry(folder: Folder, url: URL, name: string, resource: DavResource): Entry {
    const key = folder.key + name;
    if (name.includes("/") || name === "." || name === "..") {
      throw this.#listError(
        folder,
        `${quote(resource.href)} is no name of one file, so no key is exact`,
      );
    }
    if (resource.folder) return { key: `${key}/`, url: below(url, `${name}/`) };
    const { etag, length = "-1" } = resource;
    const lastModified = parseHttpDate(resource.modified ?? null);
    if (etag === undefined && lastModified === undefined && resource.modified !== undefined) {
      throw this.#listError(folder, `${quote(resource.href)} has no ETag, and a time that is none`);
    }
    const known = /^\d{1,16}$/.test(length);
    if (!known && length !== "-1" || known && !Number.isSafeInteger(Number(length))) {
      throw this.#listError(folder, `${quote(resource.href)} has a size that is none`);
    }
    if (!known && etag === undefined && lastModified === undefined) {
      throw this.#listError(
        folder,
        `${
          quote(resource.href)
        } has no size, no ETag and no time, so its changes could not be told`,
      );
    }
    return {
      key,
      size: known ? Number(length) : 0,
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && { lastModified }),
    };
  }

  /** The names in a path, decoded. Servers differ in what they encode. */
  #namesOf(folder: Folder, path: string): string[] {
    // A question mark that is part of a name must be encoded: what follows one is not known to be.
    if (!path.startsWith("/") || /[?#]/.test(path)) {
      throw this.#listError(folder, `${quote(path)} is no path`);
    }
    try {
      return path.split("/").filter((name) => name !== "").map(decodeURIComponent);
    } catch {
      throw this.#listError(folder, `${quote(path)} is not encoded as UTF-8, so no key is exact`);
    }
  }

  /** Rejects unless the server refuses what it should refuse. */
  async #requireConditions(signal: AbortSignal | undefined): Promise<void> {
    const probing = this.#conditions ??= this.#probeConditions(signal);
    try {
      await probing;
    } catch (thrown) {
      if (this.#conditions === probing) this.#conditions = undefined;
      throw thrown;
    }
  }

  async #probeConditions(signal: AbortSignal | undefined): Promise<void> {
    const key = `.koprs-${crypto.randomUUID()}`;
    const put = async (conditions: Record<string, string>) =>
      (await this.#send("PUT", key, signal, conditions, new Uint8Array())).status;
    const created = await put({ "if-none-match": "*" });
    if (created < 200 || created > 299) {
      throw this.#error("put to", `the server answered ${created} to '${key}'`, created);
    }
    let heeded: boolean;
    try {
      heeded = await put({ "if-none-match": "*" }) === 412 &&
        await put({ "if-match": '"koprs"' }) === 412;
    } finally {
      await this.#send("DELETE", key, undefined).catch(() => {}); // What went wrong before is thrown.
    }
    if (!heeded) {
      throw this.#error(
        "put to",
        "the server heeds no conditions, so a write could undo another's",
      );
    }
  }

  async #send(
    method: string,
    key: string,
    signal: AbortSignal | undefined,
    headers: Record<string, string> = {},
    body?: Uint8Array,
  ) {
    try {
      return await this.#client.exchange({
        signal,
        url: this.#urlOf(key),
        method,
        ...(body !== undefined && { body: new Uint8Array(body) }),
        headersFor: () => headers,
        wants: () => false,
      });
    } catch (thrown) {
      throw this.#failure(`${method.toLowerCase()} '${key}' in`, thrown);
    }
  }

  #urlOf(key: string): URL {
    return below(this.#client.url, key);
  }

  #missing(key: string): ExternalError {
    return this.#error(`get '${key}' from`, "it does not exist", 404);
  }

  #listing({ key }: Folder): string {
    return key === "" ? "list" : `list '${key}' in`;
  }

  #listError(folder: Folder, why: string, status?: number): ExternalError {
    return this.#error(this.#listing(folder), why, status);
  }

  #error(doing: string, why: string, status?: number): ExternalError {
    return this.#failure(
      doing,
      this.#client.error("store", why, status === undefined ? {} : { status }),
    ) as ExternalError;
  }

  /** An error of the client, as one of this store. */
  #failure(doing: string, thrown: unknown): unknown {
    if (!(thrown instanceof ExternalError) || thrown.source !== this.name) return thrown;
    const { code, status, retryAfter, cause } = thrown;
    const why = thrown.message.replace(`Cannot poll '${this.name}': `, "");
    const own = code === "status" || code === "protocol" ? "store" : code;
    return new ExternalError(own, `Cannot ${doing} '${this.name}': ${why}`, {
      source: this.name,
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(cause !== undefined && { cause }),
    });
  }
}

/** The URL with a final slash; whatever is no URL is left to the client to complain of. */
function asFolder(url: string | URL): string | URL {
  try {
    const folder = new URL(url);
    if (!folder.pathname.endsWith("/")) folder.pathname += "/";
    folder.hash = "";
    return folder;
  } catch {
    return String(url);
  }
}

/** The URL of what is in a folder. */
function below(folder: URL, path: string): URL {
  const url = new URL(folder);
  const base = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  url.pathname = base + path.split("/").map(encodeURIComponent).join("/");
  return url;
}

/** The path of a href, whichever server it names: behind a proxy the server may not know its own name. */
function pathOf(href: string): string {
  return href.replace(/^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i, "");
}

function isKey(key: unknown): key is string {
  // A lone surrogate has no encoding in a URL.
  return typeof key === "string" && key.isWellFormed() &&
    key.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}

/** Whether an ETag may stand in `If-Match`, which a weak one never matches. */
function isStrong(etag: string): boolean {
  return /^"[!\x23-\x7e\x80-\xff]*"$/.test(etag);
}

/** What is in the quotes. Some servers leave them out, in listings or altogether. */
function opaque(etag: string): string {
  return etag.replace(/^W\//, "").replace(/^"(.*)"$/, "$1");
}

function quote(href: string): string {
  return JSON.stringify(href.length > 300 ? `${href.slice(0, 300)}…` : href);
}
