/** When each source is due: one heap, one clock and one timer for all of them. */
import { steadyClock } from "../_bounds/steady_clock.ts";
import { startTimer } from "../_bounds/timer.ts";
import { Heap, type Placed } from "./heap.ts";

export class Timetable<E extends Placed> {
  readonly #heap = new Heap<E>();
  readonly #onDue: () => void;
  readonly #now: () => number = steadyClock();
  #stopTimer: (() => void) | undefined;
  #firesAt = Infinity;

  /** @param onDue Called by the timer when an entry is due. */
  constructor(onDue: () => void) {
    this.#onDue = onDue;
  }

  /**
   * The time in milliseconds. It follows the wall clock but never goes back: otherwise all entries would wait that much
   * longer.
   */
  get now(): number {
    return this.#now();
  }

  /** Plans an entry in `wait` milliseconds, or moves it. */
  plan(entry: E, wait: number): void {
    this.#heap.set(entry, this.now + wait);
  }

  /** Puts an entry back with the time at which it was due. */
  putBack(entry: E): void {
    this.#heap.set(entry, entry.due);
  }

  delete(entry: E): void {
    this.#heap.delete(entry);
  }

  /** Takes out the entry that has been due for longest. Undefined if none is due. */
  takeDue(): E | undefined {
    const { top } = this.#heap;
    if (top === undefined || top.due > this.now) return undefined;
    this.#heap.delete(top);
    return top;
  }

  /**
   * Sets the timer that calls `onDue` once, when the next entry is due. To be called again whenever the entries have
   * changed.
   */
  sleep(): void {
    const { top } = this.#heap;
    if (top === undefined) return this.wake();
    // A timer that fires too early is set again then. That costs less than setting it for every entry that moves.
    if (this.#stopTimer !== undefined && this.#firesAt <= top.due) return;
    this.wake();
    this.#firesAt = top.due;
    // Timers take whole milliseconds, and one that fires early would fire again and again.
    this.#stopTimer = startTimer(Math.max(Math.ceil(top.due - this.now), 0), () => {
      this.#stopTimer = undefined;
      this.#onDue();
    });
  }

  /** Stops the timer. */
  wake(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}
