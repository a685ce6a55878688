/**
 * A moment in the future. It is never further away than the wait it was made with, even if the wall clock is set
 * back.
 */
export class Due {
  /** In milliseconds since the epoch. */
  readonly at: number;
  /** The wait it was made with, in milliseconds. */
  readonly wait: number;

  /** @param wait Milliseconds from now. */
  constructor(wait: number) {
    // Timers take whole milliseconds. But a wait of less than one must not become 0.
    this.wait = Math.floor(wait) || wait;
    this.at = Date.now() + this.wait;
  }

  /** Milliseconds until then. */
  get left(): number {
    return Math.max(Math.min(this.at - Date.now(), this.wait), 0);
  }
}
