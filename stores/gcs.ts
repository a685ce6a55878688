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
import { checkName, checkPositive } from "../_errors/checks.ts";
import { Cloud } from "../_listing/cloud.ts";
import { type GcsBucket, gcsEndpoint, GcsService } from "../_listing/gcs_client.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import { checkPageSize } from "../_listing/page_size.ts";
import { type ScannedPage, scanPages } from "../_listing/scanning_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

export type {
  GcsBucket,
  GcsClient,
  GcsFile,
  GcsRequestOptions,
  GcsSaveOptions,
} from "../_listing/gcs_client.ts";

/** How to make a {@linkcode GcsStore}. */
export interface GcsStoreOptions {
  /**
   * The most objects a page of a listing may hold, from 1 to 1000.
   *
   * @default {1000} the server's own default
   */
  pageSize?: number;
  /**
   * Milliseconds for one request, its retries included. For a read: until the content begins, and
   * then for each wait for the next bytes.
   *
   * @default {60_000}
   */
  timeout?: number;
  /**
   * Names the store in logs, spans and checkpoints.
   *
   * @default {`gs://${bucket}`}
   */
  name?: string;
}

/**
 * The objects of a bucket of Google Cloud Storage. Requests go through the given client, with its
 * credentials, retries, endpoint, proxy and user project; the client is not changed.
 *
 * - **ETag**: the object's generation, a decimal number as a string. It changes with every write of the
 *   content, and not when only metadata is changed, unlike Google's own ETag. `get` and `put` take it as
 *   `ifMatch`.
 * - **lastModified**: the object's `updated` time, which also changes when only metadata does.
 * - Only live objects are listed: no older versions, nothing soft-deleted.
 * - An object that was stored with `Content-Encoding: gzip` is read decompressed, while `size` is that of
 *   the compressed bytes.
 *
 * Each request is limited to `timeout`, and each page of a listing to 32 MiB. A request that fails
 * for a transient reason is tried up to three times, or fewer if the client's `retryOptions` say
 * so; a `Retry-After` of the server is respected. The client's own retries are used for `put` only.
 *
 * @example
 * ```ts
 * import { Storage } from "@google-cloud/storage";
 * import { GcsStore } from "@koprs/external/stores/gcs";
 *
 * const storage = new Storage({ projectId: "mine" });
 * const store = new GcsStore(storage.bucket("reports"), { pageSize: 500, timeout: 20_000 });
 * console.assert(store.name === "gs://reports");
 * ```
 */
export class GcsStore implements ObjectStore {
  /** `gs://` and the name of the bucket, unless another name was given. */
  readonly name: string;
  /** Always true: `list` honours `after` and `until`, and yields keys in UTF-8 byte order. */
  readonly ranged: true = true;
  readonly #cloud: Cloud;
  readonly #endpoint: string;

  /**
   * Makes no request yet.
   *
   * @param bucket A `Bucket` of `@google-cloud/storage`.
   * @param options How to use it.
   * @throws {TypeError} If `bucket` is not such a bucket, or an option is of the wrong type.
   * @throws {RangeError} If `pageSize` or `timeout` is out of range.
   */
  constructor(bucket: GcsBucket, options?: GcsStoreOptions) {
    const { name, requestStream, file } = bucket ?? {};
    if (
      typeof name !== "string" || typeof requestStream !== "function" || typeof file !== "function"
    ) {
      throw new TypeError(
        "Cannot make a GcsStore as 'bucket' must be a Bucket of @google-cloud/storage: " +
          'new Storage().bucket("name")',
      );
    }
    const pageSize = checkPageSize("GcsStore", options?.pageSize, 1000);
    const { timeout = 60_000, name: shown = `gs://${name}` } = options ?? {};
    checkPositive("make a GcsStore", "timeout", timeout);
    checkName("make a GcsStore", shown);
    this.name = shown;
    this.#endpoint = gcsEndpoint(bucket);
    this.#cloud = new Cloud(this.name, timeout, new GcsService(bucket, this.name, pageSize));
  }

  /**
   * Where the client sends its requests: a checkpoint is tied to this as well as to the name. Empty
   * for Google's own endpoints, so that a checkpoint stays valid whichever of them is used.
   *
   * @returns A host, perhaps with a path, or an empty string.
   */
  identity(): string {
    return this.#endpoint;
  }

  /**
   * The objects, page by page, in UTF-8 byte order of their keys. A page is one request.
   *
   * @param options Which objects.
   * @returns Pages, some of which may be empty.
   * @throws {ExternalError} If a page cannot be read completely: with code `store` and a status if
   * the server refuses, such as 404 for a bucket that does not exist; `protocol` if an answer is
   * not a complete listing or the pages do not end; `network`, `timeout` or `too-large`.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    for await (const page of this.#cloud.pages(options ?? {})) yield page.objects();
  }

  /**
   * Like `list`, but without creating a JavaScript object for each. Private to this package.
   *
   * @internal
   */
  [scanPages](options?: ListOptions): AsyncIterable<ScannedPage> {
    return this.#cloud.pages(options ?? {});
  }

  /**
   * The content of one object.
   *
   * @param key Its name.
   * @param options The generation it must have.
   * @returns The content, fetched from the server while it is read. Read it to its end or cancel
   * it, or its connection stays in use.
   * @throws {ExternalError} With code `store` and status 404 if there is no such object, 412 if it
   * has another generation. A failure midway errors the stream with code `network` or `timeout`.
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#cloud.get(key, options ?? {});
  }

  /**
   * Writes one object. If there is a condition, the server checks it and writes in one atomic step.
   *
   * After an abort, a timeout or a lost answer, the object may or may not have been written. The
   * client retries a write with a condition: if it succeeded but its answer was lost, the retry
   * meets that write and fails with status 412.
   *
   * @param key Its name.
   * @param body Its content.
   * @param options The generation it must have, or that there must be none.
   * @returns The new generation.
   * @throws {ExternalError} With code `store` and status 412 if the condition does not hold; `network`, `timeout`.
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult> {
    return this.#cloud.put(key, body, options ?? {});
  }
}
