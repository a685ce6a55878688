/** The errors of one source's requests. Each names the source and where the request failed; none shows a secret. */
import { ExternalError, type ExternalErrorCode } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf, redactError, redactText, redactUrl } from "../_errors/redact.ts";
import { askedWait } from "./rate_limit.ts";

/** Where a request went. */
export interface Place {
  readonly url: string | URL;
  /** Whether the caller's credentials were sent there. */
  readonly trusted: boolean;
}

/** What else is known of a failure. */
export interface FaultOptions {
  readonly status?: number;
  readonly retryAfter?: number;
  readonly cause?: unknown;
  /** Where the failed request went, such as the `Reply`. The error names its URL if it is not the source's own. */
  readonly from?: Place;
}

const LONGEST_URL = 500;

/** Makes the errors of one source's requests. */
export class Faults {
  /** The name of the source in errors. */
  readonly name: string;
  /** Whether requests to the source's own origin hold something secret. */
  credentials = false;
  readonly #url: URL;
  readonly #secrets: string[] = [];
  #token: string | undefined;
  /** Whether the source has a name of its own: then the path of its URL may be a secret. */
  readonly #hidesPath: boolean;

  /**
   * @param url The URL of the source, without user info.
   * @param name The name that the caller gave, if any.
   */
  constructor(url: URL, name: string | undefined) {
    const shown = redactUrl(url);
    this.name = name ?? shown;
    this.#url = url;
    this.#hidesPath = !this.name.endsWith(shown) && url.pathname !== "/";
    if (this.#hidesPath) this.hide(url.host + url.pathname);
  }

  /** Remembers secrets that no error may show. */
  hide(...secrets: readonly string[]): void {
    for (const secret of secrets) this.#secrets.push(...formsOf(secret));
  }

  /** Remembers the token of the last request only: all tokens together would pile up. */
  hideToken(token: string): void {
    this.#token = token;
  }

  /**
   * An error that names the source. `what` is redacted, as a server or a callback may repeat a secret that it was
   * given.
   */
  error(code: ExternalErrorCode, what: string, options: FaultOptions = {}): ExternalError {
    const { status, retryAfter, cause, from } = options;
    return new ExternalError(
      code,
      `Cannot poll '${this.name}': ${this.#at(from)}${this.#shown(what)}`,
      {
        source: this.name,
        ...(status !== undefined && { status }),
        ...(retryAfter !== undefined && { retryAfter }),
        ...(cause !== undefined && { cause: redactError(cause, this.#known()) }),
      },
    );
  }

  /** The error for an answer whose status is not a success. */
  status(status: number, headers: Headers, from?: Place): ExternalError {
    const { retryAfter, rateLimit } = askedWait(status, (name) => headers.get(name));
    const hint = rateLimit ?? this.#hintFor(status, from);
    return this.error("status", `the server answered ${status}${hint === "" ? "" : `: ${hint}`}`, {
      status,
      ...(retryAfter !== undefined && { retryAfter }),
      ...(from !== undefined && { from }),
    });
  }

  /** The error for a connection that failed, from what was thrown. */
  network(thrown: unknown, from: Place): ExternalError {
    return this.error("network", this.reason(thrown), { cause: thrown, from });
  }

  /** The message of what was thrown, without secrets. */
  reason(thrown: unknown): string {
    return reasonOf(thrown, this.#known());
  }

  #hintFor(status: number, from: Place | undefined): string {
    if (status !== 401 && status !== 403) return "";
    if (this.credentials && from?.trusted === false) {
      return "no credentials were sent, as a redirect or link had led to another origin";
    }
    return status === 401 ? "check the credentials" : "check what the credentials allow";
  }

  /** A URL as a message may show it. */
  shownUrl(url: string | URL): string {
    return oneLine(this.#shown(redactUrl(new URL(url))), LONGEST_URL);
  }

  #at(from: Place | undefined): string {
    const elsewhere = from !== undefined && String(from.url) !== this.#url.href;
    return elsewhere ? `at ${this.shownUrl(from.url)}: ` : "";
  }

  #known(): string[] {
    return this.#token === undefined ? this.#secrets : [...this.#secrets, ...formsOf(this.#token)];
  }

  #shown(text: string): string {
    const { host, pathname } = this.#url;
    // The host is known already, and what follows the path tells one page from another.
    const known = this.#hidesPath ? text.replaceAll(host + pathname, `${host}/…`) : text;
    return redactText(known, this.#known());
  }
}

/** The forms in which a secret may appear in a message: by itself, in a URL, in JSON. */
function formsOf(secret: string): string[] {
  const whole = secret.trim().toWellFormed();
  const forms = [
    whole,
    encodeURIComponent(whole),
    encodeURI(whole),
    JSON.stringify(whole).slice(1, -1),
  ];
  return [secret, ...forms.filter((form) => form !== secret)];
}
