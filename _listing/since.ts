/** Collections that can say what changed: how to ask them, and since when. */
import { orAborted } from "../_bounds/abort.ts";
import type { PollOptions } from "../_diff/source.ts";
import { checkPositive } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { eachPage } from "./every_page.ts";

/** What changed since a token: one page of it. */
export interface ChangesPage<I> {
  /** Items that were added or changed, as they are now. */
  readonly items?: readonly I[];
  /** Keys of items that are gone. The next listing of everything finds those that the API does not report. */
  readonly removed?: readonly string[];
  /** The token to continue from next time. The last one counts. */
  readonly token?: string;
}

/**
 * How to ask a collection for what changed since the last poll.
 *
 * @example An API with a change log
 * ```ts
 * import { CollectionPoller } from "@koprs/external/collection";
 *
 * interface User {
 *   id: number;
 *   name: string;
 * }
 * const log = [{ id: 1, name: "Ada" }];
 * const users = new CollectionPoller<User>({
 *   name: "users",
 *   list: () => log,
 *   key: ({ id }) => String(id),
 *   since: {
 *     token: () => String(log.length),
 *     async *list(token) {
 *       yield { items: log.slice(Number(token)) };
 *     },
 *     sweep: 3_600_000,
 *   },
 * });
 * const { signal } = new AbortController();
 * console.assert([...await users.poll({ signal })].length === 1);
 * log.push({ id: 2, name: "Grace" });
 * const [event] = await users.poll({ signal });
 * console.assert(event?.item.name === "Grace");
 * ```
 */
export interface SinceOptions<I> {
  /**
   * Gives the position of the collection now: a cursor, or a time less what clocks may differ by. Called before
   * each listing of everything, and before each listing of changes until the pages of `list` give tokens.
   */
  token: (options: PollOptions) => string | Promise<string>;
  /**
   * Gives what changed since a token, page by page. Items that come twice, or did not change, do no harm. If it
   * throws an {@linkcode ExternalError} with status 410, the token is too old, and the same poll lists everything.
   */
  list: (token: string, options: PollOptions) => AsyncIterable<ChangesPage<I>>;
  /**
   * Milliseconds from one listing of everything to the next, which finds what was missed. A restart begins with
   * one, too.
   */
  sweep: number;
}

/** Keeps the token that the next poll continues from. */
export class Since<I> {
  readonly #name: string;
  readonly #options: SinceOptions<I>;
  #token: string | undefined;
  #sweptAt = 0;
  #polls = 0;
  /** Whether the pages of changes give tokens. */
  #givesTokens = false;

  constructor(name: string, options: SinceOptions<I>) {
    if (typeof options?.token !== "function" || typeof options.list !== "function") {
      throw new TypeError(
        `Cannot poll '${name}' as 'since' must have the functions 'token' and 'list'`,
      );
    }
    checkPositive("poll", "since.sweep", options.sweep);
    this.#name = name;
    this.#options = options;
  }

  /** Drops the token: a restored state is older than it. */
  forget(): void {
    this.#token = undefined;
  }

  /** Begins a poll. Returns the token to continue from; undefined if everything is to be listed. */
  begin({ all }: PollOptions): string | undefined {
    this.#polls++;
    const age = Date.now() - this.#sweptAt;
    const isFresh = age >= 0 && age < this.#options.sweep;
    return isFresh && all !== true ? this.#token : undefined;
  }

  /** The position of the collection before a listing. */
  async now(options: PollOptions): Promise<string> {
    const token: unknown = await orAborted(
      Promise.resolve(this.#options.token(options)),
      options.signal,
    );
    if (typeof token === "string") return token;
    throw this.#error(`'since.token' gave ${kindOf(token)}, no string`);
  }

  /** Reads what changed since a token. Returns the next token; undefined if this one is too old. */
  async read(
    token: string,
    options: PollOptions,
    take: (page: ChangesPage<I>) => void | Promise<void>,
  ): Promise<string | undefined> {
    let next = this.#givesTokens ? token : await this.now(options);
    try {
      const pages: ChangesPage<I>[] = [];
      await eachPage(this.#pages(token, options), options.signal, (page) => void pages.push(page));
      for (const page of pages) {
        if (typeof page !== "object" || page === null || Array.isArray(page)) {
          throw this.#error(`'since.list' gave a page that is ${kindOf(page)}, no object`);
        }
        await take(page);
        if (page.token === undefined) continue;
        this.#givesTokens = true;
        next = page.token;
      }
      return next;
    } catch (thrown) {
      if (thrown instanceof ExternalError && thrown.status === 410) return undefined;
      throw thrown;
    }
  }

  #pages(token: string, options: PollOptions): AsyncIterable<ChangesPage<I>> {
    const pages = this.#options.list(token, options);
    if (typeof pages?.[Symbol.asyncIterator] === "function") return pages;
    throw this.#error(`'since.list' gave ${kindOf(pages)}, no async iterable`);
  }

  /** Gives the events of a poll. After the last of them the token is kept for the next poll. */
  *commit<E>(events: Iterable<E>, token: string, sweptAt?: number): Iterable<E> {
    const poll = this.#polls;
    yield* events;
    // Another poll has begun meanwhile, so these events do not count as handled.
    if (poll !== this.#polls) return;
    this.#token = token;
    if (sweptAt !== undefined) this.#sweptAt = sweptAt;
  }

  #error(what: string): ExternalError {
    return new ExternalError("invalid", `Cannot poll '${this.#name}' as ${what}`, {
      source: this.#name,
    });
  }
}
