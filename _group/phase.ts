/**
 * Keeps the polls of many sources apart in time. Each source has a phase, the share of its interval at which it is to
 * be polled, and every new phase is far from those given before.
 */

/** The fractional part of the golden ratio: the fractional parts of its multiples divide a line most evenly. */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

export class Phases {
  // Random, since groups of several processes that poll one server must not poll in step.
  #next = Math.random();

  /** The next phase, from 0 to 1. */
  next(): number {
    const phase = this.#next;
    this.#next = (phase + GOLDEN) % 1;
    return phase;
  }
}

/**
 * Which share of the jitter, from 0 to 1, leads a source to its phase, or nearest to it. The jitter of a watch is
 * random. That of a group is used to move sources apart again that were polled together, such as after a reader that
 * took long.
 *
 * @param now The time of the group's clock, in milliseconds.
 * @param interval The shortest wait, in milliseconds. The jitter lengthens it.
 * @param jitter The largest share of the interval by which it is lengthened.
 */
export function shareTowards(phase: number, now: number, interval: number, jitter: number): number {
  const room = interval * jitter;
  if (room === 0) return 0;
  // The middle between the shortest and the longest wait, so that a source can move both ways.
  const period = interval + room / 2;
  const earliest = now + interval;
  const early = modulo(earliest - phase * period, period); // How far after its phase the earliest time is.
  const wait = early === 0 ? 0 : period - early;
  if (wait <= room) return wait / room;
  return early < period / 2 ? 0 : 1;
}

function modulo(a: number, b: number): number {
  return ((a % b) + b) % b;
}

/** How long a source waits for its first poll: at most its interval, in milliseconds. */
export function waitFor(phase: number, now: number, interval: number, jitter: number): number {
  const period = interval + interval * jitter / 2;
  return modulo(phase * period - now, period) * interval / period;
}
