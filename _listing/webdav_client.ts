/** The requests that a WebDAV store makes, and their errors. */
import { openStream } from "../_http/stream.ts";
import { reasonOf, redactUrl } from "../_errors/redact.ts";
import { checkName } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { HttpClient, type Reply, type RequestOptions } from "../_http/request.ts";
import { type DavResource, parseMultistatus } from "./multistatus.ts";

const PROPFIND = `<?xml version="1.0" encoding="utf-8"?>
<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>`;

/** Where a PROPFIND is sent. */
export interface DavPlace {
  readonly url: URL;
  /** Whether the way to the URL led only through the client's own origin: if not, no credentials are sent. */
  readonly trusted: boolean;
}

/** The answer to a PROPFIND. */
export interface DavReply extends Reply {
  /** The resources in it, if it is a multistatus. */
  readonly resources: readonly DavResource[] | undefined;
}

export class DavClient {
  /** The name of the store in errors. */
  readonly name: string;
  /** The folder: its path ends with a slash. */
  readonly url: URL;
  readonly #http: HttpClient;

  constructor(url: string | URL, options: RequestOptions & { name?: string | undefined }) {
    const folder = asFolder(url);
    const name = options.name ??
      (typeof folder === "string" ? undefined : `dav+${redactUrl(folder)}`);
    if (options.name !== undefined) checkName("poll", options.name);
    this.#http = new HttpClient(folder, { ...options, name });
    this.name = this.#http.name;
    this.url = this.#http.url;
  }

  /** The URL of a file. */
  urlOf(key: string): URL {
    return below(this.url, key);
  }

  /**
   * Asks for the properties of a resource, and of all that is in it if the depth is 1.
   *
   * @param doing What errors say has failed, such as "list".
   */
  async propfind(
    doing: string,
    { url, trusted }: DavPlace,
    depth: "0" | "1",
    signal: AbortSignal | undefined,
  ): Promise<DavReply> {
    let reply: Reply;
    try {
      reply = await this.#http.exchange({
        signal,
        url,
        trusted,
        method: "PROPFIND",
        body: PROPFIND,
        headersFor: () => ({ depth, "content-type": "application/xml; charset=utf-8" }),
        wants: (status) => status === 207,
      });
    } catch (thrown) {
      throw this.failure(doing, thrown);
    }
    if (reply.status !== 207) return { ...reply, resources: undefined };
    try {
      return { ...reply, resources: parseMultistatus(reply.body) };
    } catch (thrown) {
      throw this.error(doing, `the answer is not a complete listing: ${reasonOf(thrown)}`);
    }
  }

  /** The ETag of one file, as the server lists it. Undefined if it has none, or is gone. */
  async etagOf(
    doing: string,
    key: string,
    signal: AbortSignal | undefined,
  ): Promise<string | undefined> {
    const place = { url: this.urlOf(key), trusted: true };
    const { resources = [] } = await this.propfind(doing, place, "0", signal);
    return resources.length === 1 ? resources[0]?.etag : undefined;
  }

  /** Opens a file, if `wants` accepts the headers of a 200. Throws errors of the HTTP exchange: see `failure`. */
  async open(
    key: string,
    headers: Record<string, string>,
    wants: (headers: Headers) => boolean,
    signal: AbortSignal | undefined,
  ): Promise<ReadableStream<Uint8Array>> {
    return await openStream(this.#http, {
      signal,
      url: this.urlOf(key),
      headersFor: () => headers,
      wants: (status, headers) => status === 200 && wants(headers),
    });
  }

  /** Makes a request, and drops the body of the answer. */
  async send(
    method: "PUT" | "DELETE",
    key: string,
    signal: AbortSignal | undefined,
    headers: Record<string, string> = {},
    body?: Uint8Array,
  ): Promise<Reply> {
    try {
      return await this.#http.exchange({
        signal,
        url: this.urlOf(key),
        method,
        ...(body !== undefined && { body: new Uint8Array(body) }),
        headersFor: () => headers,
        wants: () => false,
      });
    } catch (thrown) {
      throw this.failure(`${method.toLowerCase()} '${key}' in`, thrown);
    }
  }

  /** The error for an answer whose status is not a success. */
  statusError(doing: string, reply: Reply): unknown {
    return this.failure(doing, this.#http.statusError(reply.status, reply.headers, reply));
  }

  /** An error of code `store`. */
  error(doing: string, why: string, status?: number): ExternalError {
    return this.failure(
      doing,
      this.#http.error("store", why, status === undefined ? {} : { status }),
    ) as ExternalError;
  }

  /** Turns an error of the HTTP exchange into one of this store. */
  failure(doing: string, thrown: unknown): unknown {
    if (!(thrown instanceof ExternalError) || thrown.source !== this.name) return thrown;
    const { code, status, retryAfter, cause } = thrown;
    const why = thrown.message.replace(`Cannot poll '${this.name}': `, "");
    const own = code === "status" || code === "protocol" ? "store" : code;
    return new ExternalError(own, `Cannot ${doing} '${this.name}': ${why}`, {
      source: this.name,
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(cause !== undefined && { cause }),
    });
  }
}

/** The URL with a final slash. Anything that is not a URL is returned as it is, for the HTTP client to refuse. */
function asFolder(url: string | URL): string | URL {
  try {
    const folder = new URL(url);
    if (!folder.pathname.endsWith("/")) folder.pathname += "/";
    folder.hash = "";
    return folder;
  } catch {
    return String(url);
  }
}

/** The URL of a path in a folder. */
export function below(folder: URL, path: string): URL {
  const url = new URL(folder);
  const base = url.pathname.endsWith("/") ? url.pathname : `${url.pathname}/`;
  url.pathname = base + path.split("/").map(encodeURIComponent).join("/");
  return url;
}

/** Whether a file can have this key. */
export function isKey(key: unknown): key is string {
  // A lone surrogate has no encoding in a URL.
  return typeof key === "string" && key.isWellFormed() &&
    key.split("/").every((name) => name !== "" && name !== "." && name !== "..");
}
