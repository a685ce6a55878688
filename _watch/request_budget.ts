/** How many requests may be made: polls wait for what they cost, in place of a bill. */
import { checkPositive } from "../_errors/checks.ts";

/** How many requests, in how much time. */
export interface RequestLimit {
  /** Requests. */
  readonly count: number;
  /** Milliseconds. */
  readonly per: number;
}

/**
 * A budget of requests. Over time no more than `count` in `per` are made: a poll of everything waits until all requests
 * before it are earned, each in `per / count` milliseconds. A poll of a part may come up to `count` requests ahead, and the
 * next poll of everything waits for those, too. Several watches may share one.
 *
 * @example Two watches of one bucket
 * ```ts
 * import { RequestBudget, watchExternal } from "@koprs/external";
 * import { ObjectStorePoller } from "@koprs/external/store";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const store = new MemoryStore();
 * const maxRequests = new RequestBudget({ count: 100_000, per: 86_400_000 });
 * const [logs, images] = ["logs/", "images/"].map((prefix) =>
 *   watchExternal(new ObjectStorePoller(store, { prefix }), { interval: 30_000, maxRequests })
 * );
 * console.assert(logs !== images && maxRequests.left(false) === 0);
 * ```
 */
export class RequestBudget implements RequestLimit {
  /** Requests. */
  readonly count: number;
  /** Milliseconds. */
  readonly per: number;
  /** Milliseconds in which what was spent is earned, as of `#at`. */
  #debt = 0;
  #at = 0;

  /**
   * Nothing is spent yet.
   *
   * @param limit How many requests, in how much time.
   * @throws {TypeError} If one of them is no number.
   * @throws {RangeError} If one of them is not positive.
   */
  constructor(limit: RequestLimit) {
    const { count, per } = checkRequestLimit(limit);
    this.count = count;
    this.per = per;
  }

  /**
   * The budget of a limit: itself, if it is one.
   *
   * @param limit How many requests, in how much time.
   * @returns A budget that nothing was spent of, unless it is one that is shared.
   */
  static of(limit: RequestLimit): RequestBudget {
    return limit instanceof RequestBudget ? limit : new RequestBudget(limit);
  }

  /** One request more was made. */
  spend(): void {
    this.#debt = this.#owed() + this.per / this.count;
    this.#at = Date.now();
  }

  /**
   * Milliseconds until a poll may begin.
   *
   * @param isPart Whether it is one of a part.
   * @returns A whole number, 0 for now.
   */
  left(isPart: boolean): number {
    // Less than a whole request is none.
    const allowed = isPart ? this.per - this.per / this.count : 0;
    return Math.max(Math.ceil(this.#owed() - allowed), 0);
  }

  /** A wall clock that is set back earns nothing, and costs nothing. */
  #owed(): number {
    return Math.max(this.#debt - Math.max(Date.now() - this.#at, 0), 0);
  }
}

/** Checks the option `maxRequests`. */
export function checkRequestLimit(limit: RequestLimit): RequestLimit {
  if (typeof limit !== "object" || limit === null) {
    throw new TypeError("Cannot watch as 'maxRequests' must be an object with 'count' and 'per'");
  }
  checkPositive("watch", "maxRequests.count", limit.count);
  checkPositive("watch", "maxRequests.per", limit.per);
  return limit;
}
