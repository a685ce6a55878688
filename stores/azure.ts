/**
 * Azure Blob Storage, through a `ContainerClient` of `@azure/storage-blob`.
 *
 * @example
 * ```ts ignore
 * import { DefaultAzureCredential } from "@azure/identity";
 * import { ContainerClient } from "@azure/storage-blob";
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { AzureStore } from "@koprs/external/stores/azure";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const url = "https://account.blob.core.windows.net/reports";
 * const store = new AzureStore(new ContainerClient(url, new DefaultAzureCredential()));
 * for await (const event of watchExternal(new ObjectStorePoller(store), 30_000)) {
 *   console.log(event.type, event.item.key);
 * }
 * ```
 *
 * @module
 */
import { checkName, checkPositive } from "../_errors/checks.ts";
import { type AzureContainer, azureEndpoint, AzureService } from "../_listing/azure_client.ts";
import { Cloud } from "../_listing/cloud.ts";
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
  AzureBlob,
  AzureBlobItem,
  AzureConditions,
  AzureContainer,
  AzureDownload,
  AzureListPage,
} from "../_listing/azure_client.ts";

/** How to make an {@linkcode AzureStore}. */
export interface AzureStoreOptions {
  /**
   * The most blobs a page of a listing may hold, from 1 to 5000.
   *
   * @default {5000} the server's own default
   */
  pageSize?: number;
  /**
   * Milliseconds for one request, the client's retries included. For a read: until the content
   * begins, and then for each wait for the next bytes.
   *
   * @default {60_000}
   */
  timeout?: number;
  /**
   * Names the store in logs, spans and checkpoints.
   *
   * @default {`az://${account}/${container}`}
   */
  name?: string;
}

/**
 * The blobs of a container of Azure Blob Storage. Requests go through the given client, with its
 * credentials, retries, endpoint and policies; the client is not changed.
 *
 * - **ETag**: the blob's own, always in double quotes as in an `ETag` header, even where a listing
 *   omits the quotes. Azure changes it with every write, even of metadata alone. `get` and `put`
 *   take it as `ifMatch`.
 * - Directories of accounts with a hierarchical namespace, snapshots, older versions and deleted blobs are left out. In
 *   other accounts, the empty blobs that Hadoop's driver creates for folders are ordinary blobs and are listed.
 * - Azure cannot start a listing at a given key, so pages are requested one after another, each of
 *   up to 5000 blobs.
 * - A blob whose name has a segment `.` or `..` is listed, but cannot be reached by a URL: `get`
 *   and `put` refuse it.
 *
 * Each request is limited to `timeout`, and each page of a listing to 32 MiB.
 *
 * @example
 * ```ts
 * import { ContainerClient } from "@azure/storage-blob";
 * import { AzureStore } from "@koprs/external/stores/azure";
 *
 * const container = new ContainerClient("https://account.blob.core.windows.net/reports?sig=c2VjcmV0");
 * const store = new AzureStore(container, { pageSize: 1000 });
 * console.assert(store.name === "az://account/reports");
 * ```
 */
export class AzureStore implements ObjectStore {
  /**
   * `az://account/container`, unless another name was given. Never contains the query of the URL,
   * which may hold a signature.
   */
  readonly name: string;
  readonly #cloud: Cloud;
  readonly #endpoint: string;

  /**
   * Makes no request yet.
   *
   * @param container A `ContainerClient` of `@azure/storage-blob`.
   * @param options How to use it.
   * @throws {TypeError} If `container` is not such a client, or an option is of the wrong type.
   * @throws {RangeError} If `pageSize` or `timeout` is out of range.
   */
  constructor(container: AzureContainer, options?: AzureStoreOptions) {
    const { url, containerName, listBlobsFlat, getBlockBlobClient } = container ?? {};
    if (
      typeof url !== "string" || typeof containerName !== "string" ||
      typeof listBlobsFlat !== "function" || typeof getBlockBlobClient !== "function"
    ) {
      throw new TypeError(
        "Cannot make an AzureStore as 'container' must be a ContainerClient of " +
          '@azure/storage-blob: blobServiceClient.getContainerClient("name")',
      );
    }
    const pageSize = checkPageSize("AzureStore", options?.pageSize, 5000);
    // With a custom domain, the client does not know the account.
    const own = `az://${container.accountName || new URL(url).host}/${containerName}`;
    const { timeout = 60_000, name = own } = options ?? {};
    checkPositive("make an AzureStore", "timeout", timeout);
    checkName("make an AzureStore", name);
    this.name = name;
    this.#endpoint = azureEndpoint(container);
    this.#cloud = new Cloud(this.name, timeout, new AzureService(container, this.name, pageSize));
  }

  /**
   * Where the client sends its requests: a checkpoint is tied to this as well as to the name. Empty
   * for the endpoints of Azure's public cloud, where account names are unique.
   *
   * @returns A host, perhaps with a path, or an empty string.
   */
  identity(): string {
    return this.#endpoint;
  }

  /**
   * The blobs, page by page. A page is one request.
   *
   * @param options Which blobs; `after` and `until` are ignored.
   * @returns Pages, some of which may be empty.
   * @throws {ExternalError} If a page cannot be read completely: with code `store` and a status if
   * the server refuses, such as 404 for a container that does not exist; `protocol` if an answer is
   * not a complete listing or the pages do not end; `network`, `timeout` or `too-large`.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    for await (const page of this.#cloud.pages(options ?? {})) yield page.objects();
  }

  /**
   * Like `list`, but without creating an object for each blob. Private to this package.
   *
   * @internal
   */
  [scanPages](options?: ListOptions): AsyncIterable<ScannedPage> {
    return this.#cloud.pages(options ?? {});
  }

  /**
   * The content of one blob.
   *
   * @param key Its name.
   * @param options The ETag it must have.
   * @returns The content, fetched from the server while it is read. Read it to its end or cancel
   * it, or its connection stays in use.
   * @throws {ExternalError} With code `store` and status 404 if there is no such blob, 412 if it
   * has another ETag. A failure midway errors the stream with code `network` or `timeout`.
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#cloud.get(key, options ?? {});
  }

  /**
   * Writes one blob. If there is a condition, the server checks it and writes in one atomic step.
   *
   * After an abort, a timeout or a lost answer, the blob may or may not have been written. The
   * client retries writes: if a conditional write succeeded but its answer was lost, the retry
   * meets that write and fails with status 412.
   *
   * @param key Its name.
   * @param body Its content.
   * @param options The ETag it must have, or that it must not exist.
   * @returns The new ETag.
   * @throws {ExternalError} With code `store` and status 412 if the condition does not hold; `network`, `timeout`.
   */
  put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult> {
    return this.#cloud.put(key, body, options ?? {});
  }
}
