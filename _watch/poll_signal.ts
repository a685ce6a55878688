/**
 * The signal of one poll. Each poll has a controller of its own, and the watch tells it to abort: a listener of each
 * poll on the caller's signal, or a signal derived from it, would stay as long as that one, and pile up.
 */
export class PollSignal {
  readonly #controller = new AbortController();
  #giveUp: ((reason: unknown) => void) | undefined;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#giveUp?.(this.signal.reason);
  }

  /**
   * Settles as the answer does, or rejects as soon as the poll is aborted, whatever the source does. It has no listener,
   * which would cost every poll. So there can be one answer at a time.
   *
   * @param goesOn Called at the abort, if the answer has not settled.
   */
  orAborted<R>(answer: Promise<R>, goesOn: () => void): Promise<R> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      answer.then((result) => {
        isOver = true;
        resolve(result);
      }, (thrown) => {
        isOver = true;
        reject(thrown);
      });
      this.#giveUp = (reason) => {
        reject(reason);
        if (!isOver) goesOn();
      };
      if (this.signal.aborted) this.#giveUp(this.signal.reason);
    });
  }
}
