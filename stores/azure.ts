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
import { orAborted } from "../_bounds/abort.ts";
import { type AzureCapture, capturing } from "../_listing/azure_client.ts";
import { scanAzurePage } from "../_listing/azure_listing.ts";
import { ListedPage } from "../_listing/listed_page.ts";
import { isNodeReadable, toWebStream } from "../_listing/node_stream.ts";
import { checkPageSize } from "../_listing/page_size.ts";
import { type ScannedPage, scanPages } from "../_listing/scan.ts";
import { statusOf, storeError } from "../_listing/store_error.ts";
import type { ObjectBuilder } from "../_diff/builder.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** What {@linkcode AzureStore} needs of a `ContainerClient` of `@azure/storage-blob`. */
export interface AzureContainer {
  /** The URL of the container. */
  readonly url: string;
  /** The name of the account, empty where the URL has none. */
  readonly accountName: string;
  /** The name of the container. */
  readonly containerName: string;
  /** Lists the blobs, page by page. */
  listBlobsFlat(
    options: { prefix?: string; abortSignal?: AbortSignal },
  ): {
    byPage(
      settings: { continuationToken?: string; maxPageSize?: number },
    ): AsyncIterableIterator<AzureListPage>;
  };
  /** A handle to one blob, made without a request. */
  getBlockBlobClient(name: string): AzureBlob;
}

/** What {@linkcode AzureStore} needs of a page of the client's own listing. */
export interface AzureListPage {
  /** Where the next page begins; empty or absent behind the last. */
  readonly continuationToken?: string;
  /** What is in the page. */
  readonly segment: { readonly blobItems: readonly AzureBlobItem[] };
}

/** What {@linkcode AzureStore} needs of a blob in the client's own listing. */
export interface AzureBlobItem {
  /** The name of the blob. */
  readonly name: string;
  /** Whether it was deleted. */
  readonly deleted?: boolean;
  /** Set for a snapshot. */
  readonly snapshot?: string;
  /** What is known of it. */
  readonly properties: {
    readonly etag?: string;
    readonly contentLength?: number;
    readonly lastModified?: Date;
  };
}

/** The conditions of a request. */
export interface AzureConditions {
  /** The ETag that the blob must have. */
  ifMatch?: string;
  /** `"*"`: the blob must not exist. */
  ifNoneMatch?: string;
}

/** What {@linkcode AzureStore} needs of a `BlockBlobClient` of `@azure/storage-blob`. */
export interface AzureBlob {
  /** Reads the blob. */
  download(
    offset: number,
    count: undefined,
    options: { conditions: AzureConditions; abortSignal?: AbortSignal },
  ): Promise<{ readonly readableStreamBody?: unknown; readonly blobBody?: Promise<Blob> }>;
  /** Writes the blob. */
  upload(
    body: ArrayBuffer,
    length: number,
    options: { conditions: AzureConditions; abortSignal?: AbortSignal },
  ): Promise<{ readonly etag?: string }>;
}

/** How to make an {@linkcode AzureStore}. */
export interface AzureStoreOptions {
  /**
   * The most blobs a page of a listing may hold, from 1 to 5000.
   *
   * @default {5000} the server's own default
   */
  pageSize?: number;
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
  /** `az://`, the account, and the container. Never the query of the URL, which may hold a signature. */
  readonly name: string;
  readonly #container: AzureContainer;
  readonly #pageSize: number | undefined;

  /**
   * Makes no request yet.
   *
   * @param container A `ContainerClient` of `@azure/storage-blob`.
   * @param options The size of a page.
   * @throws {TypeError} If `container` is no such client, or an option is of the wrong type.
   * @throws {RangeError} If `pageSize` is out of range.
   */
  constructor(container: AzureContainer, options: AzureStoreOptions = {}) {
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
    this.#pageSize = checkPageSize("AzureStore", options.pageSize, 5000);
    this.#container = container;
    // Behind a domain of one's own the client knows no account.
    this.name = `az://${container.accountName || new URL(url).host}/${containerName}`;
  }

  /**
   * The blobs, page by page. A page is one request.
   *
   * @param options Which of them; `after` and `until` are not looked at.
   * @returns Pages, some perhaps empty.
   * @throws {ExternalError} With code `store` if a page cannot be had whole, such as with status 404 for a
   * container that does not exist.
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
   * The content of one blob.
   *
   * @param key Its name.
   * @param options The ETag it must have.
   * @returns The content, read from the server as it is read.
   * @throws {ExternalError} With code `store`: status 404 if there is no such blob, 412 if it has another
   * ETag.
   */
  async get(key: string, options: GetOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options;
    const doing = `get '${key}' from '${this.name}'`;
    const limit = follow(signal);
    try {
      signal?.throwIfAborted();
      const blob = this.#blob(key);
      const conditions: AzureConditions = ifMatch === undefined ? {} : { ifMatch };
      const download = blob.download(0, undefined, { conditions, abortSignal: limit.signal });
      const { readableStreamBody: body, blobBody } = await orAborted(download, signal);
      if (!isNodeReadable(body)) {
        // What the client's build for browsers gives.
        const content = await orAborted(Promise.resolve(blobBody), signal);
        if (content === undefined) throw new TypeError("the client gave no body");
        limit.release();
        return content.stream();
      }
      return toWebStream(
        body,
        limit.release,
        (thrown) => signal?.aborted ? signal.reason : this.#error(doing, thrown),
      );
    } catch (thrown) {
      limit.release();
      if (signal?.aborted) throw signal.reason;
      throw this.#error(doing, thrown);
    }
  }

  /**
   * Writes one blob, on a condition that the server checks in one step with the write.
   *
   * @param key Its name.
   * @param body Its content.
   * @param options The ETag it must have, or that it must not exist.
   * @returns The new ETag.
   * @throws {ExternalError} With code `store` and status 412 if the condition does not hold.
   */
  async put(key: string, body: Uint8Array, options: PutOptions = {}): Promise<PutResult> {
    const { ifMatch, ifNoneMatch, signal } = options;
    const limit = follow(signal);
    try {
      signal?.throwIfAborted();
      const conditions: AzureConditions = {
        ...(ifMatch !== undefined && { ifMatch }),
        ...(ifNoneMatch !== undefined && { ifNoneMatch }),
      };
      const upload = this.#blob(key).upload(new Uint8Array(body).buffer, body.byteLength, {
        conditions,
        abortSignal: limit.signal,
      });
      const { etag } = await orAborted(upload, signal);
      return etag === undefined ? {} : { etag: inQuotes(etag) };
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      throw this.#error(`put '${key}' to '${this.name}'`, thrown, ifNoneMatch !== undefined);
    } finally {
      limit.release();
    }
  }

  async *#pages(options: ListOptions): AsyncGenerator<AzurePageOfBlobs, void> {
    const { prefix, signal } = options;
    signal?.throwIfAborted();
    const doing = `list '${this.name}'`;
    const limit = follow(signal);
    const seen = new Set<string>();
    const reused = new ListedPage(new Uint8Array(), this.name, prefix);
    try {
      const capture = capturing(this.#container);
      const listOptions = {
        abortSignal: limit.signal,
        ...(prefix !== undefined && prefix !== "" && { prefix }),
      };
      for (let marker = "";;) {
        const { page, next } = await this.#page(capture, listOptions, marker, signal, reused);
        yield page;
        signal?.throwIfAborted();
        if (next === "") return;
        if (seen.has(next)) throw new Error("the server gave the same marker twice");
        seen.add(next);
        marker = next;
      }
    } catch (thrown) {
      if (signal?.aborted) throw signal.reason;
      throw this.#error(doing, thrown);
    } finally {
      // Also where nobody reads on: nothing that was begun is left behind.
      limit.release();
    }
  }

  async #page(
    capture: AzureCapture<AzureContainer>,
    options: { prefix?: string; abortSignal: AbortSignal },
    marker: string,
    signal: AbortSignal | undefined,
    reused: ListedPage,
  ): Promise<{ page: AzurePageOfBlobs; next: string }> {
    const pages = capture.client.listBlobsFlat(options).byPage({
      ...(marker !== "" && { continuationToken: marker }),
      ...(this.#pageSize !== undefined && { maxPageSize: this.#pageSize }),
    });
    const result = await orAborted(pages.next(), signal);
    const bytes = capture.take();
    if (bytes !== undefined) {
      const { page, nextMarker } = scanAzurePage(bytes, reused);
      return { page, next: nextMarker };
    }
    const own = result.value as AzureListPage | undefined;
    if (!Array.isArray(own?.segment?.blobItems)) throw new Error("not a whole listing");
    return { page: new ClientPage(own.segment.blobItems), next: own.continuationToken ?? "" };
  }

  #blob(key: string): AzureBlob {
    // A URL is normalized on its way, and would lead to another blob.
    if (key.split(/[/\\]/).some((segment) => segment === "." || segment === "..")) {
      throw new Error("a name with a segment '.' or '..' cannot be reached by a URL");
    }
    return this.#container.getBlockBlobClient(key);
  }

  #error(doing: string, thrown: unknown, mustBeNew = false): ExternalError {
    const shown = withOneLine(thrown);
    // "It exists already" is a 409 to Azure.
    if (mustBeNew && codeOf(thrown) === "BlobAlreadyExists") {
      Object.assign(shown, { statusCode: 412 });
    }
    return storeError(doing, this.name, shown, hintFor(statusOf(shown), doing));
  }
}

/** The client's error with its message on one line: it spreads over three, or is empty where the answer had no body. */
function withOneLine(thrown: unknown): Error {
  const { name, message, statusCode, code, response, cause } = thrown instanceof Error
    ? thrown as Error & { statusCode?: unknown; code?: unknown; response?: unknown }
    : new Error(String(thrown)) as Error & Record<"statusCode" | "code" | "response", undefined>;
  const line = message.trim().replace(/\.?\s*\n\s*/g, ", ");
  const error = new Error(line || `the server answered ${statusCode}`, { cause });
  return Object.assign(error, { name, statusCode, code, response });
}

type AzurePageOfBlobs = Pick<ListedPage, "count" | "addTo" | "objects">;

/** A page as the client itself has parsed it. */
class ClientPage implements AzurePageOfBlobs {
  readonly #objects: readonly ObjectMeta[];

  constructor(items: readonly AzureBlobItem[]) {
    this.#objects = items.filter(isBlob).map(({ name, properties }) => {
      const { etag, contentLength, lastModified } = properties;
      if (contentLength === undefined || etag === undefined) {
        throw new Error(`not a whole listing: a blob without an ETag or a length, '${name}'`);
      }
      const time = lastModified?.getTime();
      return {
        key: name,
        size: contentLength,
        etag: inQuotes(etag),
        ...(time !== undefined && { lastModified: time }),
      };
    });
  }

  get count(): number {
    return this.#objects.length;
  }

  addTo(builder: ObjectBuilder): void {
    for (const object of this.#objects) builder.add(object);
  }

  objects(): ObjectMeta[] {
    return [...this.#objects];
  }
}

function isBlob(item: AzureBlobItem): boolean {
  const { resourceType, ResourceType } = item.properties as Record<string, unknown>;
  return (resourceType ?? ResourceType) !== "directory" && item.deleted !== true && !item.snapshot;
}

function inQuotes(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}

function codeOf(thrown: unknown): unknown {
  const { code, details } = (thrown ?? {}) as {
    code?: unknown;
    details?: { errorCode?: unknown };
  };
  return details?.errorCode ?? code;
}

function hintFor(status: number | undefined, doing: string): string {
  if (status === 401) return "check the credentials of the client";
  if (status === 403) return "check the credentials of the client, and what they allow";
  if (status === 404 && doing.startsWith("list")) return "check that the container exists";
  return "";
}

/**
 * A signal of one's own that follows the caller's: the client may leave its listeners on the one it is given,
 * and the caller's may live as long as the process.
 */
function follow(signal: AbortSignal | undefined): { signal: AbortSignal; release: () => void } {
  const inner = new AbortController();
  const onAbort = () => inner.abort(signal?.reason);
  if (signal?.aborted) onAbort();
  else signal?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: inner.signal,
    release: () => signal?.removeEventListener("abort", onAbort),
  };
}
