/**
 * The diff engine: a keyed listing as sorted, front-coded bytes, and the changes from one to the next.
 *
 * ## How to use it
 *
 * ```ts ignore
 * const builder = new ObjectBuilder(old);       // _builder.ts; `old` is the hint that makes "unchanged" cheap
 * for await (const page of store.list()) {
 *   for (const object of page) {
 *     if (tooYoung(object)) builder.keep(object.key);  // as it was in `old`, absent if it was
 *     else builder.add(object);                 // any order; the last of a repeated key wins
 *   }
 * }
 * const next = builder.finish();
 * const { removed } = countChanges(old, next);  // before the first event: the guard against mass removal
 * for (const change of changes(old, next, objectCodec)) …;   // lazy, an `ExternalEvent` as it stands
 * old = next;                                   // commit
 * ```
 *
 * - **A scanner of listing bytes** calls `addRaw` and `keepRaw` instead, and makes no strings: see `ObjectBuilder`.
 *   Both ways write the same bytes and may be mixed.
 * - **Parallel ranges**: `old.cuts(16)` gives up to 15 keys; list each range `after < key <= until` into its own
 *   `new ObjectBuilder(old.slice(after, until))`; `Snapshot.concat(parts)` in the order of the ranges.
 * - **Collections**: `ItemBuilder` and `itemCodec` in place of the object ones; all else is the same.
 * - **Progress in the middle of a delivery**: once the event of key K was handled, the state is
 *   `splice(next, old, K)`: `next` up to and including K, `old` behind it.
 * - **Checkpoints**: `snapshot.save(identity)` and `Snapshot.restore(bytes, identity, codec)`. The identity names what is
 *   watched and how (store, prefix, what is remembered); another one is refused.
 *
 * A snapshot never changes. Two snapshots share the chunks in which they do not differ.
 *
 * ## Format
 *
 * A chunk is a run of entries (`_entry.ts`) in the byte order of their keys.
 *
 * A saved state is, for each snapshot in it, a count of chunks, length and count of entries of each, and then the chunks
 * as they are in memory, in the envelope of `_seal.ts`.
 *
 * @module
 */

import {
  compareBytes,
  copyBytes,
  isText,
  readText,
  readVarint,
  textBytes,
  varintLength,
  withRoom,
  writeVarint,
} from "../_bytes/bytes.ts";
import type { Codec } from "./codec.ts";
import { type Header, HEADER_ROOM, LONG, readHeader, unpackRest, writeHeader } from "./entry.ts";
import { damaged, seal, unseal } from "../_state/seal.ts";
import { ExternalError } from "../_errors/external_error.ts";

/** A run of entries that can be read without any other. Compared by reference: a chunk never changes. */
export interface Chunk {
  readonly bytes: Uint8Array;
  /** Entries in it. Never 0. */
  readonly count: number;
}

/** One change. The same shape as `ExternalEvent`. */
export type Change<V> =
  | { readonly type: "added"; readonly item: V }
  | { readonly type: "modified"; readonly item: V; readonly previous: V }
  | { readonly type: "removed"; readonly item: V };

/** How much changed. */
export interface ChangeCount {
  added: number;
  modified: number;
  removed: number;
}

/** A sorted listing. See the top of this file. */
export class Snapshot {
  /** Nothing at all. */
  static readonly empty: Snapshot = new Snapshot([]);

  /** In order, each behind the one before. */
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

  /** What is known of a key. */
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
    const endIndex = to === undefined || to.done ? this.chunks.length : to.index;
    const endOffset = to === undefined || to.done ? 0 : to.start;
    const chunks: Chunk[] = [];
    for (let i = from.index; i < endIndex; i++) {
      const chunk = this.chunks[i] as Chunk;
      chunks.push(i === from.index ? tail(chunk, from, chunk.bytes.length) : chunk);
    }
    if (endOffset > 0 && from.index === endIndex) {
      if (from.start < endOffset) chunks.push(tail(from.chunk as Chunk, from, endOffset));
    } else if (endOffset > 0 && from.index < endIndex) {
      chunks.push(head(this.chunks[endIndex] as Chunk, endOffset));
    }
    return new Snapshot(chunks);
  }

  /** Up to `parts - 1` keys that cut the entries into ranges of about equal count, at ends of chunks. */
  cuts(parts: number): string[] {
    const keys: string[] = [];
    let seen = 0;
    for (let i = 0; i < this.chunks.length - 1; i++) {
      const chunk = this.chunks[i] as Chunk;
      seen += chunk.count;
      if (seen * parts < this.count * (keys.length + 1)) continue;
      if (keys.length === parts - 1) break;
      const cursor = lastOf(chunk);
      keys.push(cursor.text());
    }
    return keys;
  }

  /**
   * Joins parts whose keys follow on one another.
   *
   * @throws {ExternalError} with code `"protocol"` if they do not: a store listed keys outside of a range.
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
            `Cannot join the ranges of a listing as '${next.text()}' came in the range behind ` +
              `'${last.text()}': the store must list only keys with after < key <= until`,
          );
        }
      }
      for (const chunk of part.chunks) chunks.push(chunk);
    }
    return new Snapshot(chunks);
  }

  /** The snapshot as bytes for `restore`. `identity` names what is listed, and holds no secret. */
  save(identity: string): Uint8Array {
    return saveAll(identity, [this]);
  }

  /**
   * The snapshot that `save` wrote. The bytes are copied: they may be dropped or changed afterwards.
   *
   * @throws {ExternalError} with code `"checkpoint"` if the bytes are not whole or belong to something else.
   */
  static restore<V>(bytes: Uint8Array, identity: string, codec: Codec<V>): Snapshot {
    return restoreAll(bytes, identity, codec, 1)[0] as Snapshot;
  }

  /** A table of the chunks, and the chunks. */
  *parts(): Iterable<Uint8Array> {
    const table = new Uint8Array(5 + this.chunks.length * 16);
    let at = writeVarint(this.chunks.length, table, 0);
    for (const { bytes, count } of this.chunks) {
      at = writeVarint(count, table, writeVarint(bytes.length, table, at));
    }
    yield table.subarray(0, at);
    for (const { bytes } of this.chunks) yield bytes;
  }
}

/** Several snapshots in one envelope. */
export function saveAll(identity: string, snapshots: readonly Snapshot[]): Uint8Array {
  return seal(identity, snapshots.flatMap((snapshot) => [...snapshot.parts()]));
}

/**
 * The snapshots that `saveAll` wrote: as many as `count` says.
 *
 * @throws {ExternalError} with code `"checkpoint"` if the bytes are not whole or belong to something else.
 */
export function restoreAll<V>(
  bytes: Uint8Array,
  identity: string,
  codec: Codec<V>,
  count: number,
): Snapshot[] {
  const state = unseal(bytes, identity);
  let at = 0;
  const number = (): number => {
    const value = readVarint(state, at, state.length);
    if (value < 0) throw damaged(identity, "a number is cut off");
    at += varintLength(value);
    return value;
  };
  const snapshot = (): Snapshot => {
    const total = number();
    const sizes: number[] = [];
    // Each chunk takes at least two bytes here, so a wrong total ends at the end of the bytes.
    for (let i = 0; i < total * 2; i++) sizes.push(number());
    const chunks: Chunk[] = [];
    for (let i = 0; i < sizes.length; i += 2) {
      const end = at + (sizes[i] as number);
      if (end > state.length) throw damaged(identity, "a chunk does not fit");
      chunks.push({ bytes: state.slice(at, end), count: sizes[i + 1] as number });
      at = end;
    }
    if (!isSound(chunks, codec)) throw damaged(identity, "it breaks the format");
    return new Snapshot(chunks);
  };
  const snapshots = Array.from({ length: count }, snapshot);
  if (at !== state.length) throw damaged(identity, "it breaks the format");
  return snapshots;
}

/** The entries of `next` up to and including `key`, and those of `old` behind it. */
export function splice(next: Snapshot, old: Snapshot, key: string): Snapshot {
  return Snapshot.concat([next.slice(undefined, key), old.slice(key)]);
}

/** What leads from `old` to `next`, in the byte order of the keys, found while it is read. */
export function* changes<V>(old: Snapshot, next: Snapshot, codec: Codec<V>): Generator<Change<V>> {
  const a = new Cursor(old.chunks);
  const b = new Cursor(next.chunks);
  for (let step = firstDifference(a, b); step !== SAME; step = nextDifference(a, b, step)) {
    if (step === ADDED) yield { type: "added", item: b.value(codec) };
    else if (step === REMOVED) yield { type: "removed", item: a.value(codec) };
    else yield { type: "modified", item: b.value(codec), previous: a.value(codec) };
  }
}

/** How many changes lead from `old` to `next`, without making any. */
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

// Filled by each that reads one: what was in it before is of no use to anyone.
const header: Header = { shared: 0, rest: 0, packed: false, identity: 0, extra: 0, end: 0 };

type Step = 0 | 1 | 2 | 3;
const SAME = 0, ADDED = 1, MODIFIED = 2, REMOVED = 3;

/** Moves both cursors on to the next difference, from where they stand. */
function firstDifference(a: Cursor, b: Cursor): Step {
  while (!a.done || !b.done) {
    if (a.done) return ADDED;
    if (b.done) return REMOVED;
    // Both always come to a shared chunk at its first entry, which neither can have passed alone.
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

/** The same, from behind the difference found last. */
function nextDifference(a: Cursor, b: Cursor, last: Step): Step {
  if (last !== ADDED) a.next();
  if (last !== REMOVED) b.next();
  return firstDifference(a, b);
}

/** Reads entries one by one. Trusts the bytes: they were built here, or checked by `restore`. */
export class Cursor {
  /** Behind the last entry: nothing else may be read. */
  done = false;
  /** The chunk of this entry, and its place among the chunks. */
  chunk: Chunk | undefined = undefined;
  index = 0;
  bytes: Uint8Array = new Uint8Array(0);
  /** The key, in the first `keyLength` bytes. */
  key: Uint8Array = new Uint8Array(256);
  keyLength = 0;
  /** Offsets in `bytes`: of the entry, its identity, its extra, and the next entry. */
  start = 0;
  identity = 0;
  extra = 0;
  end = 0;
  readonly #chunks: readonly Chunk[];

  constructor(chunks: readonly Chunk[]) {
    this.#chunks = chunks;
    this.jump(0);
  }

  /** Stands on the first entry of a chunk, or is done. */
  jump(index: number): void {
    this.index = index;
    this.chunk = this.#chunks[index];
    this.done = this.chunk === undefined;
    this.start = 0;
    if (this.chunk === undefined) return;
    this.bytes = this.chunk.bytes;
    this.#read(0);
  }

  next(): void {
    if (this.end === this.bytes.length) this.jump(this.index + 1);
    else this.#read(this.end);
  }

  #read(start: number): void {
    const bytes = this.bytes;
    this.start = start;
    const shared = bytes[start] as number;
    const rest = bytes[start + 1] as number;
    const lengths = bytes[start + 2] as number;
    if ((shared | rest) > 127 || lengths === LONG) this.#readLong(start);
    else {
      const at = start + 3;
      this.#readKey(shared, rest >> 1, (rest & 1) === 1, at);
      this.identity = at + (rest >> 1);
      this.extra = this.identity + (lengths & 31);
      this.end = this.extra + (lengths >> 5);
    }
  }

  #readLong(start: number): void {
    readHeader(this.bytes, start, this.bytes.length, header);
    this.#readKey(header.shared, header.rest, header.packed, header.end);
    this.identity = header.end + header.rest;
    this.extra = this.identity + header.identity;
    this.end = this.extra + header.extra;
  }

  #readKey(shared: number, rest: number, packed: boolean, at: number): void {
    if (packed) {
      unpackRest(this.bytes, at, this.key, shared, this.keyLength);
      return;
    }
    this.keyLength = shared + rest;
    this.key = withRoom(this.key, shared, this.keyLength);
    copyBytes(this.bytes, at, at + rest, this.key, shared);
  }

  /** Stands on the first entry whose key is not less. Moves only forward. */
  seek(key: Uint8Array, start: number, end: number): void {
    const index = findChunk(this.#chunks, key, start, end, this.index);
    if (index > this.index) this.jump(index);
    while (!this.done && this.compare(key, start, end) < 0) this.next();
  }

  /** The order of this key and another. */
  compare(key: Uint8Array, start: number, end: number): number {
    return compareBytes(this.key, 0, this.keyLength, key, start, end);
  }

  sameIdentity(other: Cursor): boolean {
    return compareBytes(
      this.bytes,
      this.identity,
      this.extra,
      other.bytes,
      other.identity,
      other.extra,
    ) === 0;
  }

  text(): string {
    return readText(this.key, 0, this.keyLength);
  }

  value<V>(codec: Codec<V>): V {
    return codec.decode(this.text(), this.bytes, this.identity, this.extra, this.end);
  }
}

/** Where the first key of a chunk begins in it. */
export function firstKeyStart(bytes: Uint8Array): number {
  readHeader(bytes, 0, bytes.length, header);
  return header.end;
}

/** Where the first key of a chunk ends. It is neither shared nor packed. */
export function firstKeyEnd(bytes: Uint8Array): number {
  return firstKeyStart(bytes) + header.rest;
}

/** The last chunk from `low` on whose first key is not greater than the key; `low` if none is. */
export function findChunk(
  chunks: readonly Chunk[],
  key: Uint8Array,
  start: number,
  end: number,
  low: number,
): number {
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const { bytes } = chunks[middle] as Chunk;
    const order = compareBytes(bytes, firstKeyStart(bytes), firstKeyEnd(bytes), key, start, end);
    if (order > 0) high = middle - 1;
    else low = middle;
  }
  return low;
}

/** A cursor on the first entry greater than the key. */
function behind(chunks: readonly Chunk[], key: string): Cursor {
  const bytes = textBytes(key);
  const cursor = new Cursor(chunks);
  cursor.seek(bytes, 0, bytes.length);
  if (!cursor.done && cursor.compare(bytes, 0, bytes.length) === 0) cursor.next();
  return cursor;
}

/** A cursor on the last entry of a chunk. */
export function lastOf(chunk: Chunk): Cursor {
  const cursor = new Cursor([chunk]);
  while (cursor.end < chunk.bytes.length) cursor.next();
  return cursor;
}

/** The entries of a chunk before an offset. */
export function head(chunk: Chunk, offset: number): Chunk {
  const bytes = chunk.bytes.slice(0, offset);
  return { bytes, count: countEntries(bytes) };
}

/** The entries of a chunk from a cursor's on, up to an offset. Only the first is written anew, with its key whole. */
export function tail(chunk: Chunk, from: Cursor, offset: number): Chunk {
  if (from.start === 0 && offset === chunk.bytes.length) return chunk;
  const { keyLength, identity, extra, end } = from;
  const head = new Uint8Array(HEADER_ROOM);
  const at = writeHeader(0, keyLength, false, extra - identity, end - extra, head, 0);
  const bytes = new Uint8Array(at + keyLength + offset - identity);
  bytes.set(head.subarray(0, at));
  bytes.set(from.key.subarray(0, keyLength), at);
  bytes.set(chunk.bytes.subarray(identity, offset), at + keyLength);
  return { bytes, count: countEntries(bytes) };
}

function countEntries(bytes: Uint8Array): number {
  let count = 0;
  for (const cursor = new Cursor([{ bytes, count }]); !cursor.done; cursor.next()) count++;
  return count;
}

/** Whether every entry fits, keys rise, counts are right and the codec can read all of it. */
function isSound<V>(chunks: readonly Chunk[], codec: Codec<V>): boolean {
  let key: Uint8Array = new Uint8Array(256);
  let before: Uint8Array = new Uint8Array(256);
  let beforeLength = -1; // before the first key
  for (const { bytes, count } of chunks) {
    if (count === 0) return false;
    let entries = 0;
    for (let at = 0; at < bytes.length; entries++) {
      if (!readHeader(bytes, at, bytes.length, header)) return false;
      const { shared, rest, packed, identity, extra, end } = header;
      if (end + rest + identity + extra > bytes.length) return false;
      if (shared > (entries === 0 ? 0 : beforeLength) || packed && entries === 0) return false;
      const keyLength = packed ? beforeLength : shared + rest;
      key = withRoom(key, 0, keyLength);
      copyBytes(before, 0, packed ? keyLength : shared, key, 0);
      if (!packed) copyBytes(bytes, end, end + rest, key, shared);
      else if (unpackRest(bytes, end, key, shared, keyLength) !== rest) return false;
      if (beforeLength >= 0 && compareBytes(key, 0, keyLength, before, 0, beforeLength) <= 0) {
        return false;
      }
      if (!isText(key, 0, keyLength)) return false;
      [key, before, beforeLength] = [before, key, keyLength];
      at = end + rest;
      if (!codec.check(bytes, at, at + identity, at + identity + extra)) return false;
      at += identity + extra;
    }
    if (entries !== count) return false;
  }
  return true;
}
