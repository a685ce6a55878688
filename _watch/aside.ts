/** The items whose handlers failed: each is reported, and handed out again after a back-off of its own. */
import { steadyClock } from "../_bounds/steady_clock.ts";
import { handlerFailure } from "./failure.ts";
import type { Health } from "./health.ts";
import { type Pace, waitAfterFailure } from "./waits.ts";
import type { Reporter } from "./reporter.ts";

/** While this many items are set aside, no new event is handed out. */
const MOST_ASIDE = 10_000;

/** Whose items these are, and where their failures are reported. */
export interface AsideSetting {
  readonly source: { readonly name: string };
  readonly pace: Pace;
  readonly health: Pick<Health, "aside" | "lastError">;
  readonly reporter: Pick<Reporter, "failed" | "handledAll" | "warned">;
}

interface Waiting {
  readonly key: string;
  readonly due: number;
}

export class Aside {
  readonly #setting: AsideSetting;
  readonly #now: () => number = steadyClock();
  /** How many times in a row each item has failed. A handled item is taken out. */
  readonly #failures = new Map<string, number>();
  /** The items that wait for their next attempt, the earliest first. */
  readonly #waiting: Waiting[] = [];

  /** @param keys Those that were set aside before, such as by an earlier run. They are due now. */
  constructor(setting: AsideSetting, keys: Iterable<string>) {
    this.#setting = setting;
    for (const key of keys) {
      this.#failures.set(key, 0);
      this.#wait(key, this.#now());
    }
    setting.health.aside = this.size;
  }

  /** How many items have failed and were not handled since, including those that are being tried again. */
  get size(): number {
    return this.#failures.size;
  }

  /** Whether so many items are set aside that new events have to wait. */
  get isFull(): boolean {
    return this.size >= MOST_ASIDE;
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

  /**
   * To be called when the handler of an item has thrown, rejected or taken too long: sets the item aside until its
   * back-off is over, and reports why.
   */
  failed(key: string, thrown: unknown): void {
    const { source: { name }, pace, health, reporter } = this.#setting;
    const wasFull = this.isFull;
    const attempt = this.failures(key) + 1;
    this.#failures.set(key, attempt);
    const wait = Math.ceil(waitAfterFailure(attempt, undefined, pace));
    this.#wait(key, this.#now() + wait);
    const error = handlerFailure(name, key, attempt, thrown);
    health.lastError = error;
    health.aside = this.size;
    reporter.failed("handle", error, { attempt, wait });
    if (wasFull || !this.isFull) return;
    reporter.warned(
      `Holding back new events of '${name}' as ${this.size} items were set aside: some must be handled first`,
    );
  }

  /** To be called when an item was handled. It may have failed before. */
  handled(key: string): void {
    if (!this.#failures.delete(key)) return;
    const { health, reporter } = this.#setting;
    health.aside = this.size;
    if (this.size === 0) reporter.handledAll();
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
