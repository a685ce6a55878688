/**
 * Finds what changed from one snapshot to the next. Both are read side by side, and chunks that they share are skipped.
 */
import type { Codec } from "./codec.ts";
import { Cursor } from "./cursor.ts";
import type { Change, Snapshot } from "./snapshot.ts";

/** How many items changed. */
export interface ChangeCount {
  added: number;
  modified: number;
  removed: number;
}

/**
 * The changes that lead from `old` to `next`, in the byte order of the keys. They are found while the result is read.
 */
export function* changes<V>(old: Snapshot, next: Snapshot, codec: Codec<V>): Generator<Change<V>> {
  const a = new Cursor(old.chunks);
  const b = new Cursor(next.chunks);
  for (let step = firstDifference(a, b); step !== SAME; step = nextDifference(a, b, step)) {
    if (step === ADDED) yield { type: "added", item: b.value(codec) };
    else if (step === REMOVED) yield { type: "removed", item: a.value(codec) };
    else yield { type: "modified", item: b.value(codec), previous: a.value(codec) };
  }
}

/** The same, and the unchanged items as well: as `modified`, with `previous` equal to the item. */
export function* everything<V>(
  old: Snapshot,
  next: Snapshot,
  codec: Codec<V>,
): Generator<Change<V>> {
  const a = new Cursor(old.chunks);
  const b = new Cursor(next.chunks);
  while (!a.done || !b.done) {
    const order = a.done ? -1 : b.done ? 1 : b.compare(a.key, 0, a.keyLength);
    if (order < 0) yield { type: "added", item: b.value(codec) };
    else if (order > 0) yield { type: "removed", item: a.value(codec) };
    else yield { type: "modified", item: b.value(codec), previous: a.value(codec) };
    if (order <= 0) b.next();
    if (order >= 0) a.next();
  }
}

/** Counts the changes that lead from `old` to `next`, without making any. */
export function countChanges(old: Snapshot, next: Snapshot): ChangeCount {
  const count = { added: 0, modified: 0, removed: 0 };
  const a = new Cursor(old.chunks);
  const b = new Cursor(next.chunks);
  for (let step = firstDifference(a, b); step !== SAME; step = nextDifference(a, b, step)) {
    if (step === ADDED) count.added++;
    else if (step === REMOVED) count.removed++;
    else count.modified++;
  }
  return count;
}

type Step = 0 | 1 | 2 | 3;
const SAME = 0, ADDED = 1, MODIFIED = 2, REMOVED = 3;

/** Moves both cursors on to the next difference, from where they stand. */
function firstDifference(a: Cursor, b: Cursor): Step {
  while (!a.done || !b.done) {
    if (a.done) return ADDED;
    if (b.done) return REMOVED;
    // Both cursors reach a shared chunk at its first entry: neither can have passed that alone.
    if (a.chunk === b.chunk) {
      a.jump(a.index + 1);
      b.jump(b.index + 1);
      continue;
    }
    const order = b.compare(a.key, 0, a.keyLength);
    if (order < 0) return ADDED;
    if (order > 0) return REMOVED;
    if (!a.sameIdentity(b)) return MODIFIED;
    a.next();
    b.next();
  }
  return SAME;
}

/** The same, starting after the difference found last. */
function nextDifference(a: Cursor, b: Cursor, last: Step): Step {
  if (last !== ADDED) a.next();
  if (last !== REMOVED) b.next();
  return firstDifference(a, b);
}
