/** The route of one exchange: its current URL, and where a redirect leads. */
import type { Faults, Place } from "./faults.ts";
import { headerText } from "./headers.ts";

const MAX_REDIRECTS = 5;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** The body of such a request only says what is asked for, and changes nothing. */
const SAFE_METHODS = /^(GET|HEAD|OPTIONS|PROPFIND|REPORT|SEARCH)$/;

/** Where an answer leads, if it is a redirect; null if it is not. */
export function locationOf({ status, headers }: Response): string | null {
  return REDIRECTS.includes(status) ? headers.get("location") : null;
}

/** The route of one exchange through its redirects. */
export class Route implements Place {
  url: URL;
  /** Whether every request so far went to the client's origin. Once false, it stays false. */
  trusted: boolean;
  method: string;
  body: string | Uint8Array<ArrayBuffer> | undefined;
  /** Whether a 303 turned it into another request, for which the conditions of the first do not hold. */
  turned = false;
  readonly #origin: string;
  readonly #faults: Faults;
  #seen: string[];
  #redirects = 0;

  /** @param origin The origin that credentials may be sent to. */
  constructor(
    origin: string,
    faults: Faults,
    start: {
      readonly url: URL;
      readonly trusted: boolean | undefined;
      readonly method: string;
      readonly body: string | Uint8Array<ArrayBuffer> | undefined;
    },
  ) {
    this.#origin = origin;
    this.#faults = faults;
    this.url = start.url;
    this.method = start.method;
    this.body = start.body;
    this.trusted = start.trusted !== false && start.url.origin === origin;
    this.#seen = [start.url.href];
  }

  /** Follows a redirect. Throws if it may not be followed. */
  follow(status: number, location: string): void {
    const url = this.#target(headerText(location));
    if (status === 303 && this.method !== "GET" && this.method !== "HEAD") this.#turn();
    this.#check(url);
    this.#seen.push(url.href);
    this.#redirects++;
    this.trusted &&= url.origin === this.#origin;
    this.url = url;
  }

  #target(location: string): URL {
    let url: URL;
    try {
      url = new URL(location, this.url);
    } catch {
      throw this.#fault("a redirect to an invalid URL");
    }
    url.username = url.password = url.hash = "";
    return url;
  }

  /** The result is to be read at another URL, with a GET: the body is not sent again. */
  #turn(): void {
    this.method = "GET";
    this.body = undefined;
    this.turned = true;
    this.#seen = [];
  }

  #check(url: URL): void {
    const { protocol } = url;
    if (protocol !== "http:" && protocol !== "https:") {
      throw this.#fault(`a redirect to ${protocol} is not followed, only to http(s)`);
    }
    const shown = () => this.#faults.shownUrl(url);
    if (this.#seen.includes(url.href)) throw this.#fault(`a redirect loop through ${shown()}`);
    if (this.#redirects >= MAX_REDIRECTS) {
      throw this.#fault(`more than ${MAX_REDIRECTS} redirects, the next to ${shown()}`);
    }
    const carries = this.body !== undefined && !SAFE_METHODS.test(this.method);
    if (carries && (!this.trusted || url.origin !== this.#origin)) {
      throw this.#fault(
        `the server redirects a ${this.method} to another origin, ${shown()}, and its body is not sent there`,
      );
    }
  }

  #fault(what: string): Error {
    return this.#faults.error("protocol", what, { from: this });
  }
}
