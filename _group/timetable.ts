/** When each source is due, and when each request of a poll must have ended: one timer for all of them. */
import { steadyClock } from "../_bounds/steady_clock.ts";
import { startTimer } from "../_bounds/timer.ts";
import { Heap, type Placed } from "./heap.ts";

/** The timeout of a request. Its `due` is on the monotonic clock: no request has to end because a clock was set. */
class Timeout implements Placed {
  due = 0;
  slot = -1;
  readonly end: () => void;

  constructor(end: () => void) {
    this.end = end;
  }
}

export class Timetable<E extends Placed> {
  readonly #heap = new Heap<E>();
  readonly #timeouts = new Heap<Timeout>();
  readonly #onDue: () => void;
  readonly #now: () => number = steadyClock();
  /** Whether the timer is to call `onDue`. */
  #isAsleep = false;
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
    this.#isAsleep = true;
    this.#setTimer();
  }

  /** Calls `onDue` no more. The timeouts stay. */
  wake(): void {
    this.#isAsleep = false;
    if (!this.#hasNext) this.#clearTimer();
  }

  /** Calls `end` once after `ms` milliseconds, by the same timer. Returns a function that cancels it. */
  startTimeout(ms: number, end: () => void): () => void {
    const timeout = new Timeout(end);
    this.#timeouts.set(timeout, performance.now() + ms);
    this.#setTimer();
    return () => {
      this.#timeouts.delete(timeout);
      // A timer that fires in vain costs less than one that is set for each request.
      if (!this.#hasNext) this.#clearTimer();
    };
  }

  /** Sets the timer for what comes first. */
  #setTimer(): void {
    if (!this.#hasNext) return this.#clearTimer();
    const wait = this.#wait;
    const at = this.now + wait;
    // A timer that fires too early is set again then. That costs less than setting it for every entry that moves.
    if (this.#stopTimer !== undefined && this.#firesAt <= at) return;
    this.#clearTimer();
    this.#firesAt = at;
    // Timers take whole milliseconds, and one that fires early would fire again and again.
    this.#stopTimer = startTimer(Math.max(Math.ceil(wait), 0), () => this.#fired());
  }

  /** Whether the timer has something to do. */
  get #hasNext(): boolean {
    return this.#timeouts.top !== undefined || this.#isAsleep && this.#heap.top !== undefined;
  }

  /** Milliseconds until the timer has something to do. */
  get #wait(): number {
    const entry = this.#isAsleep ? this.#heap.top : undefined;
    const timeout = this.#timeouts.top;
    return Math.min(
      entry === undefined ? Infinity : entry.due - this.now,
      timeout === undefined ? Infinity : timeout.due - performance.now(),
    );
  }

  #fired(): void {
    this.#stopTimer = undefined;
    for (let top; (top = this.#timeouts.top) !== undefined && top.due <= performance.now();) {
      this.#timeouts.delete(top);
      top.end();
    }
    const { top } = this.#heap;
    if (this.#isAsleep && top !== undefined && top.due <= this.now) {
      this.#isAsleep = false;
      this.#onDue();
    }
    this.#setTimer();
  }

  #clearTimer(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}
