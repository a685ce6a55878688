/** Timers whose waits may be longer than the runtimes' own limit. */

// A longer delay overflows to 1 ms on every runtime: a hot loop where a month's wait was meant.
const LONGEST_DELAY = 2 ** 31 - 1;

/** Calls `callback` once after `ms` milliseconds. Returns a function that cancels it. */
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
