/** How long a watch waits between two polls. */

/** What decides a wait, all in milliseconds but `jitter`, a share from 0 to 1. */
export interface Pace {
  readonly interval: number;
  readonly maxBackoff: number;
  readonly jitter: number;
}

/** The wait after a good poll: the interval, lengthened by up to the jitter's share. */
export function waitAfterSuccess(pace: Pace, random: () => number = Math.random): number {
  return lengthen(pace.interval, pace.jitter, random);
}

/**
 * The wait after the n-th failure in a row, n from 1: `interval × 2ⁿ`, lifted to what the server asked
 * for in `Retry-After`, never above `maxBackoff`. A server cannot shorten a wait, only lengthen it.
 */
export function waitAfterFailure(
  failures: number,
  retryAfter: number | undefined,
  pace: Pace,
  random: () => number = Math.random,
): number {
  const { interval, maxBackoff, jitter } = pace;
  let backoff = interval * 2 ** failures;
  // Not Math.max: a source's NaN would become a wait of NaN, which is no wait at all.
  if (retryAfter !== undefined && retryAfter > backoff) backoff = retryAfter;
  return Math.min(lengthen(Math.min(backoff, maxBackoff), jitter, random), maxBackoff);
}

function lengthen(wait: number, jitter: number, random: () => number): number {
  return wait * (1 + jitter * random());
}
