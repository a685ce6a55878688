/**
 * The diff engine: a keyed listing as sorted, front-coded bytes.
 *
 * ```ts ignore
 * const builder = new ObjectBuilder(old);       // builder.ts; an entry that equals one of `old` costs one compare
 * for await (const page of store.list()) {
 *   for (const object of page) {
 *     if (tooYoung(object)) builder.keep(object.key);  // its entry in `old`, if it has one
 *     else builder.add(object);                 // any order; the last of a repeated key wins
 *   }
 * }
 * const next = builder.finish();
 * for (const change of changes(old, next, objectCodec)) …;   // changes.ts; lazy, in the shape of `ExternalEvent`
 * old = next;                                   // commit
 * ```
 *
 * - **A scanner of listing bytes** calls `addRaw` and `keepRaw` instead, and creates no strings. Both ways write the
 *   same bytes and can be mixed.
 * - **Ranges in parallel**: list each range `after < key <= until` into its own
 *   `new ObjectBuilder(old.slice(after, until))`; then `Snapshot.concat(parts)` in the order of the ranges.
 * - **Collections**: `ItemBuilder` and `itemCodec` in place of the object ones; all else is the same.
 * - **In the middle of a delivery**, once the event of key K was handled, the state is `splice(next, old, K)`: `next`
 *   up to and including K, and `old` after it.
 * - **Checkpoints**: `saved_state.ts`.
 *
 * A snapshot is a list of chunks, and a chunk is a run of entries (`entry.ts`) in the byte order of their keys, each
 * front-coded against the one before (`front_coding.ts`). Neither ever changes, and two snapshots share the chunks that
 * are equal in both.
 *
 * @module
 */

import { textBytes } from "../_bytes/exact_text.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Codec } from "./codec.ts";
import { behind, type Chunk, Cursor, head, lastOf, tail } from "./cursor.ts";

/** One change, in the same shape as `ExternalEvent`. */
export type Change<V> =
  | { readonly type: "added"; readonly item: V }
  | { readonly type: "modified"; readonly item: V; readonly previous: V }
  | { readonly type: "removed"; readonly item: V };

/** A sorted listing. See the top of this file. */
export class Snapshot {
  /** A snapshot without entries. */
  static readonly empty: Snapshot = /* @__PURE__ */ new Snapshot([]);

  /** The chunks, in the order of their keys. */
  readonly chunks: readonly Chunk[];
  /** Entries in all chunks. */
  readonly count: number;
  /** Bytes of all chunks. */
  readonly byteLength: number;

  constructor(chunks: readonly Chunk[]) {
    this.chunks = chunks;
    this.count = chunks.reduce((sum, chunk) => sum + chunk.count, 0);
    this.byteLength = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  }

  /** The value of a key. */
  get<V>(key: string, codec: Codec<V>): V | undefined {
    const cursor = new Cursor(this.chunks);
    const bytes = textBytes(key);
    cursor.seek(bytes, 0, bytes.length);
    return !cursor.done && cursor.compare(bytes, 0, bytes.length) === 0
      ? cursor.value(codec)
      : undefined;
  }

  /** Every value, in the byte order of the keys. */
  *values<V>(codec: Codec<V>): Generator<V> {
    for (const cursor = new Cursor(this.chunks); !cursor.done; cursor.next()) {
      yield cursor.value(codec);
    }
  }

  /** The entries with `after < key <= until`. Only the two chunks at the edges are copied. */
  slice(after?: string, until?: string): Snapshot {
    const from = after === undefined ? new Cursor(this.chunks) : behind(this.chunks, after);
    const to = until === undefined ? undefined : behind(this.chunks, until);
    return between(this.chunks, from, to);
  }

  /** The key of the entry at an index, counted from 0; undefined if there are fewer entries. */
  keyAt(place: number): string | undefined {
    let index = 0;
    for (const { count } of this.chunks) {
      if (place < count) break;
      place -= count;
      index++;
    }
    const cursor = new Cursor(this.chunks);
    cursor.jump(index);
    for (; place > 0 && !cursor.done; place--) cursor.next();
    return cursor.done ? undefined : cursor.text();
  }

  /**
   * Joins parts: all keys of a part must be greater than those of the part before.
   *
   * @throws {ExternalError} with code `"protocol"` if they are not, since a store listed keys outside of a range.
   */
  static concat(parts: readonly Snapshot[]): Snapshot {
    const chunks: Chunk[] = [];
    for (const part of parts) {
      const first = part.chunks[0];
      const before = chunks.at(-1);
      if (first !== undefined && before !== undefined) {
        const last = lastOf(before);
        const next = new Cursor([first]);
        if (next.compare(last.key, 0, last.keyLength) <= 0) {
          throw new ExternalError(
            "protocol",
            `Cannot join the ranges of a listing as '${next.text()}' came in the range after ` +
              `'${last.text()}': the store must list only keys with after < key <= until`,
          );
        }
      }
      for (const chunk of part.chunks) chunks.push(chunk);
    }
    return new Snapshot(chunks);
  }
}

/** The entries from one cursor up to, but not including, another. Only the two chunks at the edges are copied. */
export function between(chunks: readonly Chunk[], from: Cursor, to: Cursor | undefined): Snapshot {
  const endIndex = to === undefined || to.done ? chunks.length : to.index;
  const endOffset = to === undefined || to.done ? 0 : to.start;
  const found: Chunk[] = [];
  for (let i = from.index; i < endIndex; i++) {
    const chunk = chunks[i] as Chunk;
    found.push(i === from.index ? tail(chunk, from, chunk.bytes.length) : chunk);
  }
  if (endOffset > 0 && from.index === endIndex) {
    if (from.start < endOffset) found.push(tail(from.chunk as Chunk, from, endOffset));
  } else if (endOffset > 0 && from.index < endIndex) {
    found.push(head(chunks[endIndex] as Chunk, endOffset));
  }
  return new Snapshot(found);
}

/** The entries of `next` up to and including `key`, and those of `old` after it. */
export function splice(next: Snapshot, old: Snapshot, key: string): Snapshot {
  return Snapshot.concat([next.slice(undefined, key), old.slice(key)]);
}
