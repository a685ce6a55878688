/** When a source is to be polled next. */
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./pace.ts";

export class Schedule {
  readonly pace: Pace;
  /** From 0 to 1: which share of the jitter lengthens the wait after a good poll. */
  jitterShare: () => number = Math.random;
  #wait = 0;
  #due: number | undefined;
  #refresh = false;

  constructor(pace: Pace) {
    this.pace = pace;
  }

  /** When the next poll is due, in whole milliseconds since the epoch. Undefined while none is planned. */
  get nextPoll(): number | undefined {
    return this.#due === undefined ? undefined : Math.ceil(this.#due);
  }

  /** Plans the poll after a good one. */
  afterSuccess(): void {
    this.#plan(waitAfterSuccess(this.pace, this.jitterShare));
  }

  /** Plans the poll after the n-th failure in a row. Returns the wait in whole milliseconds. */
  afterFailure(failures: number, retryAfter: number | undefined): number {
    this.#plan(waitAfterFailure(failures, retryAfter, this.pace));
    return Math.ceil(this.#wait);
  }

  /** Plans no poll, as long as one is under way, and at the end. */
  clear(): void {
    this.#refresh = false;
    this.#due = undefined;
  }

  /** Makes the next poll due now. */
  refresh(): void {
    this.#refresh = true;
  }

  /** Milliseconds until the next poll. Never more than the wait that was chosen, whatever became of the wall clock. */
  get left(): number {
    if (this.#due === undefined || this.#refresh) return 0;
    return Math.max(Math.min(this.#due - Date.now(), this.#wait), 0);
  }

  #plan(wait: number): void {
    // Timers know no part of a millisecond. But a wait that is shorter than one must not become none.
    this.#wait = Math.floor(wait) || wait;
    this.#due = Date.now() + this.#wait;
  }
}
