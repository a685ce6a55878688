/** Chunks of entries, and a cursor that reads them one by one. */
import { compareBytes, copyBytes, withRoom } from "../_bytes/bytes.ts";
import { readText, textBytes } from "../_bytes/exact_text.ts";
import type { Codec } from "./codec.ts";
import { type Header, HEADER_ROOM, LONG, readHeader, unpackRest, writeHeader } from "./entry.ts";

/**
 * A run of entries that can be read without any other chunk. A chunk never changes, so chunks are compared by
 * reference.
 */
export interface Chunk {
  readonly bytes: Uint8Array;
  /** Entries in it. Never 0. */
  readonly count: number;
}

// One object for all reads: each read overwrites it.
const header: Header = { shared: 0, rest: 0, packed: false, identity: 0, extra: 0, end: 0 };

/** Reads entries one by one. It does not check the bytes: they were built here, or checked by `restoreAll`. */
export class Cursor {
  /** True after the last entry: nothing else may be read then. */
  done = false;
  /** The chunk of this entry, and its index among the chunks. */
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

  /** Moves to the first entry of a chunk; done if there is no such chunk. */
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

  /** Moves forward to the first entry whose key is not less. Never moves back. */
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

/** The offset at which the first key of a chunk begins. */
export function firstKeyStart(bytes: Uint8Array): number {
  readHeader(bytes, 0, bytes.length, header);
  return header.end;
}

/** The offset at which the first key of a chunk ends. That key is neither shared nor packed. */
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
export function behind(chunks: readonly Chunk[], key: string): Cursor {
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

/** The entries of a chunk from that of a cursor up to an offset. Only the first one is rewritten, with its full key. */
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
