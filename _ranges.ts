/** Listing the ranges of a key space side by side. */

/** The keys with `after < key <= until`. */
export interface Range {
  readonly after?: string;
  readonly until?: string;
}

/** The whole key space, cut at these keys. */
export function rangesBetween(cuts: readonly string[]): Range[] {
  return Array.from({ length: cuts.length + 1 }, (_, i) => {
    const after = cuts[i - 1];
    const until = cuts[i];
    return { ...(after !== undefined && { after }), ...(until !== undefined && { until }) };
  });
}

/**
 * Runs `list` for all ranges at once. The first to fail stops the others at once, and fails the whole.
 *
 * @returns The results in the order of the ranges.
 */
export async function listTogether<R>(
  ranges: readonly Range[],
  signal: AbortSignal,
  list: (range: Range, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const results = ranges.map((range) => list(range, stop.signal));
    const whole = Promise.all(results);
    // Each has stopped before this is over: the next poll must not meet a request of this one.
    await whole.catch((error) => {
      stop.abort(error);
      return Promise.allSettled(results);
    });
    return await whole;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
