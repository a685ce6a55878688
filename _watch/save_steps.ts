/** When the state is saved in the middle of a delivery, so that a crash does not start the delivery over. */

// After so many events or so long, whichever comes first. Early at first, so that a process that always dies within
// seconds gets on; then less and less often: each step takes twice the events and twice the time of the one before.
const FIRST_EVENTS = 100;
const FIRST_TIME = 250;
const MOST_EVENTS = 10_000;
const MOST_TIME = 5_000;
// But the first never spends more than about a tenth of the time on saving: a large state takes long to write.
const SAVING_SHARE = 10;

/** The steps of a delivery. Times are milliseconds of a clock that never jumps. */
export class SaveSteps {
  /** Events handled since the last save. */
  #events = 0;
  /** Steps of this delivery so far. */
  #steps = 0;
  #savedAt = 0;
  #notBefore = 0;

  /** To be called when a delivery begins. */
  restart(): void {
    this.#steps = 0;
  }

  /** To be called for every event handled. */
  handled(): void {
    this.#events++;
  }

  /** Whether it is time for a step, behind an event that was handled. */
  get isDue(): boolean {
    const time = performance.now();
    // The first step comes early whatever it costs: else a slow disk would hold it back for longer than the
    // process lives.
    if (this.#steps > 0 && time < this.#notBefore) return false;
    const growth = 2 ** this.#steps;
    return this.#events >= Math.min(FIRST_EVENTS * growth, MOST_EVENTS) ||
      time - this.#savedAt >= Math.min(FIRST_TIME * growth, MOST_TIME);
  }

  /**
   * To be called when a save begins, be it a step or not. Returns what is to be called at its end, also when it
   * failed: a disk that is full is not tried again behind every event.
   */
  begin(): () => void {
    const startedAt = performance.now();
    const events = this.#events;
    return () => {
      this.#events -= events;
      this.#steps++;
      this.#savedAt = performance.now();
      this.#notBefore = this.#savedAt + SAVING_SHARE * (this.#savedAt - startedAt);
    };
  }
}
