/** Timers whose waits may be longer than the runtimes' own limit. */

// On every runtime a longer delay becomes 1 ms, so that a wait of a month would become a busy loop.
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
