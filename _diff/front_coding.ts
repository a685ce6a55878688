/**
 * What keeps a snapshot small: entries are written one after another, each front-coded, so that of its key only what
 * differs from the key before is kept. What an entry looks like then is said in `entry.ts`.
 *
 * @module
 */

import { copyBytes, withRoom } from "../_bytes/bytes.ts";
import { readText } from "../_bytes/exact_text.ts";
import { type Chunk, Cursor, head, tail } from "./cursor.ts";
import { HEADER_ROOM, packRest, writeHeader } from "./entry.ts";

/** A new chunk ends at this many bytes. */
export const CHUNK: number = 32 * 1024;

/** Front-codes entries into a chunk. */
export class ChunkWriter {
  /** Bytes written to the chunk so far. */
  length = 0;
  #count = 0;
  #bytes: Uint8Array = new Uint8Array(1024);
  /** The last key, even if its chunk was taken; -1 before the first. */
  #key: Uint8Array = new Uint8Array(256);
  #keyLength = -1;
  #packed: Uint8Array = new Uint8Array(256);
  /** How many first bytes the key given to `follows` has in common with the last key. */
  #shared = 0;

  /** Whether a key is greater than all before. Must be called for each key before `write`. */
  follows(key: Uint8Array, start: number, end: number): boolean {
    const last = this.#key;
    const length = Math.min(this.#keyLength, end - start);
    let i = 0;
    while (i < length && last[i] === key[start + i]) i++;
    this.#shared = i;
    return i < length
      ? (last[i] as number) < (key[start + i] as number)
      : this.#keyLength < end - start;
  }

  write(
    key: Uint8Array,
    start: number,
    end: number,
    body: Uint8Array,
    extraStart: number,
    bodyEnd: number,
  ): void {
    const length = end - start;
    const shared = this.#count === 0 ? 0 : this.#shared;
    const room = this.length + HEADER_ROOM + length + bodyEnd;
    const bytes = this.#bytes = withRoom(this.#bytes, this.length, room);
    this.#packed = withRoom(this.#packed, 0, length);
    const size = this.#count > 0 && length === this.#keyLength
      ? packRest(this.#key, shared, length, key, start, this.#packed)
      : -1;
    const packed = size >= 0;
    const rest = packed ? size : length - shared;
    const extra = bodyEnd - extraStart;
    let at = writeHeader(shared, rest, packed, extraStart, extra, bytes, this.length);
    if (packed) copyBytes(this.#packed, 0, rest, bytes, at);
    else copyBytes(key, start + shared, end, bytes, at);
    at += rest;
    copyBytes(body, 0, bodyEnd, bytes, at);
    this.length = at + bodyEnd;
    this.#count++;
    this.#setLast(key, start + this.#shared, end, this.#shared);
  }

  /** Starts with the entries of a chunk up to an offset, to continue after them. */
  startWith(chunk: Chunk, offset: number): void {
    this.#bytes = withRoom(this.#bytes, 0, offset);
    this.#bytes.set(chunk.bytes.subarray(0, offset));
    this.length = offset;
    this.#count = 1;
    const cursor = new Cursor([chunk]);
    for (; cursor.end < offset; cursor.next()) this.#count++;
    this.startBehind(cursor);
  }

  /** Starts with an empty chunk, to continue after an entry. */
  startBehind(last: Cursor): void {
    this.#setLast(last.key, 0, last.keyLength, 0);
  }

  get lastKey(): string | undefined {
    return this.#keyLength < 0 ? undefined : readText(this.#key, 0, this.#keyLength);
  }

  /** The chunk so far, as long as nothing more is written. */
  peek(): Chunk | undefined {
    if (this.#count === 0) return undefined;
    return { bytes: this.#bytes.subarray(0, this.length), count: this.#count };
  }

  /** Returns the chunk, and begins an empty one. */
  take(): Chunk {
    const chunk = { bytes: this.#bytes.slice(0, this.length), count: this.#count };
    this.length = this.#count = 0;
    return chunk;
  }

  /**
   * Returns the first entries of the chunk, up to the first entry that begins at `offset` or later; the others stay.
   */
  takeHalf(offset: number): Chunk {
    const chunk = this.take();
    const cursor = new Cursor([chunk]);
    while (!cursor.done && cursor.start < offset) cursor.next();
    if (cursor.done) return chunk;
    const start = cursor.start;
    this.#load(tail(chunk, cursor, chunk.bytes.length));
    return head(chunk, start);
  }

  #load(chunk: Chunk): void {
    this.#bytes = withRoom(this.#bytes, 0, chunk.bytes.length);
    this.#bytes.set(chunk.bytes);
    this.length = chunk.bytes.length;
    this.#count = chunk.count;
  }

  /** Replaces the last key from `shared` on. */
  #setLast(key: Uint8Array, start: number, end: number, shared: number): void {
    this.#keyLength = shared + end - start;
    this.#key = withRoom(this.#key, shared, this.#keyLength);
    copyBytes(key, start, end, this.#key, shared);
  }
}
