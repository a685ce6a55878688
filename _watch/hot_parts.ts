/** Parts that are polled more often than all of a source. */
import { checkPositive } from "../_errors/checks.ts";
import { checkPrefix } from "../_diff/part.ts";
import { Due } from "./due.ts";

/**
 * A part that changes often, such as the folder of the day.
 *
 * @example
 * ```ts
 * import type { HotPart } from "@koprs/external/watcher";
 *
 * const today: HotPart = {
 *   prefix: () => `logs/${new Date().toISOString().slice(0, 10)}/`,
 *   interval: 5_000,
 * };
 * console.assert(today.interval < 3_600_000);
 * ```
 */
export interface HotPart {
  /**
   * What its keys begin with, or what tells that before every poll. When it becomes another one, the one before is polled once
   * more. If the function throws, the poll fails with code `invalid`, and is tried again.
   */
  readonly prefix: string | (() => string);
  /** Milliseconds from the end of one good poll of this part, or of everything, to the next of this part. */
  readonly interval: number;
}

/** Checks the option `hot` of a watch. */
export function checkHotParts(hot: unknown): void {
  if (!Array.isArray(hot)) throw new TypeError("Cannot watch as 'hot' must be an array of parts");
  for (const part of hot) {
    if (typeof part !== "object" || part === null) {
      throw new TypeError("Cannot watch as a part in 'hot' must be an object");
    }
    if (typeof part.prefix !== "function") checkPrefix("watch", "prefix", part.prefix);
    checkPositive("watch", "interval", part.interval);
  }
}

class Hot {
  readonly #part: HotPart;
  readonly #lengthen: (interval: number) => number;
  #due: Due | undefined;
  #last: string | undefined;

  constructor(part: HotPart, lengthen: (interval: number) => number) {
    this.#part = part;
    this.#lengthen = lengthen;
  }

  get left(): number {
    return this.#due?.left ?? Infinity;
  }

  plan(): void {
    this.#due = new Due(this.#lengthen(this.#part.interval));
  }

  /** What to poll now: nobody is to miss what was written to a folder just before it was left. */
  prefixes(): string[] {
    const { prefix } = this.#part;
    const now = typeof prefix === "string" ? prefix : prefix();
    checkPrefix("poll a hot part", "prefix", now);
    const last = this.#last;
    this.#last = now;
    return last === undefined || last === now ? [now] : [last, now];
  }
}

export class HotParts {
  readonly #hots: readonly Hot[];
  /** Those that were asked for since they were planned. */
  #asked: Hot[] = [];

  /** @param lengthen Adds the jitter to an interval. */
  constructor(parts: readonly HotPart[], lengthen: (interval: number) => number) {
    this.#hots = parts.map((part) => new Hot(part, lengthen));
  }

  /** Milliseconds until the next one is due; Infinity if none is. */
  get left(): number {
    return Math.min(...this.#hots.map(({ left }) => left));
  }

  /** What is due. Throws what a function of the user's throws; then it is due again. */
  *due(): Iterable<string> {
    for (const hot of this.#hots) {
      if (hot.left > 0) continue;
      yield* hot.prefixes();
      this.#asked.push(hot);
    }
  }

  /** Plans those that were polled. */
  plan(): void {
    for (const hot of this.#asked) hot.plan();
    this.#asked = [];
  }

  /** Plans all of them, behind a poll of everything. */
  planAll(): void {
    for (const hot of this.#hots) hot.plan();
    this.#asked = [];
  }
}
