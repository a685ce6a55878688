/**
 * How the polls of many sources are kept apart. Each source has a phase, a share of its interval at which it is to be
 * polled, and every phase is far from those given before.
 */

/** The fraction of the golden ratio: its multiples, without their whole part, divide a line most evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

export class Phases {
  // Groups of several processes that ask one server are not to ask in step.
  #next = Math.random();

  /** The next phase, from 0 to 1. */
  next(): number {
    const phase = this.#next;
    this.#next = (phase + GOLDEN) % 1;
    return phase;
  }
}

/**
 * Which share of the jitter leads a source to its phase, or nearest to it: from 0 to 1. The jitter of a watch is chance.
 * That of a group is used to lead sources that came together, such as behind a reader that took its time, apart again.
 *
 * @param now The time of the group's clock.
 * @param interval The least wait, which the jitter lengthens.
 * @param jitter By which share of the interval, at most.
 */
export function shareTowards(phase: number, now: number, interval: number, jitter: number): number {
  const room = interval * jitter;
  if (room === 0) return 0;
  // In the middle between the shortest wait and the longest, so that it can be made up for both ways.
  const period = interval + room / 2;
  const earliest = now + interval;
  const early = modulo(earliest - phase * period, period); // How far behind its phase the earliest is.
  const wait = early === 0 ? 0 : period - early;
  if (wait <= room) return wait / room;
  return early < period / 2 ? 0 : 1;
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

/** How long a source waits for its first poll, at most its interval. */
export function waitFor(phase: number, now: number, interval: number, jitter: number): number {
  const period = interval + interval * jitter / 2;
  return modulo(phase * period - now, period) * interval / period;
}
