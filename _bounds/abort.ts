/** Waits for a promise, but no longer than until a signal aborts, and leaves no listener behind. */

/**
 * Settles as `promise` does, or rejects with `signal.reason` as soon as the signal aborts. Always removes its
 * listener from the signal: `AbortSignal.any` on a long-lived signal would leak memory.
 */
export function orAborted<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    // Needed after an abort as well: a promise that fails late must not become an unhandled rejection.
    promise.then(
      (value) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener("abort", onAbort);
        reject(error);
      },
    );
  });
}
