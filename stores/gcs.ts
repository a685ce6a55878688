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
import { type ScannedPage, scanPages } from "../_listing/scan.ts";
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
   * Milliseconds for one request, its further tries included. Of a read, until the content begins, and then for each wait for
   * more of it.
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
 * A request is bounded in time by `timeout`, and a page in size by 32 MiB. What fails for a passing reason is tried up to three
 * times, or as often as the `retryOptions` of the client say if that is less; a `Retry-After` of the server is heeded. The
 * client itself tries again only for `put`.
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
  /** Always true: `list` honours `after` and `until`, and is in UTF-8 byte order. */
  readonly ranged: true = true;
  readonly #cloud: Cloud;
  readonly #endpoint: string;

  /**
   * Makes no request yet.
   *
   * @param bucket A `Bucket` of `@google-cloud/storage`.
   * @param options How to use it.
   * @throws {TypeError} If `bucket` is no such bucket, or an option is of the wrong type.
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
   * What a checkpoint is tied to beside the name: where the client sends its requests. Empty for Google's own endpoints, so that
   * a bucket stays the same whichever of them is used.
   *
   * @returns A host and perhaps a path.
   */
  identity(): string {
    return this.#endpoint;
  }

  /**
   * The objects, page by page, in UTF-8 byte order of their keys. A page is one request.
   *
   * @param options Which of them.
   * @returns Pages, some perhaps empty.
   * @throws {ExternalError} If a page cannot be had whole: with code `store` and a status if the server refuses, such as 404 for a
   * bucket that does not exist; `network`, `timeout`; `protocol` if an answer is no whole listing or the pages do not end;
   * `too-large`.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    for await (const page of this.#cloud.pages(options ?? {})) yield page.objects();
  }

  /**
   * The same without an object for each. Private to this package.
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
   * @returns The content, read from the server as it is read. Read it to its end or cancel it, or its connection stays taken.
   * @throws {ExternalError} With code `store` and status 404 if there is no such object, 412 if it has another generation. A
   * failure midway errors the stream, with code `network` or `timeout`.
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#cloud.get(key, options ?? {});
  }

  /**
   * Writes one object, on a condition that the server checks in one step with the write.
   *
   * After an abort, a timeout, or an answer that was lost, the object may be written or not. The client tries a write with a
   * condition again: then the first one that came through is found to be there already.
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
