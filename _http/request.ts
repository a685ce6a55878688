/**
 * One HTTP exchange as every source of this package makes it: redirects by hand, the caller's headers
 * and token kept to their origin, bounded in time and size, no body left behind, no secret in an error.
 */
import { boundedStream } from "../_bounds/bounded_stream.ts";
import { limit, type Limits } from "../_bounds/limits.ts";
import { ExternalError, type ExternalErrorCode } from "../_errors/external_error.ts";
import { discard, readBody } from "./body.ts";
import { checkCoding } from "./coding.ts";
import { Credentials } from "./credentials.ts";
import { type FaultOptions, Faults, type Place } from "./faults.ts";
import { parseUrl, type RequestOptions, type RequestSettings, settingsOf } from "./options.ts";
import { locationOf, Route } from "./route.ts";

export type { RequestOptions };

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
  /** Sent to the client's origin alone, unless the method is one that only asks. */
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

/** A reply whose body is still to be read. */
interface Opened {
  readonly response: Response;
  /** The `Accept-Encoding` that was sent. */
  readonly accepted: string;
}

export class HttpClient {
  /** What errors call the source. */
  readonly name: string;
  /** The URL, without user info and fragment. */
  readonly url: URL;
  readonly #settings: RequestSettings;
  readonly #credentials: Credentials;
  readonly #faults: Faults;

  constructor(url: string | URL, options: RequestOptions & { name?: string | undefined }) {
    this.url = parseUrl(url);
    this.#settings = settingsOf(options);
    this.#faults = new Faults(this.url, options.name);
    this.name = this.#faults.name;
    this.#credentials = new Credentials(this.url, options, this.#faults);
  }

  /** Makes one exchange, and reads its body if it is wanted. */
  async exchange(exchange: Exchange): Promise<Reply> {
    const route = this.#route(exchange);
    const limits = this.#limit(exchange.signal, () => this.#late(route));
    try {
      const { response, accepted } = await this.#open(exchange, route, limits);
      const { status, headers } = response;
      let body = new Uint8Array();
      if (exchange.wants(status, headers)) {
        body = await this.#read(response, accepted, route, limits);
      } else discard(response);
      return { url: route.url.href, trusted: route.trusted, status, headers, body };
    } catch (thrown) {
      throw this.#presentable(thrown, route, limits.signal);
    } finally {
      limits.release();
    }
  }

  /**
   * Makes one exchange and hands its body over as a stream. `timeout` bounds the time until the answer, and then
   * each read of the body. `maxBytes` does not hold: whoever asked for the stream decides how much of it to read.
   */
  async stream(exchange: Exchange): Promise<ReadableStream<Uint8Array>> {
    const route = this.#route(exchange);
    let answered = false;
    const limits = this.#limit(
      exchange.signal,
      () => answered ? this.#stalled(route) : this.#late(route),
    );
    try {
      const { response, accepted } = await this.#open(exchange, route, limits);
      limits.stopTimer();
      answered = true;
      this.#checkContent(exchange, response, accepted, route);
      const body = response.body ?? new Blob([]).stream();
      return boundedStream(
        body,
        limits,
        (thrown) => this.#presentable(thrown, route, limits.signal),
      );
    } catch (thrown) {
      limits.release();
      throw this.#presentable(thrown, route, limits.signal);
    }
  }

  /**
   * The error for an answer whose status is no success.
   *
   * @param from Where the answer came from, such as the whole `Reply`, for the error to name.
   */
  statusError(status: number, headers: Headers, from?: Place): ExternalError {
    return this.#faults.status(status, headers, from);
  }

  /** An error that names the source and, where `from` is not its own URL, that as well. */
  error(code: ExternalErrorCode, what: string, options?: FaultOptions): ExternalError {
    return this.#faults.error(code, what, options);
  }

  #route({ url = this.url, trusted, method = "GET", body }: Exchange): Route {
    return new Route(this.url.origin, this.#faults, { url, trusted, method, body });
  }

  /** A signal that aborts with the caller's, or at the timeout. */
  #limit(outer: AbortSignal | undefined, timedOut: () => Error): Limits {
    outer?.throwIfAborted();
    return limit(outer, this.#settings.timeout, timedOut);
  }

  #late(from: Place): Error {
    const { timeout } = this.#settings;
    return this.error("timeout", `no whole answer within ${timeout} ms; see 'timeout'`, { from });
  }

  #stalled(from: Place): Error {
    const { timeout } = this.#settings;
    return this.error("timeout", `nothing more of the body within ${timeout} ms; see 'timeout'`, {
      from,
    });
  }

  /** What the caller is to see of a failure: the reason of an abort, or an error without secrets. */
  #presentable(thrown: unknown, from: Place, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    return thrown instanceof ExternalError ? thrown : this.#faults.network(thrown, from);
  }

  /** Follows redirects and answers a 401, up to the answer that counts. */
  async #open(exchange: Exchange, route: Route, limits: Limits): Promise<Opened> {
    let tokenRenewed = false;
    for (;;) {
      const { trusted } = route;
      const headers = this.#credentials.headers(trusted);
      const asks = trusted && this.#credentials.asks;
      if (asks) await this.#credentials.authorize(headers, limits);
      if (!route.turned) Object.assign(headers, exchange.headersFor?.(route.url.href));
      exchange.onRequest?.();
      const response = await this.#ask(route, headers, limits);
      const location = locationOf(response);
      const refused = response.status === 401 && asks && !tokenRenewed;
      if (!refused && location === null) {
        return { response, accepted: headers["accept-encoding"] ?? "identity" };
      }
      discard(response);
      if (refused) tokenRenewed = true;
      else if (location !== null) route.follow(response.status, location);
    }
  }

  async #ask(route: Route, headers: Record<string, string>, limits: Limits): Promise<Response> {
    const { method, body, url } = route;
    const request: RequestInit = { method, headers, signal: limits.signal, redirect: "manual" };
    if (body !== undefined) request.body = body;
    const answer = Promise.resolve(this.#settings.fetch(url.href, request));
    const response = await limits.orAborted(answer, discard);
    // By shape: the Response of a fetch that is not the runtime's own is another class.
    if (typeof response?.headers?.get === "function") return response;
    throw this.error("invalid", "'fetch' must give a Response");
  }

  /** Throws, and frees the connection, unless the body is what is wanted. */
  #checkContent(exchange: Exchange, response: Response, accepted: string, from: Place): void {
    const { status, headers } = response;
    try {
      if (!exchange.wants(status, headers)) throw this.statusError(status, headers, from);
      checkCoding(headers, accepted, this.#faults, from);
    } catch (error) {
      discard(response);
      throw error;
    }
  }

  async #read(response: Response, accepted: string, from: Place, limits: Limits) {
    const { maxBytes } = this.#settings;
    const decoded = accepted !== "identity";
    try {
      checkCoding(response.headers, accepted, this.#faults, from);
      return await readBody(response, { limits, maxBytes, decoded, faults: this.#faults, from });
    } catch (error) {
      discard(response);
      throw error;
    }
  }
}
