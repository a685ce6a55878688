/** The option `resync`: decides which polls hand over every known item again, changed or not. */

export class KnownAgain {
  readonly #every: number | undefined;
  /** How many times a resync was asked for, and how many of these are done. */
  #asked = 0;
  #done = 0;
  #lastAt: number | undefined;

  /**
   * @param every Milliseconds from one resync to the next; undefined to do it only when it is asked for.
   * @param replay Whether the first poll is a resync, too.
   */
  constructor(every: number | undefined, replay: boolean) {
    this.#every = every;
    if (replay) this.#asked++;
  }

  ask(): void {
    this.#asked++;
  }

  /** To be called when a poll begins. If the poll is to be a resync, returns what to call `delivered` with. */
  begin(): number | undefined {
    const isTime = this.#every !== undefined && this.#lastAt !== undefined &&
      Math.abs(Date.now() - this.#lastAt) >= this.#every;
    return isTime || this.#done < this.#asked ? this.#asked : undefined;
  }

  /** To be called when all events of a poll were handled. */
  delivered(begun: number | undefined): void {
    if (begun === undefined && this.#lastAt !== undefined) return;
    this.#lastAt = Date.now(); // The very first poll counts, too: it hands over everything.
    if (begun !== undefined) this.#done = begun;
  }
}
