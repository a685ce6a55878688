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
   * Names the store in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
   *
   * @default {url} with `dav+` before it, without user info, secret query values masked
   */
  name?: string;
}

/**
 * The files of a folder on a WebDAV server, and of all folders in it: one `PROPFIND` of depth 1 for each
 * folder, eight at once.
 *
 * - What is not a whole answer fails the listing, and with it the poll: a folder that cannot be read, a
 *   part of an answer, a name whose encoding leaves its key in doubt. A folder that is gone when its turn
 *   comes is left out only if the folder that named it does not name it any more.
 * - Content is told by the server's ETags, as quoted and strong ones: Apache calls a tag weak for a second after a
 *   write, and some servers list tags without quotes. Where it gives none in listings (nginx), by size and a time in
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
   * What tells the folder from another one of that name: empty where the name says it all, else a digest of the URL.
   *
   * @returns No secret.
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
   * The files, page by page, in UTF-8 byte order of their keys. Folders that cannot hold a key with the
   * prefix are not asked for.
   *
   * @param options Which of them; `after` and `until` are not looked at.
   * @returns Pages of up to 1,000. An empty listing has none.
   * @throws {ExternalError} If any folder could not be listed whole: with code `store`, or `network`,
   * `timeout` or `too-large`.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", signal } = options ?? {};
    yield* walkDav(this.#client, prefix, signal);
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
  async get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options ?? {};
    signal?.throwIfAborted();
    return await new DavReader(this.#client, key, signal).read(ifMatch);
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
  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult> {
    options?.signal?.throwIfAborted();
    return await this.#writer.write(key, body, options ?? {});
  }
}
