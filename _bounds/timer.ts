/** Timers whose waits may be longer than the runtimes' own limit, and timers that many requests share. */

// On every runtime a longer delay becomes 1 ms, so that a wait of a month would become a busy loop.
const LONGEST_DELAY = 2 ** 31 - 1;

/** Calls `callback` once after `ms` milliseconds. Returns a function that cancels it. */
export type StartTimer = (ms: number, callback: () => void) => () => void;

/** A timer of its own. */
export function startTimer(ms: number, callback: () => void): () => void {
  let left = ms;
  let id: ReturnType<typeof setTimeout>;
  const arm = () => {
    const delay = Math.min(left, LONGEST_DELAY);
    left -= delay;
    id = setTimeout(left > 0 ? arm : callback, delay);
  };
  arm();
  return () => clearTimeout(id);
}

// On the signal itself: a `WeakMap` of signals would cost every poll more than the timer that it saves.
const SHARED = Symbol("shared timer");

interface Timed extends AbortSignal {
  [SHARED]?: StartTimer;
}

/**
 * Lets the requests that this signal aborts use a shared timer for their timeouts: one for each would take a tenth of
 * the time of a poll.
 */
export function shareTimer(signal: AbortSignal, start: StartTimer): void {
  (signal as Timed)[SHARED] = start;
}

/** What starts the timers of requests that this signal aborts. */
export function timerOf(signal: AbortSignal | undefined): StartTimer {
  return (signal as Timed | undefined)?.[SHARED] ?? startTimer;
}
