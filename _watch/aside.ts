/** The items that handlers failed for: each comes again after a back-off of its own. */
import { steadyClock } from "../_bounds/steady_clock.ts";
import { type Pace, waitAfterFailure } from "./pace.ts";

interface Waiting {
  readonly key: string;
  readonly due: number;
}

export class Aside {
  readonly #pace: Pace;
  readonly #now: () => number = steadyClock();
  /** How often in a row each item has failed that was not handled since. */
  readonly #failures = new Map<string, number>();
  /** Those that wait for their time, the next to come first. */
  readonly #waiting: Waiting[] = [];

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** Items that were not handled since they failed, those that are being tried again included. */
  get size(): number {
    return this.#failures.size;
  }

  /** Milliseconds until the next item is due: 0 if one is. Undefined if none waits. */
  get left(): number | undefined {
    const next = this.#waiting[0];
    return next && Math.max(next.due - this.#now(), 0);
  }

  /** How often handling this item has failed in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** An item that was aside before: it is due now. */
  add(key: string): void {
    this.#failures.set(key, 0);
    this.#wait(key, this.#now());
  }

  /** Returns what attempt it was that has failed, and the milliseconds to wait for the next one. */
  failed(key: string): { readonly attempt: number; readonly wait: number } {
    const attempt = this.failures(key) + 1;
    this.#failures.set(key, attempt);
    const wait = Math.ceil(waitAfterFailure(attempt, undefined, this.#pace));
    this.#wait(key, this.#now() + wait);
    return { attempt, wait };
  }

  /** Returns whether the item had failed before. */
  handled(key: string): boolean {
    return this.#failures.delete(key);
  }

  /** An item that is due. It waits no more. */
  take(): string | undefined {
    return this.left === 0 ? this.#waiting.shift()?.key : undefined;
  }

  #wait(key: string, due: number): void {
    const waiting = this.#waiting;
    let low = 0, high = waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((waiting[middle] as Waiting).due <= due) low = middle + 1;
      else high = middle;
    }
    waiting.splice(low, 0, { key, due });
  }
}
