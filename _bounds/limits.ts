/** What bounds one request: the caller's signal, and a timeout. */
import { timerOf } from "./timer.ts";
import { callBack } from "./user_callback.ts";

/** The limits of one request. A class with few closures, as every request of thousands of sources has one. */
export class Limits {
  /** Aborts with the caller's signal and its reason, or at the timeout with an error. */
  readonly signal: AbortSignal;
  readonly #inner = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #timeout: number;
  readonly #timedOut: () => Error;
  #stopTimer: (() => void) | undefined;
  #giveUp: ((reason: unknown) => void) | undefined;

  /** Limits for a request that begins now. `timeout` is in milliseconds; `timedOut` makes its error. */
  constructor(outer: AbortSignal | undefined, timeout: number, timedOut: () => Error) {
    this.signal = this.#inner.signal;
    this.#outer = outer;
    this.#timeout = timeout;
    this.#timedOut = timedOut;
    this.startTimer();
    if (outer?.aborted) this.handleEvent();
    else outer?.addEventListener("abort", this, { once: true });
  }

  /** The caller's signal has aborted. */
  handleEvent(): void {
    this.#end(this.#outer?.reason);
  }

  #end(reason: unknown): void {
    this.#inner.abort(reason);
    this.#giveUp?.(this.signal.reason);
  }

  /**
   * Settles as `answer` does, or rejects with the signal's reason as soon as the signal aborts: the same as the
   * function `orAborted`, at less cost, but for one answer at a time. `tooLate` frees an answer that comes after
   * the abort, from a client that ignores the signal; errors of `tooLate` are dropped.
   */
  orAborted<T>(answer: PromiseLike<T>, tooLate?: (value: T) => unknown): Promise<T> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      if (signal.aborted) reject(signal.reason);
      answer.then((value) => {
        resolve(value);
        if (signal.aborted) callBack(() => tooLate?.(value), () => {});
      }, reject);
    });
  }

  stopTimer(): void {
    this.#stopTimer?.();
  }

  /** Starts the timeout again, for example for the next part of a body. */
  startTimer(): void {
    this.#stopTimer?.();
    this.#stopTimer = timerOf(this.#outer)(this.#timeout, () => this.#end(this.#timedOut()));
  }

  /** Stops the timer, and removes the listener from the caller's signal. */
  release(): void {
    this.#stopTimer?.();
    this.#outer?.removeEventListener("abort", this);
  }
}
