/** Parts of a source that are polled more often than all of it. */
import { checkPositive } from "../_errors/checks.ts";
import { checkPrefix } from "../_diff/part.ts";
import { Due } from "./due.ts";

/**
 * A part that changes often, such as the folder of the current day.
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
   * The prefix of its keys, or a function that returns it, called before every poll of the part. When the prefix has
   * changed, the old one is polled once more as well. If the function throws, the poll fails with code `invalid`, and
   * is tried again.
   */
  readonly prefix: string | (() => string);
  /** Milliseconds from the end of a good poll, of this part or of everything, to the next poll of this part. */
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

  /**
   * The prefixes to poll now. After a change this includes the old one: something may have been written there just
   * before.
   */
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
  /** The parts that `due` has returned since they were last planned. */
  #asked: Hot[] = [];

  /** @param lengthen Adds the jitter to an interval. */
  constructor(parts: readonly HotPart[], lengthen: (interval: number) => number) {
    this.#hots = parts.map((part) => new Hot(part, lengthen));
  }

  /** Milliseconds until the next part is due; Infinity if none is planned. */
  get left(): number {
    return Math.min(...this.#hots.map(({ left }) => left));
  }

  /** The prefixes that are due. Throws what a `prefix` function throws; its part is still due then. */
  *due(): Iterable<string> {
    for (const hot of this.#hots) {
      if (hot.left > 0) continue;
      yield* hot.prefixes();
      this.#asked.push(hot);
    }
  }

  /** Plans the next poll of each part that was polled. */
  plan(): void {
    for (const hot of this.#asked) hot.plan();
    this.#asked = [];
  }

  /** Plans the next poll of every part, after a poll of everything. */
  planAll(): void {
    for (const hot of this.#hots) hot.plan();
    this.#asked = [];
  }
}
