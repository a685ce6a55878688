/** A limit on the number of requests: polls wait so that they do not exceed it. */
import { checkPositive } from "../_errors/checks.ts";

/** How many requests, in how much time. */
export interface RequestLimit {
  /** Requests. */
  readonly count: number;
  /** Milliseconds. */
  readonly per: number;
}

/**
 * A budget of requests: on average no more than `count` are made in `per` milliseconds. Each request costs
 * `per / count` milliseconds, and a poll of everything waits until that much time has passed for all requests before
 * it. A poll of a part may begin while fewer than `count` requests are still unpaid; the next poll of everything waits
 * for those, too. Several watches may share one budget.
 *
 * @example Two watches of one bucket share a budget
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
  /** Milliseconds until everything that was spent is paid for, as of `#at`. */
  #debt = 0;
  #at = 0;

  /**
   * Creates a budget of which nothing is spent yet.
   *
   * @param limit How many requests, in how much time.
   * @throws {TypeError} If the limit is not an object, or `count` or `per` is not a number.
   * @throws {RangeError} If `count` or `per` is not positive.
   */
  constructor(limit: RequestLimit) {
    const { count, per } = checkRequestLimit(limit);
    this.count = count;
    this.per = per;
  }

  /**
   * The budget for a limit: the limit itself, if it is a budget.
   *
   * @param limit How many requests, in how much time.
   * @returns The given budget, which may be shared, or a new one.
   */
  static of(limit: RequestLimit): RequestBudget {
    return limit instanceof RequestBudget ? limit : new RequestBudget(limit);
  }

  /** Counts one more request. */
  spend(): void {
    this.#debt = this.#owed() + this.per / this.count;
    this.#at = Date.now();
  }

  /**
   * Milliseconds until a poll may begin.
   *
   * @param isPart Whether it is a poll of a part.
   * @returns A whole number; 0 if it may begin now.
   */
  left(isPart: boolean): number {
    // A poll of a part may begin once one whole request is free.
    const allowed = isPart ? this.per - this.per / this.count : 0;
    return Math.max(Math.ceil(this.#owed() - allowed), 0);
  }

  /** Milliseconds until all is paid for. A wall clock that is set back has no effect on it. */
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
