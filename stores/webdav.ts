/**
 * A folder on a WebDAV server (RFC 4918) as an object store: every file under it is an object, and
 * its key is its path relative to the folder. Works with Apache, nginx with dav-ext, rclone,
 * Nextcloud and others.
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
import type { ObjectMeta } from "../_diff/object_meta.ts";
import type { RequestOptions } from "../_http/request.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import { DavClient } from "../_listing/webdav_client.ts";
import { DavReader } from "../_listing/webdav_read.ts";
import { walkDav } from "../_listing/webdav_walk.ts";
import { DavWriter } from "../_listing/webdav_write.ts";

export type { RequestOptions };

/** How to reach the server. */
export interface WebDavStoreOptions extends RequestOptions {
  /**
   * Names the store in logs, spans and checkpoints. Must not hold a secret. The default shows the
   * URL's path: give a name if the path holds a secret, as in web hooks. Errors then hide the path.
   *
   * @default {url} with `dav+` before it, without user info, secret query values masked
   */
  name?: string;
}

/**
 * The files of a folder on a WebDAV server, and of all its subfolders: one `PROPFIND` of depth 1
 * for each folder, eight at once.
 *
 * - The listing fails, and with it the poll, if a folder cannot be read, an answer is incomplete,
 *   or the encoding of a name leaves its key in doubt. A folder that is gone when its turn comes is
 *   left out only if its parent folder no longer lists it.
 * - Changes are detected by the server's ETags, normalized to quoted, strong ones, as Apache marks
 *   a tag as weak for a second after a write, and some servers list tags without quotes. If
 *   listings have no ETags (nginx), changes are detected by size and a time in whole seconds: two
 *   writes of the same size within a second look the same, unless the poller's `minAge` is above a
 *   second.
 * - Only paths are taken from the answers, so requests go only to the server of the URL, or to the
 *   one it redirects to. A proxy that rewrites paths must also rewrite those in the answers.
 * - `maxBytes` limits the answer for one folder: 16 MiB hold about 30,000 files.
 * - A size that the server does not report is 0. Files appear as the server lists them: nginx
 *   leaves out names that begin with a dot, rclone replaces control characters by symbols.
 * - When the folder that rclone serves is gone, rclone shows it as empty: watch a subfolder, or
 *   give the poller a `maxRemoved`.
 *
 * Keys come in UTF-8 byte order.
 *
 * @example Credentials, and a private CA
 * ```ts
 * import { WebDavStore } from "@koprs/external/stores/webdav";
 *
 * const store = new WebDavStore("https://user:s3cret@cloud.example.com/dav/inbox", {
 *   timeout: 10_000,
 *   fetch: globalThis.fetch, // or a fetch that trusts the CA
 * });
 * console.assert(store.name === "dav+https://cloud.example.com/dav/inbox/");
 * ```
 */
export class WebDavStore implements ObjectStore {
  /** Names the store in logs, spans and checkpoints. */
  readonly name: string;
  readonly #client: DavClient;
  readonly #writer: DavWriter;

  /**
   * Makes no request yet.
   *
   * @param url The folder: http or https. User info is sent as Basic credentials and never shown.
   * @param options How to reach the server.
   * @throws {TypeError} If the URL or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: string | URL, options?: WebDavStoreOptions) {
    this.#client = new DavClient(url, options ?? {});
    this.#writer = new DavWriter(this.#client);
    this.name = this.#client.name;
  }

  /**
   * Distinguishes the folder from another one of the same name: empty if the name has the whole
   * URL, otherwise a digest of the URL.
   *
   * @returns A string that holds no secret.
   */
  async identity(): Promise<string> {
    const url = this.#client.url.href;
    if (this.name === `dav+${url}`) return "";
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(url));
    return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
  }

  /**
   * The files, page by page, in UTF-8 byte order of their keys. Folders that cannot hold a key with
   * the prefix are not requested.
   *
   * @param options Which files; `after` and `until` are ignored.
   * @returns Pages of up to 1,000 files. An empty listing has none.
   * @throws {ExternalError} If any folder could not be listed completely: with code `store`,
   * `network`, `timeout` or `too-large`.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", signal } = options ?? {};
    yield* walkDav(this.#client, prefix, signal);
  }

  /**
   * The content of one file.
   *
   * @param key Its key, as listed.
   * @param options The ETag it must have. The ETag of the answer is checked too, as some servers
   * ignore `If-Match`.
   * @returns The content.
   * @throws {ExternalError} With code `store`: status 404 if there is no such file, 412 if it has
   * another ETag. With code `network` or `timeout` if there was no answer.
   */
  async get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options ?? {};
    signal?.throwIfAborted();
    return await new DavReader(this.#client, key, signal).read(ifMatch);
  }

  /**
   * Writes one file. Its folder must exist.
   *
   * Before the first conditional write the store tests whether the server honours conditions, as
   * many do not (rclone, nginx): it writes a file `.koprs-…` into the folder of the URL, and
   * deletes it.
   *
   * @param key Its key.
   * @param body Its content.
   * @param options The condition on which to write.
   * @returns The new ETag, if the server reports it.
   * @throws {ExternalError} With code `store`: status 412 if the condition does not hold, no status
   * if the server does not honour conditions. In both cases nothing is written.
   */
  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult> {
    options?.signal?.throwIfAborted();
    return await this.#writer.write(key, body, options ?? {});
  }
}
