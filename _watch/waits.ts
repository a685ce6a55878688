/**
 * How long a watch waits between two polls: for the interval, or a back-off after a failure, lengthened by jitter and by
 * what a server asks for.
 */

/** What a wait depends on. Times are in milliseconds; `jitter` is a share from 0 to 1. */
export interface Pace {
  readonly interval: number;
  /** The wait after the first failure in a row. It doubles from there. */
  readonly minBackoff: number;
  readonly maxBackoff: number;
  /** The longest wait that a server can ask for. */
  readonly maxRetryAfter: number;
  readonly jitter: number;
}

/**
 * The wait after a good poll: the interval, lengthened by up to the jitter's share. If the server asked for a longer
 * one, that one, never above `maxRetryAfter`.
 */
export function waitAfterSuccess(
  { interval, maxRetryAfter, jitter }: Pace,
  random: () => number = Math.random,
  asked = 0,
): number {
  return lengthen(Math.max(interval, Math.min(asked, maxRetryAfter)), jitter, random);
}

/**
 * The wait after the n-th failure in a row, n from 1: `minBackoff × 2ⁿ⁻¹`, never above `maxBackoff`. If the server
 * asked for a longer wait in `Retry-After`, that one, never above `maxRetryAfter`. A server cannot make a wait
 * shorter.
 */
export function waitAfterFailure(
  failures: number,
  retryAfter: number | undefined,
  pace: Pace,
  random: () => number = Math.random,
): number {
  const { minBackoff, maxBackoff, maxRetryAfter, jitter } = pace;
  const backoff = Math.min(minBackoff * 2 ** (failures - 1), maxBackoff);
  // Not Math.max: a source's NaN would become a wait of NaN, which is no wait at all.
  const isAsked = retryAfter !== undefined && retryAfter > backoff;
  const [wait, most] = isAsked ? [retryAfter, maxRetryAfter] : [backoff, maxBackoff];
  return Math.min(lengthen(wait, jitter, random), most);
}

function lengthen(wait: number, jitter: number, random: () => number): number {
  return jitter === 0 ? wait : wait * (1 + jitter * random());
}
