/** Runs tasks side by side, as one: the first that fails stops the others. */

/** Begins a task, unless one has failed already. */
export type Start = (task: (signal: AbortSignal) => Promise<void>) => void;

/**
 * Runs tasks side by side, until all that were started are done. The first one that fails stops the others at once;
 * then this rejects with its error.
 *
 * @param begin Starts the first tasks. These may start more.
 */
export async function together(signal: AbortSignal, begin: (start: Start) => void): Promise<void> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const tasks: Promise<void>[] = [];
  try {
    begin((task) => {
      if (stop.signal.aborted) return;
      tasks.push(task(stop.signal).catch((error) => stop.abort(error)));
    });
    // Waits until each has stopped: the next poll must not meet a request of this one. Tasks may be added
    // meanwhile.
    for (let i = 0; i < tasks.length; i++) await tasks[i];
    stop.signal.throwIfAborted();
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
