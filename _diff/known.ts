/** Reads the values of a snapshot one at a time. */
import { textBytes } from "../_bytes/exact_text.ts";
import type { Codec } from "./codec.ts";
import { Cursor } from "./cursor.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * The values whose keys begin with a prefix, in the byte order of the keys, decoded while they are read. A snapshot
 * never changes, so a poll does not disturb the reading.
 */
export function* knownItems<V>(
  snapshot: Snapshot,
  codec: Codec<V>,
  prefix: string,
): Generator<V, void, undefined> {
  const start = textBytes(prefix);
  const cursor = new Cursor(snapshot.chunks);
  cursor.seek(start, 0, start.length);
  for (; !cursor.done && beginsWith(cursor, start); cursor.next()) yield cursor.value(codec);
}

function beginsWith({ key, keyLength }: Cursor, start: Uint8Array): boolean {
  return keyLength >= start.length && start.every((byte, i) => key[i] === byte);
}
