/** When all that is known is handed over once more. */

export class Resync {
  readonly #every: number | undefined;
  /** How often it was asked for, and up to which of these it was done. */
  #asked = 0;
  #done = 0;
  #lastAt: number | undefined;

  /**
   * @param every Milliseconds, if it is to be done by itself.
   * @param replay Whether the first poll is to do it.
   */
  constructor(every: number | undefined, replay: boolean) {
    this.#every = every;
    if (replay) this.#asked++;
  }

  ask(): void {
    this.#asked++;
  }

  /** To be called when a poll begins. Returns what to call with `delivered`; undefined if it is not to be done now. */
  begin(): number | undefined {
    const isTime = this.#every !== undefined && this.#lastAt !== undefined &&
      Math.abs(Date.now() - this.#lastAt) >= this.#every;
    return isTime || this.#done < this.#asked ? this.#asked : undefined;
  }

  /** The events of a poll were handled whole. */
  delivered(begun: number | undefined): void {
    if (begun === undefined && this.#lastAt !== undefined) return;
    this.#lastAt = Date.now(); // The very first poll hands over all, too.
    if (begun !== undefined) this.#done = begun;
  }
}
