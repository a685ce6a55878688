/** A moment to come. It is never further away than the wait that was chosen, whatever became of the wall clock. */
export class Due {
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** Milliseconds to it when it was chosen. */
  readonly wait: number;

  /** @param wait Milliseconds from now. */
  constructor(wait: number) {
    // Timers know no part of a millisecond. But a wait that is shorter than one must not become none.
    this.wait = Math.floor(wait) || wait;
    this.at = Date.now() + this.wait;
  }

  /** Milliseconds until then. */
  get left(): number {
    return Math.max(Math.min(this.at - Date.now(), this.wait), 0);
  }
}
