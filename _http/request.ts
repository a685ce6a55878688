/**
 * One HTTP exchange, as every source of this package makes it. It follows redirects itself, sends credentials only
 * to the origin of the caller's URL, limits time and size, leaves no body open, and shows no secret in an error.
 */
import { Limits } from "../_bounds/limits.ts";
import { ExternalError, type ExternalErrorCode } from "../_errors/external_error.ts";
import { type CadenceField, cadenceOf, type CadenceOptions, checkCadence } from "./cadence.ts";
import { Credentials } from "./credentials.ts";
import { type FaultOptions, Faults, type Place } from "./faults.ts";
import { parseUrl, type RequestOptions, type RequestSettings, settingsOf } from "./options.ts";
import { locationOf, Route } from "./redirects.ts";
import { checkCoding, discard, readBody } from "./whole_body.ts";

export type { RequestOptions };

/** One exchange. */
export interface Exchange {
  readonly signal: AbortSignal | undefined;
  readonly onRequest?: (() => void) | undefined;
  /** Default: the client's own URL. */
  readonly url?: URL | undefined;
  /**
   * False if the way to this URL led through another origin: then no credentials are sent, whatever the origin of
   * the URL. `Reply.trusted` of the answer that named the URL tells this.
   *
   * @default {true}
   */
  readonly trusted?: boolean | undefined;
  readonly method?: string;
  /** Sent to the client's origin only, unless the method changes nothing, such as `PROPFIND`. */
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** Further headers for a request to this URL, such as conditions that hold for no other. By lower-case names. */
  readonly headersFor?: ((url: string) => Record<string, string> | undefined) | undefined;
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

/** An answer whose body is still to be read. Its holder must release the limits. */
export interface Opened {
  readonly response: Response;
  /** Where it came from. */
  readonly route: Route;
  readonly limits: Limits;
  /** The `Accept-Encoding` that was sent. */
  readonly accepted: string;
}

/** The body of an answer whose body is not wanted. */
const NOTHING = /* @__PURE__ */ new Uint8Array();

export class HttpClient {
  /** The name of the source in errors. */
  readonly name: string;
  /** The URL, without user info and fragment. */
  readonly url: URL;
  readonly #origin: string;
  readonly #settings: RequestSettings;
  readonly #credentials: Credentials;
  readonly #faults: Faults;
  readonly #cadence: readonly CadenceField[];

  constructor(
    url: string | URL,
    options: RequestOptions & CadenceOptions & { name?: string | undefined },
  ) {
    this.url = parseUrl(url);
    this.#origin = this.url.origin;
    this.#cadence = checkCadence(options.cadence);
    this.#settings = settingsOf(options);
    this.#faults = new Faults(this.url, options.name);
    this.name = this.#faults.name;
    this.#credentials = new Credentials(this.url, options, this.#faults);
  }

  /** Makes one exchange, and reads its body if it is wanted. */
  exchange(exchange: Exchange): Promise<Reply> {
    return this.open(exchange).then((opened) => {
      const { response: { status, headers } } = opened;
      if (exchange.wants(status, headers)) return this.#withBody(opened);
      discard(opened.response);
      opened.limits.release();
      return replyOf(opened, NOTHING);
    });
  }

  async #withBody(opened: Opened): Promise<Reply> {
    try {
      return replyOf(opened, await this.#read(opened));
    } catch (thrown) {
      discard(opened.response);
      throw this.presentable(thrown, opened);
    } finally {
      opened.limits.release();
    }
  }

  /**
   * Makes the requests up to the final answer: follows redirects, and asks for a new token after a 401.
   *
   * @param late What the error says did not come within the timeout.
   */
  async open(exchange: Exchange, late = incomplete): Promise<Opened> {
    const { url = this.url, trusted, method = "GET", body, signal } = exchange;
    signal?.throwIfAborted();
    const route = new Route(this.#origin, this.#faults, { url, trusted, method, body });
    const { timeout } = this.#settings;
    const limits = new Limits(signal, timeout, () => {
      return this.error("timeout", `${late()} within ${timeout} ms; see 'timeout'`, {
        from: route,
      });
    });
    let renewals = 0;
    try {
      for (;;) {
        const headers = this.#credentials.headers(route.trusted);
        if (route.trusted && this.#credentials.asks) {
          await this.#credentials.authorize(headers, limits);
        }
        if (!route.turned) Object.assign(headers, exchange.headersFor?.(route.url.href));
        exchange.onRequest?.();
        const response = this.#checked(await this.#send(route, headers, limits));
        const location = locationOf(response);
        const refused = route.trusted && this.#credentials.renews(response.status, renewals);
        if (!refused && location === null) {
          return { response, route, limits, accepted: headers["accept-encoding"] ?? "identity" };
        }
        discard(response);
        if (refused) renewals++;
        else if (location !== null) route.follow(response.status, location);
      }
    } catch (thrown) {
      limits.release();
      throw this.presentable(thrown, { route, limits });
    }
  }

  /** The error that the caller sees: the reason of an abort, or an error without secrets. */
  presentable(thrown: unknown, { route, limits }: Pick<Opened, "route" | "limits">): unknown {
    if (limits.signal.aborted) return limits.signal.reason;
    return thrown instanceof ExternalError ? thrown : this.#faults.network(thrown, route);
  }

  /**
   * Milliseconds for which a good answer asks not to be polled again, by the headers that the option `cadence`
   * names.
   */
  cadenceOf({ status, headers }: Reply): number | undefined {
    return cadenceOf(this.#cadence, status, (name) => headers.get(name));
  }

  /** Throws for a body in a coding that was not asked for, or that not every runtime's `fetch` decodes. */
  checkCoding({ response, accepted, route }: Opened): void {
    checkCoding(response.headers, accepted, this.#faults, route);
  }

  /**
   * The error for an answer whose status is not a success.
   *
   * @param from Where the answer came from, such as the whole `Reply`, for the error to name.
   */
  statusError(status: number, headers: Headers, from?: Place): ExternalError {
    return this.#faults.status(status, headers, from);
  }

  /** An error that names the source, and also `from` if that is not the source's own URL. */
  error(code: ExternalErrorCode, what: string, options?: FaultOptions): ExternalError {
    return this.#faults.error(code, what, options);
  }

  #send(route: Route, headers: Record<string, string>, limits: Limits): Promise<Response> {
    const { method, body, url } = route;
    const request: RequestInit = { method, headers, signal: limits.signal, redirect: "manual" };
    if (body !== undefined) request.body = body;
    const answer = Promise.resolve(this.#settings.fetch(url.href, request));
    return limits.orAborted(answer, discard);
  }

  /** Checked by its shape: the `Response` of a custom fetch may be of another class. */
  #checked(response: Response): Response {
    if (typeof response?.headers?.get === "function") return response;
    throw this.error("invalid", "'fetch' must give a Response");
  }

  #read(opened: Opened): Promise<Uint8Array<ArrayBuffer>> {
    this.checkCoding(opened);
    const { response, route, limits, accepted } = opened;
    const { maxBytes } = this.#settings;
    const decoded = accepted !== "identity";
    return readBody(response, { limits, maxBytes, decoded, faults: this.#faults, from: route });
  }
}

function replyOf({ response, route }: Opened, body: Uint8Array<ArrayBuffer>): Reply {
  const { status, headers } = response;
  return { url: route.url.href, trusted: route.trusted, status, headers, body };
}

function incomplete(): string {
  return "no complete answer";
}
