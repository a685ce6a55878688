/**
 * The caller's headers, token and user info of the URL: whatever may be secret is sent to the origin of that URL
 * only.
 */
import type { Limits } from "../_bounds/limits.ts";
import { decodePart } from "../_errors/secret_names.ts";
import { secretsOf } from "../_errors/redact.ts";
import type { Faults } from "./faults.ts";
import {
  copyHeaders,
  isFieldValue,
  mayBeSecret,
  ownHeaders,
  type PlainHeaders,
  portableHeaders,
} from "./headers.ts";
import type { RequestOptions } from "./options.ts";

export class Credentials {
  readonly #own: PlainHeaders;
  readonly #portable: PlainHeaders;
  readonly #token: (() => string | Promise<string>) | undefined;
  readonly #faults: Faults;

  /** Tells `faults` everything that is secret, and removes user info from `url`. */
  constructor(url: URL, options: RequestOptions, faults: Faults) {
    const headers = copyHeaders(options.headers);
    const token = options.bearerToken;
    this.#faults = faults;
    checkToken(token, headers);
    if (typeof token === "string") headers.set("authorization", `Bearer ${token}`);
    this.#token = typeof token === "function" ? token : undefined;
    // Only Deno and Bun accept user info in a URL, and errors would repeat it.
    if (url.username !== "" || url.password !== "") {
      const basic = this.#basic(url);
      if (token === undefined && !headers.has("authorization")) headers.set("authorization", basic);
    }
    this.#own = ownHeaders(headers);
    this.#portable = portableHeaders(this.#own);
    faults.hide(...secretsOf(url));
    for (const [name, value] of headers) this.#hideHeader(name, value);
    faults.credentials = this.#token !== undefined || [...headers.keys()].some(mayBeSecret);
  }

  /** Whether the token comes from a function, which is called before each request and again after a 401. */
  get asks(): boolean {
    return this.#token !== undefined;
  }

  /**
   * Whether to make a request once more, with a new token: after a first 401 to one with a token from a function.
   *
   * @param renewals How many times that was done in this exchange.
   */
  renews(status: number, renewals: number): boolean {
    return this.asks && status === 401 && renewals === 0;
  }

  /** The headers of a request, without a token that comes from a function: `authorize` adds that one. */
  headers(trusted: boolean): PlainHeaders {
    return trusted ? { ...this.#own } : { ...this.#portable };
  }

  /** Asks the function for a token, and adds it to the headers of a request. */
  async authorize(headers: PlainHeaders, limits: Limits): Promise<void> {
    let token: unknown;
    try {
      token = await limits.orAborted(Promise.resolve(this.#token?.()));
    } catch (thrown) {
      if (limits.signal.aborted) throw thrown;
      const reason = this.#faults.reason(thrown);
      throw this.#faults.error("invalid", `'bearerToken' failed: ${reason}`, { cause: thrown });
    }
    if (typeof token !== "string" || token === "") {
      throw this.#faults.error("invalid", "'bearerToken' must give a string that is not empty");
    }
    this.#faults.hideToken(token);
    if (!isFieldValue(token)) {
      throw this.#faults.error("invalid", "'bearerToken' gave characters no header can hold");
    }
    headers["authorization"] = `Bearer ${token}`;
  }

  /** Removes user info from the URL, and gives it as Basic credentials. */
  #basic(url: URL): string {
    const name = decodePart(url.username);
    const password = decodePart(url.password);
    // The name as well: some services take a key as the user name, with no password.
    this.#faults.hide(password, url.password, name, url.username);
    url.username = url.password = "";
    const binary = String.fromCharCode(...new TextEncoder().encode(`${name}:${password}`));
    return `Basic ${btoa(binary)}`;
  }

  #hideHeader(name: string, value: string): void {
    if (!mayBeSecret(name)) return;
    // The whole value and its parts, as in `Scheme key` and `name=key; name=key`.
    const parts = value.split(/[\s;,]+/).slice(name === "authorization" ? 1 : 0);
    this.#faults.hide(value, ...parts, ...parts.map((part) => part.replace(/^[^=]*=/, "")));
  }
}

function checkToken(token: unknown, headers: Headers): void {
  if (token === undefined) return;
  if (typeof token !== "function" && (typeof token !== "string" || token === "")) {
    throw new TypeError(
      "Cannot poll as 'bearerToken' must be a string that is not empty, or a function",
    );
  }
  if (typeof token === "string" && !isFieldValue(token)) {
    throw new TypeError("Cannot poll as 'bearerToken' has characters no header can hold");
  }
  if (headers.has("authorization")) {
    throw new TypeError("Cannot poll with both 'bearerToken' and a header 'authorization'");
  }
}
