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
import { type ScannedPage, scanPages } from "../_listing/scan.ts";
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
   * Milliseconds for one request, the client's further tries included. Of a read, until the content begins, and then for each
   * wait for more of it.
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
 * The blobs of a container of Azure Blob Storage. Requests go through the client that is given: its
 * credentials, retries, endpoint and policies are used, and nothing of it is changed.
 *
 * - **ETag**: the blob's own, in double quotes as in an `ETag` header, also where a listing has it bare. Azure
 *   changes it with every write, also of metadata alone. `get` and `put` take it as `ifMatch`.
 * - Directories of accounts with a hierarchical namespace, snapshots, older versions and deleted blobs are left
 *   out. The empty blobs that Hadoop's driver keeps for folders in other accounts are blobs and listed.
 * - Azure lists from the start only: one request after another, in pages of 5000.
 * - A blob whose name has a segment `.` or `..` is listed, but no URL reaches it: `get` and `put` refuse it.
 *
 * A request is bounded in time by `timeout`, and a page in size by 32 MiB.
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
   * `az://`, the account, and the container, unless another name was given. Never the query of the URL, which may hold a
   * signature.
   */
  readonly name: string;
  readonly #cloud: Cloud;
  readonly #endpoint: string;

  /**
   * Makes no request yet.
   *
   * @param container A `ContainerClient` of `@azure/storage-blob`.
   * @param options How to use it.
   * @throws {TypeError} If `container` is no such client, or an option is of the wrong type.
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
    // Behind a domain of one's own the client knows no account.
    const own = `az://${container.accountName || new URL(url).host}/${containerName}`;
    const { timeout = 60_000, name = own } = options ?? {};
    checkPositive("make an AzureStore", "timeout", timeout);
    checkName("make an AzureStore", name);
    this.name = name;
    this.#endpoint = azureEndpoint(container);
    this.#cloud = new Cloud(this.name, timeout, new AzureService(container, this.name, pageSize));
  }

  /**
   * What a checkpoint is tied to beside the name: where the client sends its requests. Empty for the endpoints of Azure's
   * public cloud, where the name of an account is of one account alone.
   *
   * @returns A host and perhaps a path.
   */
  identity(): string {
    return this.#endpoint;
  }

  /**
   * The blobs, page by page. A page is one request.
   *
   * @param options Which of them; `after` and `until` are not looked at.
   * @returns Pages, some perhaps empty.
   * @throws {ExternalError} If a page cannot be had whole: with code `store` and a status if the server refuses, such as 404 for a
   * container that does not exist; `network`, `timeout`; `protocol` if an answer is no whole listing or the pages do not end;
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
   * The content of one blob.
   *
   * @param key Its name.
   * @param options The ETag it must have.
   * @returns The content, read from the server as it is read. Read it to its end or cancel it, or its connection stays taken.
   * @throws {ExternalError} With code `store` and status 404 if there is no such blob, 412 if it has another ETag. A failure
   * midway errors the stream, with code `network` or `timeout`.
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    return this.#cloud.get(key, options ?? {});
  }

  /**
   * Writes one blob, on a condition that the server checks in one step with the write.
   *
   * After an abort, a timeout, or an answer that was lost, the blob may be written or not. The client tries a write again: then
   * the first one that came through is found to be there already.
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
