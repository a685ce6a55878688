/** Groups keys that are asked for together: one request by a prefix lists all of them. */
import { textBytes } from "../_bytes/exact_text.ts";
import { compareKeys } from "../_bytes/order.ts";
import { Cursor } from "../_diff/cursor.ts";
import type { Snapshot } from "../_diff/snapshot.ts";

/** Keys that are listed with one prefix. */
export interface KeyGroup {
  readonly prefix: string;
  /** In UTF-8 byte order. */
  readonly keys: readonly string[];
}

/** The most known keys under the prefix of a group, so that it has room to grow within one page. */
const MOST_KNOWN = 500;

/**
 * Groups the keys.
 *
 * @param known Tells how many keys there are under a prefix. If undefined, each key is a group of its own.
 */
export function groupKeys(keys: Iterable<string>, known: Snapshot | undefined): KeyGroup[] {
  const sorted = [...keys].sort(compareKeys);
  const groups: KeyGroup[] = [];
  let group: { prefix: string; keys: string[] } | undefined;
  for (const key of sorted) {
    const prefix = group && commonPrefix(group.prefix, key);
    if (group === undefined || !prefix || known === undefined || !isShort(known, prefix)) {
      group = { prefix: key, keys: [] };
      groups.push(group);
    } else group.prefix = prefix;
    group.keys.push(key);
  }
  return groups;
}

/** The beginning that both share, without half of a surrogate pair. */
function commonPrefix(a: string, b: string): string {
  let end = 0;
  while (end < a.length && a[end] === b[end]) end++;
  const prefix = a.slice(0, end);
  return prefix.isWellFormed() ? prefix : prefix.slice(0, -1);
}

/** Whether a listing of this prefix should take one page. */
function isShort({ chunks }: Snapshot, prefix: string): boolean {
  const beginning = textBytes(prefix);
  const cursor = new Cursor(chunks);
  cursor.seek(beginning, 0, beginning.length);
  for (let count = 0; !cursor.done; cursor.next()) {
    for (let i = 0; i < beginning.length; i++) {
      if (i >= cursor.keyLength || cursor.key[i] !== beginning[i]) return true;
    }
    if (++count > MOST_KNOWN) return false;
  }
  return true;
}
