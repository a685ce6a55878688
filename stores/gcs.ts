/**
 * Google Cloud Storage, through a `Bucket` of `@google-cloud/storage`.
 *
 * @example
 * ```ts ignore
 * import { Storage } from "@google-cloud/storage";
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { GcsStore } from "@koprs/external/stores/gcs";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const store = new GcsStore(new Storage().bucket("reports"));
 * for await (const event of watchExternal(new ObjectStorePoller(store), 30_000)) {
 *   console.log(event.type, event.item.key);
 * }
 * ```
 *
 * @module
 */
import { orAborted } from "../_bounds/abort.ts";
import { GCS_FIELDS, scanGcsPage } from "../_listing/gcs_listing.ts";
import { ListedPage } from "../_listing/listed_page.ts";
import {
  dropNodeStream,
  isNodeReadable,
  type NodeReadable,
  readNodeStream,
  toWebStream,
} from "../_listing/node_stream.ts";
import { checkPageSize } from "../_listing/page_size.ts";
import { type ScannedPage, scanPages } from "../_listing/scan.ts";
import { storeError } from "../_listing/store_error.ts";
import { textBytes } from "../_bytes/bytes.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** What {@linkcode GcsStore} needs of a `Bucket` of `@google-cloud/storage`. */
export interface GcsBucket {
  /** The name of the bucket. */
  readonly name: string;
  /** The project that pays for requests, for a bucket whose requester pays. */
  readonly userProject?: string | undefined;
  /** Makes an authenticated request relative to the bucket, and gives a Node stream of the answer. */
  requestStream(options: { uri: string }): unknown;
  /** A handle to one object, made without a request. */
  file(name: string): GcsFile;
}

/** What {@linkcode GcsStore} needs of a `File` of `@google-cloud/storage`. */
export interface GcsFile {
  /** What is known of the object, once it was written. */
  readonly metadata: { readonly generation?: string | number | undefined };
  /** Writes the object. */
  save(data: Uint8Array, options: GcsSaveOptions): Promise<void>;
}

/** How {@linkcode GcsStore} asks a {@linkcode GcsFile} to write. */
export interface GcsSaveOptions {
  /** One request or several. */
  resumable: boolean;
  /** Whether the client reads back a checksum, and deletes the object if it differs. */
  validation: boolean;
  /** The media type of the object. */
  contentType: string;
  /** The generation that the object must have; 0 for none. */
  preconditionOpts?: { ifGenerationMatch: string | number };
}

/** How to make a {@linkcode GcsStore}. */
export interface GcsStoreOptions {
  /**
   * The most objects a page of a listing may hold, from 1 to 1000.
   *
   * @default {1000} the server's own default
   */
  pageSize?: number;
}

interface Answer {
  readonly statusCode?: unknown;
  readonly statusMessage?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

/** Longer names do not exist, and are not sent as a bound. */
const MAX_NAME_BYTES = 1024;

/**
 * The objects of a bucket of Google Cloud Storage. Requests go through the client that is given: its
 * credentials, retries, endpoint, proxy and user project are used, and nothing of it is changed.
 *
 * - **ETag**: the object's generation, a decimal number as a string. It changes with every write of the
 *   content, and not when only metadata is changed, unlike Google's own ETag. `get` and `put` take it as
 *   `ifMatch`.
 * - **lastModified**: the object's `updated`, which a change of its metadata moves as well.
 * - Only live objects are listed: no older versions, nothing soft-deleted.
 * - An object that was stored with `Content-Encoding: gzip` is read decompressed, while `size` is that of
 *   the compressed bytes.
 *
 * The client cannot be interrupted before an answer begins: an abort rejects at once, and an answer that comes
 * later is dropped. On Bun the client also keeps the connection of an answer that is given up, until the
 * server ends it. Its retries last up to ten minutes by default; for a watch, which retries by itself, a
 * smaller `retryOptions.maxRetries` serves better.
 *
 * @example
 * ```ts
 * import { Storage } from "@google-cloud/storage";
 * import { GcsStore } from "@koprs/external/stores/gcs";
 *
 * // The watch retries by itself, and says so.
 * const storage = new Storage({ projectId: "mine", retryOptions: { maxRetries: 1 } });
 * const store = new GcsStore(storage.bucket("reports"), { pageSize: 500 });
 * console.assert(store.name === "gs://reports");
 * ```
 */
export class GcsStore implements ObjectStore {
  /** `gs://` and the name of the bucket. */
  readonly name: string;
  /** Always true: `list` honours `after` and `until`, and is in UTF-8 byte order. */
  readonly ranged: true = true;
  readonly #bucket: GcsBucket;
  readonly #pageSize: number | undefined;

  /**
   * Makes no request yet.
   *
   * @param bucket A `Bucket` of `@google-cloud/storage`.
   * @param options The size of a page.
   * @throws {TypeError} If `bucket` is no such bucket, or an option is of the wrong type.
   * @throws {RangeError} If `pageSize` is out of range.
   */
  constructor(bucket: GcsBucket, options: GcsStoreOptions = {}) {
    const { name, requestStream, file } = bucket ?? {};
    if (
      typeof name !== "string" || typeof requestStream !== "function" || typeof file !== "function"
    ) {
      throw new TypeError(
        "Cannot make a GcsStore as 'bucket' must be a Bucket of @google-cloud/storage: " +
          'new Storage().bucket("name")',
      );
    }
    this.#pageSize = checkPageSize("GcsStore", options.pageSize, 1000);
    this.#bucket = bucket;
    this.name = `gs://${name}`;
  }

  /**
   * The objects, page by page, in UTF-8 byte order of their keys. A page is one request.
   *
   * @param options Which of them.
   * @returns Pages, some perhaps empty.
   * @throws {ExternalError} With code `store` if a page cannot be had whole, such as with status 404 for
   * a bucket that does not exist.
   */
  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[], void> {
    for await (const page of this.#pages(options)) yield page.objects();
  }

  /**
   * The same without an object for each. Private to this package.
   *
   * @internal
   */
  [scanPages](options: ListOptions = {}): AsyncIterable<ScannedPage> {
    return this.#pages(options);
  }

  /**
   * The content of one object.
   *
   * @param key Its name.
   * @param options The generation it must have.
   * @returns The content, read from the server as it is read.
   * @throws {ExternalError} With code `store`: status 404 if there is no such object, 412 if it has
   * another generation.
   */
  async get(key: string, options: GetOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options;
    const doing = `get '${key}' from '${this.name}'`;
    const { stream, answer } = await this.#open(doing, signal, () => {
      const condition = ifMatch === undefined ? "" : `&ifGenerationMatch=${generationOf(ifMatch)}`;
      return `/o/${encodeURIComponent(key)}?alt=media${condition}`;
    });
    if (signal?.aborted) {
      dropNodeStream(stream);
      throw signal.reason;
    }
    const generation = answer.headers?.["x-goog-generation"];
    if (ifMatch !== undefined && typeof generation === "string" && generation !== ifMatch) {
      dropNodeStream(stream); // An emulator that does not know the condition.
      const error = new Error(`the object has another generation by now, ${generation}`);
      throw this.#error(doing, Object.assign(error, { code: 412 }));
    }
    const length = answer.headers?.["content-length"];
    const known = typeof length === "string" && /^\d+$/.test(length) ? Number(length) : undefined;
    const onAbort = () => dropNodeStream(stream);
    signal?.addEventListener("abort", onAbort, { once: true });
    return toWebStream(
      stream,
      () => signal?.removeEventListener("abort", onAbort),
      (thrown) => signal?.aborted ? signal.reason : this.#error(doing, thrown),
      known,
    );
  }

  /**
   * Writes one object, on a condition that the server checks in one step with the write.
   *
   * An abort rejects at once, but does not call back a request that is under way: the object may be
   * written or not.
   *
   * @param key Its name.
   * @param body Its content.
   * @param options The generation it must have, or that there must be none.
   * @returns The new generation.
   * @throws {ExternalError} With code `store` and status 412 if the condition does not hold.
   */
  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const { ifMatch, ifNoneMatch, signal } = options;
    const doing = `put '${key}' to '${this.name}'`;
    signal?.throwIfAborted();
    try {
      const file = this.#bucket.file(key);
      const save: GcsSaveOptions = {
        resumable: false,
        // The check deletes what it finds wrong, be it the object of another writer.
        validation: false,
        contentType: "application/octet-stream",
      };
      if (ifNoneMatch !== undefined) save.preconditionOpts = { ifGenerationMatch: 0 };
      if (ifMatch !== undefined) {
        save.preconditionOpts = { ifGenerationMatch: generationOf(ifMatch) };
      }
      await orAborted(file.save(body, save), signal);
      const { generation } = file.metadata ?? {};
      return generation === undefined ? {} : { etag: String(generation) };
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      throw this.#error(doing, thrown);
    }
  }

  async *#pages(options: ListOptions): AsyncGenerator<ListedPage, void> {
    const { prefix, after, until, signal } = options;
    const doing = `list '${this.name}'`;
    const seen = new Set<string>();
    const reused = new ListedPage(new Uint8Array(), this.name, prefix);
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const { stream } = await this.#open(doing, signal, () => this.#listUri(options, token));
      const page = await this.#readPage(doing, stream, signal, reused);
      // The bounds that were sent take in a little more: see #listUri.
      const beyond = page.page.cut(after, until);
      yield page.page;
      signal?.throwIfAborted();
      token = beyond ? undefined : page.nextPageToken;
      if (token === undefined) return;
      if (seen.has(token)) {
        throw this.#error(doing, new Error("the server gave the same page token twice"));
      }
      seen.add(token);
    }
  }

  /**
   * `startOffset` takes in the key itself, `endOffset` leaves it out. The next key after one has a NUL at its end,
   * which a server may well refuse: so a blank stands in for it, and what that brings too much is cut off.
   */
  #listUri({ prefix, after, until }: ListOptions, token: string | undefined): string {
    const query = [
      `fields=${encodeURIComponent(GCS_FIELDS)}`,
      "prettyPrint=false",
    ];
    const add = (name: string, value: string) => query.push(`${name}=${encodeURIComponent(value)}`);
    if (this.#pageSize !== undefined) add("maxResults", String(this.#pageSize));
    if (prefix !== undefined && prefix !== "") add("prefix", prefix);
    if (after !== undefined && after !== "") add("startOffset", after);
    if (until !== undefined && textBytes(until).length < MAX_NAME_BYTES) {
      add("endOffset", `${until} `);
    }
    if (token !== undefined) add("pageToken", token);
    return `/o?${query.join("&")}`;
  }

  async #readPage(
    doing: string,
    stream: NodeReadable,
    signal: AbortSignal | undefined,
    page: ListedPage,
  ) {
    try {
      return scanGcsPage(await orAborted(readNodeStream(stream), signal), page);
    } catch (thrown) {
      dropNodeStream(stream);
      if (signal?.aborted) throw signal.reason;
      throw this.#error(doing, thrown);
    }
  }

  /** Makes a request and waits for the answer, whose status is a success. */
  async #open(
    doing: string,
    signal: AbortSignal | undefined,
    uri: () => string,
  ): Promise<{ stream: NodeReadable; answer: Answer }> {
    signal?.throwIfAborted();
    try {
      const stream = this.#send(uri());
      const answering = new Promise<Answer>((resolve, reject) => {
        stream.on("response", resolve);
        stream.on("error", reject);
        stream.on("close", () => reject(new Error("the connection was closed early")));
      });
      const answer = await orAborted(answering, signal).catch((thrown) => {
        // Only once it answers: before that the client has nothing to abort, and breaks if told to.
        answering.then(() => dropNodeStream(stream), () => {});
        throw thrown;
      });
      const status = Number(answer.statusCode);
      if (status >= 200 && status <= 299) return { stream, answer };
      throw await orAborted(readError(stream, answer), signal).catch((thrown) => {
        dropNodeStream(stream);
        throw thrown;
      });
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      throw this.#error(doing, thrown);
    }
  }

  #send(uri: string): NodeReadable {
    const { userProject } = this.#bucket;
    const paid = userProject === undefined || userProject === ""
      ? uri
      : `${uri}&userProject=${encodeURIComponent(userProject)}`;
    const stream = this.#bucket.requestStream({ uri: paid });
    if (!isNodeReadable(stream)) {
      throw new TypeError(
        "'requestStream' of this version of @google-cloud/storage gives no stream",
      );
    }
    return stream;
  }

  #error(doing: string, thrown: unknown): ExternalError {
    const { code } = (thrown ?? {}) as { code?: unknown };
    return storeError(doing, this.name, thrown, hintFor(code, doing));
  }
}

/** The error that an answer without success stands for, in the shape of the client's own. */
async function readError(stream: NodeReadable, answer: Answer): Promise<Error> {
  const text = new TextDecoder().decode(await readNodeStream(stream));
  let message = text.slice(0, 300).trim();
  try {
    message = String(JSON.parse(text).error.message);
  } catch {
    // Not every error is JSON: those of a download are text.
  }
  const status = Number(answer.statusCode);
  const error = new Error(message || String(answer.statusMessage ?? ""));
  error.message = `the server answered ${status}${error.message && `: ${error.message}`}`;
  return Object.assign(error, { code: status, response: { headers: answer.headers } });
}

function hintFor(status: unknown, doing: string): string {
  if (status === 401) return "check the credentials of the client";
  if (status === 403) return "check what the credentials of the client allow";
  if (status === 404 && doing.startsWith("list")) return "check that the bucket exists";
  return "";
}

/** Checked, as a condition that is none would be refused only later, or never. */
function generationOf(etag: string): string {
  if (/^\d{1,20}$/.test(etag)) return etag;
  throw new TypeError("'ifMatch' must be the ETag of an event or of 'put', which is a generation");
}
