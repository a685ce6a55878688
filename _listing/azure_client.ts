/** Azure Blob Storage: the parts of its client that are used, and the requests made with it. */
import { pageTooLarge } from "../_bounds/page_guard.ts";
import { scanAzurePage } from "./azure_listing.ts";
import { type AzureBlobItem, inQuotes, notWhole, pageOfBlobs } from "./azure_parsed.ts";
import { tapAzure } from "./azure_tap.ts";
import type { Action, CloudContent, CloudLister, CloudListing, CloudService } from "./cloud.ts";
import { ListedPage } from "./listed_page.ts";
import { dropNodeStream, isNodeReadable } from "./node_stream.ts";
import type { ListOptions } from "./object_store.ts";
import { statusOf } from "./store_error.ts";
import type { RequestBounds } from "./tries.ts";

export type { AzureBlobItem } from "./azure_parsed.ts";

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
  /** The token of the next page; empty or absent on the last. */
  readonly continuationToken?: string;
  /** What is in the page. */
  readonly segment: { readonly blobItems: readonly AzureBlobItem[] };
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
  ): Promise<AzureDownload>;
  /** Writes the blob. */
  upload(
    body: ArrayBuffer,
    length: number,
    options: { conditions: AzureConditions; abortSignal?: AbortSignal },
  ): Promise<{ readonly etag?: string }>;
}

/** What {@linkcode AzureStore} needs of the answer to a `download`. */
export interface AzureDownload {
  /** The content, in the client's build for Node. */
  readonly readableStreamBody?: unknown;
  /** The content, in the client's build for browsers. */
  readonly blobBody?: Promise<Blob>;
  /** The ETag of the blob. */
  readonly etag?: string;
  /** Which part of the blob the content is; absent for the whole blob. */
  readonly contentRange?: string;
}

/** A container as a {@linkcode CloudService}. */
export class AzureService implements CloudService {
  readonly place = "container";
  readonly permissions: Readonly<Record<Action, string>> = {
    list: "listing: the role 'Storage Blob Data Reader', or 'l' in a SAS",
    get: "reading: the role 'Storage Blob Data Reader', or 'r' in a SAS",
    put: "writing: the role 'Storage Blob Data Contributor', or 'c' and 'w' in a SAS",
  };
  readonly #container: AzureContainer;
  readonly #name: string;
  readonly #pageSize: number | undefined;

  constructor(container: AzureContainer, name: string, pageSize: number | undefined) {
    this.#container = container;
    this.#name = name;
    this.#pageSize = pageSize;
  }

  lister({ prefix }: ListOptions): CloudLister {
    let onFailure: (failure: unknown) => void = () => {};
    const tap = tapAzure(
      this.#container,
      "containerContext",
      true,
      (failure) => onFailure(failure),
    );
    // Reused for each page: whoever asks for the next page is done with this one.
    const room = new ListedPage(new Uint8Array(), this.#name, prefix);
    return async (token, bounds) => {
      onFailure = (failure) => bounds.failure = failure;
      const listed = await tap.client.listBlobsFlat({
        abortSignal: bounds.signal,
        ...(prefix !== undefined && prefix !== "" && { prefix }),
      }).byPage({
        ...(token !== undefined && { continuationToken: token }),
        ...(this.#pageSize !== undefined && { maxPageSize: this.#pageSize }),
      }).next();
      const bytes = tap.take();
      if (bytes === "too large") throw pageTooLarge(this.#name);
      if (bytes === undefined) return this.#readParsed(listed.value, prefix);
      const { page, nextMarker } = scanAzurePage(bytes, room);
      return { page, next: nextMarker || undefined, lastKey: page.lastKey() };
    };
  }

  async open(
    key: string,
    ifMatch: string | undefined,
    bounds: RequestBounds,
  ): Promise<CloudContent> {
    const { client } = tapAzure(
      this.#blob(key),
      "blobContext",
      false,
      (failure) => bounds.failure = failure,
    );
    const answer = await client.download(0, undefined, {
      conditions: ifMatch === undefined ? {} : { ifMatch },
      abortSignal: bounds.signal,
    });
    const { readableStreamBody: stream, blobBody, etag: given, contentRange } = answer;
    const etag = given === undefined ? undefined : inQuotes(given);
    if (!isNodeReadable(stream)) {
      const content = await blobBody;
      if (content === undefined) throw new TypeError("the client gave no body");
      return { body: content.stream(), etag, drop: () => {} };
    }
    const drop = () => dropNodeStream(stream);
    if (contentRange !== undefined) {
      drop();
      throw new Error(
        `the server gave only a part of the blob: ${contentRange}`,
      );
    }
    return { body: stream, etag, drop };
  }

  async write(
    key: string,
    body: Uint8Array,
    conditions: AzureConditions,
    bounds: RequestBounds,
  ): Promise<string | undefined> {
    const { client } = tapAzure(
      this.#blob(key),
      "blockBlobContext",
      false,
      (failure) => bounds.failure = failure,
    );
    try {
      const { etag } = await client.upload(new Uint8Array(body).buffer, body.byteLength, {
        conditions,
        abortSignal: bounds.signal,
      });
      return etag === undefined ? undefined : inQuotes(etag);
    } catch (thrown) {
      // Azure answers 409 if the blob exists already.
      if (conditions.ifNoneMatch === undefined || codeOf(thrown) !== "BlobAlreadyExists") {
        throw thrown;
      }
      throw Object.assign(this.presentable(thrown), { statusCode: 412 });
    }
  }

  /**
   * The client's error with its message on one line: the client spreads it over three, or leaves it empty if the
   * answer had no body.
   */
  presentable(thrown: unknown): Error {
    const { name, message, statusCode, code, response, cause } = thrown instanceof Error
      ? thrown as Error & { statusCode?: unknown; code?: unknown; response?: unknown }
      : new Error(String(thrown)) as Error & Record<"statusCode" | "code" | "response", undefined>;
    // What the client throws if the connection is cut while a blob is read.
    const cut = name === "AbortError" && statusCode === undefined;
    const error = new Error(linesAsOne(message) || `the server answered ${statusCode}`, { cause });
    return Object.assign(error, {
      statusCode,
      response,
      ...(cut
        ? { message: "the connection was closed early", code: "ECONNRESET" }
        : { name, code }),
    });
  }

  isMissing(thrown: unknown): boolean {
    return statusOf(thrown) === 404 && codeOf(thrown) === "ContainerNotFound";
  }

  /** The page that the client parsed itself. */
  #readParsed(listed: AzureListPage | undefined, prefix: string | undefined): CloudListing {
    const { segment, continuationToken } = listed ?? {};
    if (!Array.isArray(segment?.blobItems)) throw notWhole(this.#name, "a page without blobs");
    const page = pageOfBlobs(segment.blobItems, this.#name, prefix);
    return { page, next: continuationToken || undefined, lastKey: page.lastKey() };
  }

  #blob(key: string): AzureBlob {
    // A URL with such a segment is normalized on its way, and would lead to another blob.
    if (key.split(/[/\\]/).some((segment) => segment === "." || segment === "..")) {
      throw new Error("a name with a segment '.' or '..' cannot be reached by a URL");
    }
    return this.#container.getBlockBlobClient(key);
  }
}

/** The endpoint of the account; empty in Azure's public cloud, where each account name exists only once. */
export function azureEndpoint({ url }: AzureContainer): string {
  const { host, pathname } = new URL(url);
  if (/\.(blob|dfs)\.(core\.windows|storage\.azure)\.net$/.test(host)) return "";
  return `${host}${pathname.replace(/\/[^/]*\/?$/, "")}`;
}

/** The lines of a message on one line, in linear time. */
function linesAsOne(text: string): string {
  return text.slice(0, MAX_MESSAGE).split("\n").map((line) => line.trim().replace(/\.$/, ""))
    .filter((line) => line !== "").join(", ");
}

const MAX_MESSAGE = 1_000;

function codeOf(thrown: unknown): unknown {
  const { code, details } = (thrown ?? {}) as {
    code?: unknown;
    details?: { errorCode?: unknown };
  };
  return details?.errorCode ?? code;
}
