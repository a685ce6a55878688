/** Ends listings whose pages do not end, or are too large. */
import { ExternalError } from "../_errors/external_error.ts";

/** The largest page that is accepted. A page of the longest keys, with every character escaped, needs a third of it. */
export const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** The error for a page of more than {@linkcode MAX_PAGE_BYTES}. */
export function pageTooLarge(source: string): ExternalError {
  return new ExternalError(
    "too-large",
    `Cannot list '${source}' as a page has more than ${MAX_PAGE_BYTES} bytes: check where the client sends requests`,
    { source },
  );
}

/** So many pages in a row without anything new end a listing. S3 and Azure give empty pages where much was deleted. */
const MAX_IDLE_PAGES = 10_000;

/** Checks the pages of one listing as they come. */
export class PageGuard {
  readonly #fault: (what: string) => Error;
  readonly #maxIdle: number;
  readonly #tokens: Set<string> = new Set();
  #idle = 0;

  /**
   * @param fault Makes the error to throw from what is wrong, such as "the server gave a page token a second time".
   * @param maxIdle How many pages in a row without anything new end the listing.
   */
  constructor(fault: (what: string) => Error, maxIdle: number = MAX_IDLE_PAGES) {
    this.#fault = fault;
    this.#maxIdle = maxIdle;
  }

  /**
   * Call it after each page that is not the last.
   *
   * @param token The token of the next page.
   * @param brought Whether this page brought anything new.
   */
  next(token: string, brought: boolean): void {
    if (this.#tokens.has(token)) throw this.#fault("the server gave a page token a second time");
    this.#tokens.add(token);
    this.#idle = brought ? 0 : this.#idle + 1;
    if (this.#idle >= this.#maxIdle) {
      throw this.#fault(`${this.#maxIdle} pages in a row brought nothing new`);
    }
  }
}
