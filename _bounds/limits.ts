/** What bounds one request: the caller's signal, and a timeout. */
import { startTimer } from "./timer.ts";

export interface Limits {
  /** Aborts with the caller's signal and its reason, or at the timeout with an error. */
  readonly signal: AbortSignal;
  /**
   * Settles as `answer` does, or rejects with the signal's reason as soon as the signal aborts: the same as the
   * function `orAborted`, at less cost, but for one answer at a time. `tooLate` frees an answer that comes after
   * the abort, from a client that ignores the signal; errors of `tooLate` are dropped.
   */
  readonly orAborted: <T>(answer: PromiseLike<T>, tooLate?: (value: T) => unknown) => Promise<T>;
  readonly stopTimer: () => void;
  /** Starts the timeout again, for example for the next part of a body. */
  readonly startTimer: () => void;
  /** Stops the timer, and removes the listener from the caller's signal. */
  readonly release: () => void;
}

/** Limits for a request that begins now. `timeout` is in milliseconds; `timedOut` makes its error. */
export function limit(
  outer: AbortSignal | undefined,
  timeout: number,
  timedOut: () => Error,
): Limits {
  const inner = new AbortController();
  const { signal } = inner;
  let giveUp: ((reason: unknown) => void) | undefined;
  const end = (reason: unknown) => {
    inner.abort(reason);
    giveUp?.(signal.reason);
  };
  const start = () => startTimer(timeout, () => end(timedOut()));
  let stopTimer = start();
  const onAbort = () => end(outer?.reason);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort, { once: true });
  return {
    signal,
    orAborted: (answer, tooLate) =>
      new Promise((resolve, reject) => {
        giveUp = reject;
        if (signal.aborted) reject(signal.reason);
        answer.then((value) => {
          resolve(value);
          if (signal.aborted) return tooLate?.(value);
        }, reject).then(undefined, () => {});
      }),
    stopTimer: () => stopTimer(),
    startTimer() {
      stopTimer();
      stopTimer = start();
    },
    release() {
      stopTimer();
      outer?.removeEventListener("abort", onAbort);
    },
  };
}
