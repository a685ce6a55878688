/**
 * A moment in the future. It is never further away than the wait it was made with, even if the wall clock is set
 * back.
 */
export class Due {
  /** In milliseconds since the epoch. */
  at = 0;
  /** The wait it was made with, in milliseconds. */
  wait = 0;

  /** @param wait Milliseconds from now. */
  constructor(wait: number) {
    this.begin(wait);
  }

  /** Begins another wait: every poll has one, and a new object for each would live until the next poll. */
  begin(wait: number): void {
    // Timers take whole milliseconds. But a wait of less than one must not become 0.
    this.wait = Math.floor(wait) || wait;
    this.at = Date.now() + this.wait;
  }

  /** Milliseconds until then. */
  get left(): number {
    return Math.max(Math.min(this.at - Date.now(), this.wait), 0);
  }
}
