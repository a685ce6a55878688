/** Google Cloud Storage: the parts of its client that are used, and the requests made with it. */
import { MAX_PAGE_BYTES, pageTooLarge } from "../_bounds/page_guard.ts";
import type { Action, CloudContent, CloudLister, CloudService } from "./cloud.ts";
import { GCS_FIELDS, scanGcsPage } from "./gcs_listing.ts";
import { type GcsAnswer, type GcsRequestOptions, REQUEST_ID, requestGcs } from "./gcs_request.ts";
import { endOffset, GcsRange } from "./gcs_range.ts";
import { NodeRequest } from "./node_request.ts";
import { ListedPage } from "./listed_page.ts";
import { readNodeStream } from "./node_stream.ts";
import type { ListOptions, PutOptions } from "./object_store.ts";
import { statusOf } from "./store_error.ts";
import { type RequestBounds, withTries } from "./tries.ts";

export type { GcsRequestOptions } from "./gcs_request.ts";

/** What {@linkcode GcsStore} needs of a `Bucket` of `@google-cloud/storage`. */
export interface GcsBucket {
  /** The name of the bucket. */
  readonly name: string;
  /** The project that is billed, for a bucket with requester pays. */
  readonly userProject?: string | undefined;
  /** The client that the bucket belongs to. */
  readonly storage?: GcsClient;
  /** Makes an authenticated request relative to the bucket, and gives a Node stream of the answer. */
  requestStream(options: GcsRequestOptions): unknown;
  /** A handle to one object, made without a request. */
  file(name: string): GcsFile;
}

/** What {@linkcode GcsStore} needs of a `Storage` of `@google-cloud/storage`. */
export interface GcsClient {
  /** The origin that requests go to. */
  readonly apiEndpoint?: string;
  /** Whether failed requests are tried again, and how often. */
  readonly retryOptions?: { readonly autoRetry?: boolean; readonly maxRetries?: number };
}

/** What {@linkcode GcsStore} needs of a `File` of `@google-cloud/storage`. */
export interface GcsFile {
  /** The metadata of the object, known once it was written. */
  readonly metadata: { readonly generation?: string | number | undefined };
  /** Writes the object. */
  save(data: Uint8Array, options: GcsSaveOptions): Promise<void>;
}

/** How {@linkcode GcsStore} asks a {@linkcode GcsFile} to write. */
export interface GcsSaveOptions {
  /** Whether the client uploads in several requests; false for one. */
  resumable: boolean;
  /** Whether the client reads back a checksum, and deletes the object if it differs. */
  validation: boolean;
  /** The media type of the object. */
  contentType: string;
  /** The generation that the object must have; 0 if it must not exist. */
  preconditionOpts?: { ifGenerationMatch: string | number };
}

/**
 * The most tries of a request: enough for failures that pass at once. After others a watch tries again by itself,
 * and reports it.
 */
const MAX_TRIES = 3;

/** A bucket as a {@linkcode CloudService}. */
export class GcsService implements CloudService {
  readonly place = "bucket";
  readonly permissions: Readonly<Record<Action, string>> = {
    list: "'storage.objects.list' on the bucket",
    get: "'storage.objects.get' on the object",
    put: "'storage.objects.create', and 'storage.objects.delete' to replace",
  };
  readonly #bucket: GcsBucket;
  readonly #name: string;
  readonly #pageSize: number | undefined;

  constructor(bucket: GcsBucket, name: string, pageSize: number | undefined) {
    this.#bucket = bucket;
    this.#name = name;
    this.#pageSize = pageSize;
  }

  lister(options: ListOptions): CloudLister {
    const { prefix, after, until } = options;
    const whole = after === undefined && until === undefined;
    const range = whole ? undefined : new GcsRange(this.#name, options);
    // Reused for each page: whoever asks for the next page is done with this one.
    let room: Uint8Array | undefined;
    const listed = new ListedPage(new Uint8Array(), this.#name, prefix);
    return async (token, bounds) => {
      const uri = this.#listUri(options, token);
      const bytes = await this.#tried(bounds, async () => {
        const { stream, drop } = await this.#request(uri, bounds);
        const gathered = await readNodeStream(stream, MAX_PAGE_BYTES, room);
        if (gathered !== undefined) {
          room = gathered.room;
          return room.subarray(0, gathered.length);
        }
        drop();
        throw pageTooLarge(this.#name);
      });
      const { page, nextPageToken } = scanGcsPage(bytes, listed);
      const lastKey = page.lastKey();
      const past = range?.cut(page) ?? false;
      return { page, next: past ? undefined : nextPageToken, lastKey };
    };
  }

  async open(
    key: string,
    ifMatch: string | undefined,
    bounds: RequestBounds,
  ): Promise<CloudContent> {
    // A URL with this name is normalized on its way, and would lead to the bucket itself.
    if (key === "." || key === "..") throw new Error(`'${key}' cannot be reached by a URL`);
    const condition = ifMatch === undefined ? "" : `&ifGenerationMatch=${generationOf(ifMatch)}`;
    const uri = `/o/${encodeURIComponent(key)}?alt=media${condition}`;
    const { stream, headers, drop } = await this.#tried(bounds, () => this.#request(uri, bounds));
    const { "x-goog-generation": generation, "content-length": length } = headers;
    return {
      body: stream,
      etag: typeof generation === "string" ? generation : undefined,
      length: typeof length === "string" && /^\d+$/.test(length) ? Number(length) : undefined,
      drop,
    };
  }

  async write(
    key: string,
    body: Uint8Array,
    { ifMatch, ifNoneMatch }: Pick<PutOptions, "ifMatch" | "ifNoneMatch">,
    { signal }: RequestBounds,
  ): Promise<string | undefined> {
    const options: GcsSaveOptions = {
      resumable: false,
      // The check deletes an object that it finds wrong, even that of another writer.
      validation: false,
      contentType: "application/octet-stream",
    };
    if (ifNoneMatch !== undefined) options.preconditionOpts = { ifGenerationMatch: 0 };
    if (ifMatch !== undefined) {
      options.preconditionOpts = { ifGenerationMatch: generationOf(ifMatch) };
    }
    const id = crypto.randomUUID();
    const file = withRequestId(withOwnRetries(this.#bucket.file(key), signal), id);
    const connection = new NodeRequest(REQUEST_ID, id);
    signal.addEventListener("abort", () => connection.end(), { once: true });
    try {
      await file.save(body, options);
    } finally {
      connection.release();
    }
    const { generation } = file.metadata ?? {};
    return generation === undefined ? undefined : String(generation);
  }

  presentable(thrown: unknown): unknown {
    return thrown;
  }

  isMissing(thrown: unknown): boolean {
    return statusOf(thrown) === 404 && /bucket does not exist/i.test((thrown as Error).message);
  }

  #tried<T>(bounds: RequestBounds, attempt: () => Promise<T>): Promise<T> {
    const { autoRetry = true, maxRetries = MAX_TRIES } = this.#bucket.storage?.retryOptions ?? {};
    return withTries(autoRetry ? Math.min(maxRetries + 1, MAX_TRIES) : 1, bounds, attempt);
  }

  #request(uri: string, { signal }: RequestBounds): Promise<GcsAnswer> {
    const { userProject } = this.#bucket;
    const paid = userProject === undefined || userProject === ""
      ? uri
      : `${uri}&userProject=${encodeURIComponent(userProject)}`;
    return requestGcs((options) => this.#bucket.requestStream({ uri: paid, ...options }), signal);
  }

  #listUri(
    { prefix, after, until, pageSize = this.#pageSize }: ListOptions,
    token: string | undefined,
  ): string {
    const query = [
      `fields=${encodeURIComponent(GCS_FIELDS)}`,
      "prettyPrint=false",
    ];
    const add = (name: string, value: string) => query.push(`${name}=${encodeURIComponent(value)}`);
    if (pageSize !== undefined) add("maxResults", String(pageSize));
    if (prefix !== undefined && prefix !== "") add("prefix", prefix);
    if (after !== undefined && after !== "") add("startOffset", after);
    const end = endOffset(until);
    if (end !== undefined) add("endOffset", end);
    if (token !== undefined) add("pageToken", token);
    return `/o?${query.join("&")}`;
  }
}

/** The endpoint that requests go to; empty for every name of Google's own. */
export function gcsEndpoint({ storage }: GcsBucket): string {
  const { apiEndpoint } = storage ?? {};
  if (typeof apiEndpoint !== "string" || !URL.canParse(apiEndpoint)) return "";
  const { host, pathname } = new URL(apiEndpoint);
  return /(^|\.)googleapis\.com$/.test(host) ? "" : `${host}${pathname.replace(/\/$/, "")}`;
}

/** The generation in an ETag. Checked, as an invalid condition would be refused only later, or never. */
function generationOf(etag: string): string {
  if (/^\d{1,20}$/.test(etag)) return etag;
  throw new TypeError("'ifMatch' must be the ETag of an event or of 'put', which is a generation");
}

/**
 * Gives the file its own copy of the client's retry options, if there are any: a write without a condition turns
 * retries off in the client's options, for all later requests. Once `signal` aborts, nothing is tried again.
 */
function withOwnRetries(file: GcsFile, signal: AbortSignal): GcsFile {
  const { storage } = file as { storage?: { retryOptions?: OwnRetries } };
  const { retryOptions } = storage ?? {};
  if (storage === undefined || retryOptions === undefined) return file;
  const retryableErrorFn = (error: unknown) =>
    !signal.aborted && retryOptions.retryableErrorFn?.(error) === true;
  const own = { retryOptions: { value: { ...retryOptions, retryableErrorFn } } };
  return Object.defineProperty(file, "storage", { value: Object.create(storage, own) });
}

interface OwnRetries {
  readonly retryableErrorFn?: (error: unknown) => boolean;
}

/** Adds an id to all requests of the file, if it lets them be changed. */
function withRequestId(file: GcsFile, id: string): GcsFile {
  const { interceptors } = file as { interceptors?: unknown };
  if (!Array.isArray(interceptors)) return file;
  interceptors.push({
    request: (options: { headers?: Record<string, string> }) => ({
      ...options,
      headers: { ...options.headers, [REQUEST_ID]: id },
    }),
  });
  return file;
}
