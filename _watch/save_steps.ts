/** When the state is saved in the middle of a delivery, so that a crash does not start the delivery over. */

// A step is due after so many events or so many milliseconds, whichever comes first. The first steps come early, so
// that even a process that always dies within seconds makes progress. Then they become rarer: each takes twice the
// events and twice the time of the one before.
const FIRST_EVENTS = 100;
const FIRST_TIME = 250;
const MOST_EVENTS = 10_000;
const MOST_TIME = 5_000;
// Except for the first step, saving never takes more than about a tenth of the time: a large state takes long to write.
const SAVING_SHARE = 10;

/** The steps of a delivery. Times are in milliseconds, from the monotonic clock. */
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

  /** Whether it is time for a step. To be asked after an event was handled. */
  get isDue(): boolean {
    const time = performance.now();
    // The first step comes early even if saving is slow: otherwise a short-lived process might never reach it.
    if (this.#steps > 0 && time < this.#notBefore) return false;
    const growth = 2 ** this.#steps;
    return this.#events >= Math.min(FIRST_EVENTS * growth, MOST_EVENTS) ||
      time - this.#savedAt >= Math.min(FIRST_TIME * growth, MOST_TIME);
  }

  /**
   * To be called when any save begins, a step or not. Returns a function to call at its end, even if it failed: a full
   * disk must not be tried again after every event.
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
