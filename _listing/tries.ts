/** Tries a request again, for a client that cannot be trusted to do so. */
import { startTimer } from "../_bounds/timer.ts";
import { isNetworkFailure } from "../_errors/network.ts";
import { askedWaitOf, statusOf } from "./store_error.ts";

/** The limits of one request, with all its tries. */
export interface RequestBounds {
  /** Aborts at the end of its time, or with the caller's signal. */
  readonly signal: AbortSignal;
  /** When its time ends, as `performance.now` counts. */
  readonly deadline: number;
  /** Why its last try failed: part of the timeout's error if the next try does not end in time. */
  failure?: unknown;
}

/** Milliseconds before the second try; twice as long before each further one. */
const FIRST_WAIT = 500;

/**
 * Makes attempts until one succeeds, fails for good, or is the last. Waits longer if the server asks for it, but
 * not past the deadline: then it throws the failure, which says how long to wait.
 */
export async function withTries<T>(
  tries: number,
  bounds: RequestBounds,
  attempt: () => Promise<T>,
): Promise<T> {
  const { signal, deadline } = bounds;
  for (let nth = 1;; nth++) {
    try {
      return await attempt();
    } catch (thrown) {
      if (signal.aborted || nth >= tries || !mayPass(thrown)) throw thrown;
      const own = FIRST_WAIT * 2 ** (nth - 1) * (1 + Math.random() / 2);
      const wait = Math.max(own, askedWaitOf(thrown).retryAfter ?? 0);
      if (performance.now() + wait >= deadline) throw thrown;
      bounds.failure = thrown;
      await sleep(wait, signal);
    }
  }
}

function mayPass(thrown: unknown): boolean {
  const status = statusOf(thrown);
  if (status === undefined) return isNetworkFailure(thrown);
  return status === 408 || status === 429 || status === 500 || status >= 502 && status <= 504;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      stop();
      reject(signal.reason);
    };
    const stop = startTimer(ms, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
