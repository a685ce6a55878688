/** The items whose handlers failed: each is handed out again after a back-off of its own. */
import { steadyClock } from "../_bounds/steady_clock.ts";
import { type Pace, waitAfterFailure } from "./pace.ts";

interface Waiting {
  readonly key: string;
  readonly due: number;
}

export class Aside {
  readonly #pace: Pace;
  readonly #now: () => number = steadyClock();
  /** How many times in a row each item has failed. A handled item is taken out. */
  readonly #failures = new Map<string, number>();
  /** The items that wait for their next attempt, the earliest first. */
  readonly #waiting: Waiting[] = [];

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** How many items have failed and were not handled since, including those that are being tried again. */
  get size(): number {
    return this.#failures.size;
  }

  /** Milliseconds until the next item is due: 0 if one is due now. Undefined if none waits. */
  get left(): number | undefined {
    const next = this.#waiting[0];
    return next && Math.max(next.due - this.#now(), 0);
  }

  /** How many times in a row this item has failed. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Adds an item that was set aside before, such as by an earlier run. It is due now. */
  add(key: string): void {
    this.#failures.set(key, 0);
    this.#wait(key, this.#now());
  }

  /** Records a failed attempt. Returns its number, and the milliseconds to wait before the next one. */
  failed(key: string): { readonly attempt: number; readonly wait: number } {
    const attempt = this.failures(key) + 1;
    this.#failures.set(key, attempt);
    const wait = Math.ceil(waitAfterFailure(attempt, undefined, this.#pace));
    this.#wait(key, this.#now() + wait);
    return { attempt, wait };
  }

  /** Records that the item was handled. Returns whether it had failed before. */
  handled(key: string): boolean {
    return this.#failures.delete(key);
  }

  /** Takes out an item that is due. Undefined if none is due. */
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
