/** Ends listings whose pages do not. */

/** Pages in a row that may bring nothing: S3 and Azure give empty ones where much was deleted. */
const MAX_IDLE_PAGES = 10_000;

/** Watches the pages of one listing go by. */
export class PageGuard {
  readonly #fault: (what: string) => Error;
  readonly #maxIdle: number;
  readonly #tokens: Set<string> = new Set();
  #idle = 0;

  /**
   * @param fault Makes the error to throw from what is wrong, such as "the server gave a page token a second time".
   * @param maxIdle Pages in a row that may bring nothing.
   */
  constructor(fault: (what: string) => Error, maxIdle: number = MAX_IDLE_PAGES) {
    this.#fault = fault;
    this.#maxIdle = maxIdle;
  }

  /**
   * To be called behind each page that more are said to follow.
   *
   * @param token Where the next page is.
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
