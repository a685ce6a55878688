/**
 * One HTTP exchange as every source of this package makes it: redirects by hand, the caller's headers
 * and token kept to their origin, bounded in time and size, no body left behind, no secret in an error.
 */
import { orAborted } from "../_bounds/abort.ts";
import { headerText } from "./headers.ts";
import { askedWait } from "./rate_limit.ts";
import { limit, type Limits } from "../_bounds/limits.ts";
import { checkPositive } from "../_errors/checks.ts";
import {
  reasonOf,
  redactError,
  redactInvalidUrl,
  redactText,
  redactUrl,
  secretsOf,
  withoutSecrets,
} from "../_errors/redact.ts";
import { ExternalError, type ExternalErrorCode } from "../_errors/external_error.ts";

const DEFAULT_TIMEOUT = 30_000;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;
const MAX_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

// Set by this package from what it knows; a fixed value would freeze what is seen.
const RESERVED_HEADERS = [
  "if-none-match",
  "if-modified-since",
  "if-match",
  "if-unmodified-since",
  "if-range",
  "range",
];

// Values that say nothing about who asks. All others may be keys, whatever their header is called.
const OPEN_HEADERS =
  /^(accept(-.*)?|cache-control|content-type|depth|host|pragma|prefer|user-agent)$/;

/** How to make requests: the options all HTTP sources share. */
export interface RequestOptions {
  /**
   * Sent with every request to the origin of the URL, and to no other. `Cache-Control: max-age=0` and
   * `Accept-Encoding: identity` are added unless they are here.
   */
  headers?: NonNullable<RequestInit["headers"]>;
  /**
   * Sent as `Authorization: Bearer …` to the origin of the URL, and to no other. A function is asked
   * before every request, and once more after a 401: cache the token in it.
   */
  bearerToken?: string | (() => string | Promise<string>);
  /**
   * What makes the requests. For a private CA, a client certificate or a proxy pass one that has them.
   *
   * @default {globalThis.fetch}
   */
  fetch?: typeof fetch;
  /**
   * Milliseconds for one request, its redirects and its body included.
   *
   * @default {30_000}
   */
  timeout?: number;
  /**
   * The largest body that is read, in bytes.
   *
   * @default {16_777_216} 16 MiB
   */
  maxBytes?: number;
}

/** One exchange. */
export interface Exchange {
  readonly signal: AbortSignal | undefined;
  readonly onRequest?: (() => void) | undefined;
  /** Default: the client's own URL. */
  readonly url?: URL;
  /**
   * False if the way to the URL led through another origin, as `Reply.trusted` of the answer that named it tells: then
   * nothing of the caller's is sent, whatever the origin of the URL.
   *
   * @default {true}
   */
  readonly trusted?: boolean;
  readonly method?: string;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Headers for a request to this URL, such as conditions that hold for no other. By lower-case names. */
  readonly headersFor?: (url: string) => Record<string, string> | undefined;
  /** Whether the body of an answer with this status is wanted. Others are cancelled unread. */
  readonly wants: (status: number, headers: Headers) => boolean;
}

/** The answer to an exchange. */
export interface Reply {
  /** The URL that answered, after redirects; without user info. */
  readonly url: string;
  /** Whether every request on the way to this answer went to the origin of the client's URL. */
  readonly trusted: boolean;
  readonly status: number;
  readonly headers: Headers;
  /** Empty where the body was not wanted. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * By lower-case names. No `Headers`: a fetch that is not the runtime's own may not know that class, and making one for each
 * request takes a tenth of the time of a poll.
 */
type PlainHeaders = Record<string, string>;

/** What every request has unless the caller says otherwise, and all that another origin gets. */
const FOREIGN_HEADERS: PlainHeaders = {
  // Node's fetch would add `no-cache` to a conditional request, which Express never answers with 304.
  "cache-control": "max-age=0",
  // Node's fetch takes a compressed body that was cut short for whole.
  "accept-encoding": "identity",
};

/** A reply whose body is still to be read. */
interface Opened {
  readonly url: string;
  readonly trusted: boolean;
  readonly response: Response;
  /** Whether the runtime was asked to decode a compressed body. */
  readonly compressed: boolean;
}

export class HttpClient {
  /** What errors call the source. */
  readonly name: string;
  /** The URL, without user info and fragment. */
  readonly url: URL;
  readonly #headers: Headers;
  readonly #ownHeaders: PlainHeaders;
  readonly #token: RequestOptions["bearerToken"];
  readonly #fetch: typeof fetch;
  readonly #timeout: number;
  readonly #maxBytes: number;
  readonly #secrets: string[] = [];
  #lastToken: string | undefined;

  constructor(url: string | URL, options: RequestOptions & { name?: string | undefined }) {
    const given = parseUrl(url);
    this.name = options.name ?? redactUrl(given);
    this.#headers = copyHeaders(options.headers);
    this.#token = options.bearerToken;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#timeout = options.timeout ?? DEFAULT_TIMEOUT;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    if (typeof this.name !== "string" || this.name === "") {
      throw new TypeError("Cannot poll as 'name' must be a string that is not empty");
    }
    if (typeof this.#fetch !== "function") {
      throw new TypeError("Cannot poll as 'fetch' must be a function");
    }
    checkPositive("poll", "timeout", this.#timeout);
    checkPositive("poll", "maxBytes", this.#maxBytes);
    this.#checkToken();
    // Only Deno and Bun take user info in a URL, and errors would repeat it.
    if (given.username !== "" || given.password !== "") this.#useUserInfo(given);
    this.url = given;
    this.#ownHeaders = { ...FOREIGN_HEADERS, ...Object.fromEntries(this.#headers) };
    this.#secrets.push(...secretsOf(given));
    for (const [name, value] of this.#headers) {
      // Whole and in parts: `Scheme key`, `name=key; name=key`.
      if (!OPEN_HEADERS.test(name)) {
        const parts = value.split(/[\s;,]+/).slice(name === "authorization" ? 1 : 0);
        this.#secrets.push(value, ...parts, ...parts.map((part) => part.replace(/^[^=]*=/, "")));
      }
    }
  }

  /** Makes one exchange, and reads its body if it is wanted. */
  async exchange(exchange: Exchange): Promise<Reply> {
    const limits = this.#limit(exchange.signal);
    try {
      const opened = await this.#open(exchange, limits);
      const { response, url, trusted } = opened;
      const { status, headers } = response;
      if (exchange.wants(status, headers)) {
        return { url, trusted, status, headers, body: await this.#readBody(opened, limits.signal) };
      }
      discard(response);
      return { url, trusted, status, headers, body: new Uint8Array() };
    } catch (thrown) {
      throw this.#presentable(thrown, limits.signal);
    } finally {
      limits.release();
    }
  }

  /**
   * Makes one exchange and hands its body over as a stream. `timeout` bounds the time until the answer,
   * `maxBytes` does not hold: whoever asked for the stream decides how much of it to read.
   */
  async stream(exchange: Exchange): Promise<ReadableStream<Uint8Array>> {
    const limits = this.#limit(exchange.signal);
    try {
      const { response } = await this.#open(exchange, limits);
      limits.stopTimer();
      if (!exchange.wants(response.status, response.headers)) {
        discard(response);
        throw this.statusError(response.status, response.headers);
      }
      const failed = (thrown: unknown) => this.#presentable(thrown, limits.signal);
      return onceRead(response.body ?? new Blob([]).stream(), limits.release, failed);
    } catch (thrown) {
      limits.release();
      throw this.#presentable(thrown, limits.signal);
    }
  }

  /**
   * The error for an answer whose status is no success.
   *
   * @param from Where the answer came from, such as the whole `Reply`, for the error to name.
   */
  statusError(
    status: number,
    headers: Headers,
    _from?: Pick<Reply, "url" | "trusted">,
  ): ExternalError {
    const { retryAfter, rateLimit } = askedWait(status, (name) => headers.get(name));
    const hint = rateLimit === undefined ? hintFor(status) : `: ${rateLimit}`;
    return this.error("status", `the server answered ${status}${hint}`, {
      status,
      ...(retryAfter !== undefined && { retryAfter }),
    });
  }

  /** An error that names the source. */
  error(
    code: ExternalErrorCode,
    what: string,
    options: { status?: number; retryAfter?: number; cause?: unknown } = {},
  ): ExternalError {
    // What a server or a callback said is part of it, and may repeat what it was given.
    const secrets = this.#knownSecrets();
    return new ExternalError(code, `Cannot poll '${this.name}': ${redactText(what, secrets)}`, {
      source: this.name,
      ...options,
      ...("cause" in options && { cause: withoutSecrets(options.cause, secrets) }),
    });
  }

  /** A signal that aborts with the caller's, or at the timeout. */
  #limit(outer: AbortSignal | undefined): Limits {
    outer?.throwIfAborted();
    return limit(
      outer,
      this.#timeout,
      () => this.error("timeout", `no whole answer within ${this.#timeout} ms; see 'timeout'`),
    );
  }

  /** What the caller is to see of a failure: the reason of an abort, or an error without secrets. */
  #presentable(thrown: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    return thrown instanceof ExternalError ? thrown : this.#networkError(thrown);
  }

  #networkError(thrown: unknown): ExternalError {
    const secrets = this.#knownSecrets();
    return this.error("network", reasonOf(thrown, secrets), {
      cause: redactError(thrown, secrets),
    });
  }

  #knownSecrets(): string[] {
    return this.#lastToken === undefined ? this.#secrets : [this.#lastToken, ...this.#secrets];
  }

  /** Follows redirects and answers a 401, up to the answer that counts. */
  async #open(exchange: Exchange, limits: Limits): Promise<Opened> {
    let url = exchange.url ?? this.url;
    const { signal } = limits;
    let { method = "GET", body } = exchange;
    let trusted = exchange.trusted !== false && url.origin === this.url.origin;
    let tokenRenewed = false;
    const seen = [url.href];
    for (;;) {
      const headers = { ...(trusted ? this.#ownHeaders : FOREIGN_HEADERS) };
      if (trusted && this.#token !== undefined) {
        headers["authorization"] = `Bearer ${await this.#askToken(signal)}`;
      }
      Object.assign(headers, exchange.headersFor?.(url.href));
      exchange.onRequest?.();
      const request: RequestInit = { method, headers, signal, redirect: "manual" };
      if (body !== undefined) request.body = body;
      const answer = Promise.resolve(this.#fetch(url.href, request));
      const response = await limits.orAborted(answer, discard);
      // By shape: the Response of a fetch that is not the runtime's own is another class.
      if (typeof response?.headers?.get !== "function") {
        throw this.error("invalid", "'fetch' must give a Response");
      }
      const { status } = response;

      if (status === 401 && trusted && !tokenRenewed && typeof this.#token === "function") {
        discard(response);
        tokenRenewed = true;
        continue;
      }
      const location = REDIRECTS.includes(status) ? response.headers.get("location") : null;
      if (location === null) {
        const codings = headers["accept-encoding"] ?? "identity";
        return { url: url.href, trusted, response, compressed: codings !== "identity" };
      }
      discard(response);
      url = this.#nextUrl(headerText(location), url, seen);
      trusted &&= url.origin === this.url.origin;
      if (status === 303) {
        method = "GET";
        body = undefined;
      }
    }
  }

  async #askToken(signal: AbortSignal): Promise<string> {
    let token: unknown = this.#token;
    if (typeof token === "function") {
      try {
        token = await orAborted(Promise.resolve(token()), signal);
      } catch (thrown) {
        if (signal.aborted) throw thrown;
        const secrets = this.#knownSecrets();
        throw this.error("invalid", `'bearerToken' failed: ${reasonOf(thrown, secrets)}`, {
          cause: redactError(thrown, secrets),
        });
      }
    }
    if (typeof token !== "string" || token === "") {
      throw this.error("invalid", "'bearerToken' must give a string that is not empty");
    }
    this.#lastToken = token.trim();
    try {
      new Headers({ authorization: `Bearer ${token}` });
    } catch {
      throw this.error("invalid", "'bearerToken' gave characters no header can hold");
    }
    return token;
  }

  #nextUrl(location: string, from: URL, seen: string[]): URL {
    let url: URL;
    try {
      url = new URL(location, from);
    } catch {
      throw this.error("protocol", "a redirect to an invalid URL");
    }
    url.username = url.password = url.hash = "";
    const shown = redactUrl(url);
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      throw this.error(
        "protocol",
        `a redirect to ${url.protocol} is not followed, only to http(s)`,
      );
    }
    if (seen.includes(url.href)) throw this.error("protocol", `a redirect loop through ${shown}`);
    if (seen.length > MAX_REDIRECTS) {
      throw this.error("protocol", `more than ${MAX_REDIRECTS} redirects, the next to ${shown}`);
    }
    seen.push(url.href);
    return url;
  }

  async #readBody({ response, compressed }: Opened, signal: AbortSignal) {
    const { headers } = response;
    const coding = headers.get("content-encoding")?.toLowerCase() ?? "identity";
    const length = parseLength(headers);
    try {
      if (coding !== "identity" && coding !== "") this.#checkCoding(coding, compressed);
      if (length !== undefined && length > this.#maxBytes) throw this.#tooLarge();
      const bytes = await this.#collect(response, signal);
      if (length !== undefined && length !== bytes.length && !compressed) {
        throw this.error(
          "protocol",
          `a body of ${bytes.length} bytes where Content-Length says ${length}`,
        );
      }
      return bytes;
    } catch (error) {
      discard(response);
      throw error;
    }
  }

  #checkCoding(coding: string, compressed: boolean): void {
    if (!/^(x-)?gzip$|^deflate$|^br$/.test(coding)) {
      throw this.error("protocol", `a body in the unknown Content-Encoding '${coding}'`);
    }
    if (!compressed) {
      throw this.error(
        "protocol",
        `a body in Content-Encoding '${coding}', though none was asked for: if the server cannot ` +
          `send it plain, set the header 'Accept-Encoding: ${coding}'`,
      );
    }
  }

  async #collect(response: Response, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    if (response.body === null) return new Uint8Array();
    const reader = response.body.getReader();
    try {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for (;;) {
        const { done, value } = await orAborted(reader.read(), signal);
        if (done) return join(chunks, size);
        size += value.length;
        if (size > this.#maxBytes) throw this.#tooLarge();
        chunks.push(value);
      }
    } catch (error) {
      reader.cancel().catch(() => {}); // It failed already, for a reason that is thrown.
      throw error;
    } finally {
      reader.releaseLock();
    }
  }

  #tooLarge(): ExternalError {
    return this.error(
      "too-large",
      `a body of more than ${this.#maxBytes} bytes; raise 'maxBytes' if that is right`,
    );
  }

  #checkToken(): void {
    const token = this.#token;
    if (token === undefined) return;
    if (typeof token !== "function" && (typeof token !== "string" || token === "")) {
      throw new TypeError(
        "Cannot poll as 'bearerToken' must be a string that is not empty, or a function",
      );
    }
    if (typeof token === "string") {
      setHeader(new Headers(), "authorization", `Bearer ${token}`, "bearerToken");
    }
    if (this.#headers.has("authorization")) {
      throw new TypeError("Cannot poll with both 'bearerToken' and a header 'authorization'");
    }
  }

  #useUserInfo(url: URL): void {
    const password = decodePart(url.password);
    const credentials = `${decodePart(url.username)}:${password}`;
    // The name too: some services take a key for it, with no password.
    this.#secrets.push(password, url.password, decodePart(url.username), url.username);
    url.username = url.password = "";
    if (this.#token !== undefined || this.#headers.has("authorization")) return;
    const binary = String.fromCharCode(...new TextEncoder().encode(credentials));
    this.#headers.set("authorization", `Basic ${btoa(binary)}`);
  }
}

function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(`Cannot poll as the URL is invalid: '${redactInvalidUrl(String(url))}'`);
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new TypeError(
      `Cannot poll '${
        redactUrl(parsed)
      }' as the URL must be http or https: it is ${parsed.protocol}`,
    );
  }
  parsed.hash = "";
  return parsed;
}

function decodePart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // A lone percent sign stands for itself.
  }
}

function copyHeaders(init: RequestOptions["headers"]): Headers {
  let headers: Headers;
  try {
    headers = new Headers(init);
  } catch {
    // The runtime's message repeats the value, which may be a key.
    throw new TypeError("Cannot poll as 'headers' has an invalid name or value");
  }
  for (const name of RESERVED_HEADERS) {
    if (headers.has(name)) {
      throw new TypeError(`Cannot poll with a header '${name}': the poller sets it itself`);
    }
  }
  return headers;
}

function setHeader(headers: Headers, name: string, value: string, option: string): void {
  try {
    headers.set(name, value);
  } catch {
    throw new TypeError(`Cannot poll as '${option}' has characters no header can hold`);
  }
}

function parseLength(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The same bytes, with `done` called once they are read, cancelled or broken. */
function onceRead(
  body: ReadableStream<Uint8Array>,
  done: () => void,
  presentable: (thrown: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done: ended, value } = await reader.read();
        if (!ended) return controller.enqueue(value);
        done();
        controller.close();
      } catch (thrown) {
        done();
        throw presentable(thrown);
      }
    },
    cancel(reason) {
      done();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** Cancels a body nobody will read, or the connection would stay taken. */
function discard(response: Response): void {
  // A locked body is being cancelled by whoever reads it; a broken one has nothing left to free.
  if (!response.body?.locked) response.body?.cancel().catch(() => {});
}

function hintFor(status: number): string {
  switch (status) {
    case 401:
      return ": check the credentials";
    case 403:
      return ": check what the credentials allow";
    default:
      return "";
  }
}
