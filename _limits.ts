/** What bounds one request: the caller's signal, and a timeout. */
import { startTimer } from "./_timer.ts";

export interface Limits {
  /** Aborts with the caller's signal and its reason, or at the timeout with an error. */
  readonly signal: AbortSignal;
  readonly stopTimer: () => void;
  /** Takes everything off again that was attached. */
  readonly release: () => void;
}

/** Limits for a request that begins now. `timedOut` makes the error of the timeout. */
export function limit(
  outer: AbortSignal | undefined,
  timeout: number,
  timedOut: () => Error,
): Limits {
  const inner = new AbortController();
  const stopTimer = startTimer(timeout, () => inner.abort(timedOut()));
  const onAbort = () => inner.abort(outer?.reason);
  if (outer?.aborted) onAbort();
  else outer?.addEventListener("abort", onAbort, { once: true });
  return {
    signal: inner.signal,
    stopTimer,
    release() {
      stopTimer();
      outer?.removeEventListener("abort", onAbort);
    },
  };
}
