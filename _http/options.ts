/** The options of requests, and their checks. */
import { checkPositive } from "../_errors/checks.ts";
import { redactInvalidUrl, redactUrl } from "../_errors/redact.ts";

const DEFAULT_TIMEOUT = 30_000;
const DEFAULT_MAX_BYTES = 16 * 1024 * 1024;

/** How to make requests: the options all HTTP sources share. */
export interface RequestOptions {
  /**
   * Sent with every request to the origin of the URL. `Cache-Control: max-age=0` and `Accept-Encoding: identity`
   * are added unless they are set here.
   *
   * If a redirect or a link leads to another origin, only headers that say nothing about the caller are sent there:
   * `Accept`, `Accept-Charset`, `Accept-Encoding`, `Accept-Language`, `Cache-Control`, `Pragma`, `Prefer` and
   * `User-Agent`. Any other header may hold a key, whatever its name. Once an exchange has left the origin, such
   * headers are not sent again in it, even if it leads back.
   */
  headers?: NonNullable<RequestInit["headers"]>;
  /**
   * Sent as `Authorization: Bearer …` to the origin of the URL, and to no other. A function is called before every
   * request, and once more after a 401: let it cache the token.
   */
  bearerToken?: string | (() => string | Promise<string>);
  /**
   * The function that makes the requests. Pass another one for a private CA, a client certificate or a proxy.
   *
   * @default {globalThis.fetch}
   */
  fetch?: typeof fetch;
  /**
   * The timeout of one request in milliseconds, including its redirects and its body. If the body is handed over as
   * a stream, it is the timeout of the answer, and then of each read of the body.
   *
   * @default {30_000}
   */
  timeout?: number;
  /**
   * The largest body that is read, in bytes. Does not apply to a body that is handed over as a stream.
   *
   * @default {16_777_216} 16 MiB
   */
  maxBytes?: number;
}

/** The options that make and bound the requests, checked. */
export interface RequestSettings {
  readonly fetch: typeof fetch;
  readonly timeout: number;
  readonly maxBytes: number;
}

/** Checks the options. */
export function settingsOf(options: RequestOptions): RequestSettings {
  const {
    fetch = (input: Parameters<typeof globalThis.fetch>[0], init?: RequestInit) =>
      globalThis.fetch(input, init),
    timeout = DEFAULT_TIMEOUT,
    maxBytes = DEFAULT_MAX_BYTES,
  } = options;
  if (typeof fetch !== "function") {
    throw new TypeError("Cannot poll as 'fetch' must be a function");
  }
  checkPositive("poll", "timeout", timeout);
  checkPositive("poll", "maxBytes", maxBytes);
  return { fetch, timeout, maxBytes };
}

/** Schemes that an error may name. Anything else before a colon may be a user name, with a password after it. */
const KNOWN_SCHEMES = ["about:", "blob:", "data:", "file:", "javascript:", "mailto:"];

/** An empty port and a later "@": the password begins with a character that should have been encoded. */
const SPLIT_PASSWORD = /^\s*https?:[\\/]*[^\\/?#@]*:[\\/?#].*@/is;

/** A copy of the URL, without its fragment. */
export function parseUrl(url: string | URL): URL {
  let parsed: URL;
  try {
    parsed = new URL(url);
    if (SPLIT_PASSWORD.test(String(url))) throw new TypeError();
  } catch {
    throw new TypeError(`Cannot poll as the URL is invalid: ${whyInvalid(url)}`);
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") {
    throw new TypeError(`Cannot poll ${whyNotHttp(parsed)}`);
  }
  parsed.hash = "";
  return parsed;
}

function whyInvalid(url: unknown): string {
  if (typeof url !== "string") return `it is of type ${typeof url}`;
  const shown = redactInvalidUrl(url);
  return shown.endsWith("…")
    ? `'${shown}': if '#', '/', '?', '@' or '\\' is in a user name or a password, it must be percent-encoded`
    : `'${shown}'`;
}

function whyNotHttp(url: URL): string {
  const { href, protocol } = url;
  const must = "as the URL must be http or https";
  if (/^[a-z]+:\/\//.test(href)) return `'${redactUrl(url)}' ${must}: it is ${protocol}`;
  if (KNOWN_SCHEMES.includes(protocol)) return `${must}: it is ${protocol}`;
  return `${must}, and begin with 'http://' or 'https://'`;
}
