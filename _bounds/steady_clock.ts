/** The wall clock, except that it never goes back: otherwise a clock that is set back would make waits longer. */

/** Makes a clock that gives the time in milliseconds. */
export function steadyClock(): () => number {
  let last = Date.now();
  let setBack = 0;
  return () => {
    const time = Date.now();
    if (time < last) setBack += last - time;
    last = time;
    return time + setBack;
  };
}
