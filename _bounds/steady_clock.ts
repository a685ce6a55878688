/** The wall clock, except that it never goes back: nothing may wait longer than it was told to. */

/** A clock of its own, in milliseconds. */
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
