/**
 * Suspects: sources whose next poll may hang, since they have not shown that they answer. They get at most half of the
 * polls, so that those that hang block no source that answers.
 */

/** A poll that takes longer, in milliseconds, makes its source a suspect. */
const SLOW = 1_000;

/**
 * Whether a source is a suspect from the end of this poll to the end of its next one. A source that was never polled is
 * one, too.
 */
export function isSuspectAfter(duration: number, hasFailed: boolean): boolean {
  return duration > SLOW || hasFailed;
}

/** How many polls of suspects may be under way at once: the others are kept for sources that answer. */
export function pollsForSuspects(polls: number): number {
  return Math.ceil(polls / 2);
}
