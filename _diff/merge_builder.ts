/**
 * Builds a snapshot from a listing, compared with the snapshot before.
 *
 * As long as the listing is in order, a cursor moves through the old snapshot at the same time. An entry that equals
 * the cursor's costs a compare and is not written; a chunk that ends without a difference is taken over as it is. At
 * the first difference in a chunk, the equal entries before it are copied, and entries are written until the next
 * border of an old chunk, where comparing starts again. So the borders stay where they are: one new key makes one new
 * chunk.
 *
 * Entries out of order are collected, sorted in batches, and merged with the rest at the end.
 *
 * @module
 */

import { compareBytes, copyBytes, withRoom } from "../_bytes/bytes.ts";
import { isText, readText, writeText } from "../_bytes/exact_text.ts";
import { ExternalError } from "../_errors/external_error.ts";
import {
  type Chunk,
  Cursor,
  findChunk,
  firstKeyEnd,
  firstKeyStart,
  head,
  lastOf,
} from "./cursor.ts";
import { Disorder, mergeRuns } from "./disorder.ts";
import { CHUNK, ChunkWriter } from "./front_coding.ts";
import { Lookup } from "./lookup.ts";
import { Snapshot } from "./snapshot.ts";

/**
 * A chunk that grows beyond this is cut in two. It is twice `CHUNK`, so that one insertion does not move all borders.
 */
const CHUNK_MAX = 2 * CHUNK;
/** A chunk that is smaller than this is joined with the next one. */
const CHUNK_MIN = CHUNK / 4;
/** Checks a key, in bytes, before it is added. Throws if it does not belong here. */
export type Admit = (key: Uint8Array, start: number, end: number) => void;

/** The common part of both builders: takes keys and bodies as bytes. The body stands in `body`. */
export class Builder {
  /** The body of the entry to be added: the identity, up to `extraStart`, and the extra, up to `bodyEnd`. */
  protected body: Uint8Array = new Uint8Array(1024);
  protected extraStart = 0;
  protected bodyEnd = 0;
  /** Room for a key that comes as a string. */
  #keyRoom: Uint8Array = new Uint8Array(1024);

  readonly #old: Snapshot;
  readonly #admit: Admit | undefined;
  readonly #cursor: Cursor;
  /** Whether all entries of the current chunk before the cursor were equal. */
  #clean: boolean;
  /** For `keep` while not clean, since the cursor itself must not move. */
  #lookup: Lookup | undefined;
  /** Where the first key of the chunk after `#borderOf` begins and ends. It is read once for each chunk. */
  #borderOf = -1;
  #borderStart = 0;
  #borderEnd = 0;
  #writer: ChunkWriter = new ChunkWriter();
  #chunks: Chunk[] = [];
  #disorder: Disorder | undefined;

  /**
   * @param old The snapshot before. Entries that are equal to it cost least.
   * @param admit Checks every key that the old snapshot does not have at this place.
   */
  constructor(old: Snapshot = Snapshot.empty, admit?: Admit) {
    this.#old = old;
    this.#admit = admit;
    this.#cursor = new Cursor(old.chunks);
    this.#clean = this.#isWorthSharing();
  }

  /** The snapshot of all entries that were added. The builder must not be used after this. */
  finish(): Snapshot {
    if (this.#disorder === undefined) return this.#finishOrdered();
    const runs = this.#disorder.finish();
    const first = { chunks: this.#finishOrdered().chunks, marked: false };
    const merged = new Builder(this.#old);
    mergeRuns([first, ...runs], (cursor, marked) => merged.#take(cursor, marked));
    return merged.#finishOrdered();
  }

  /** Whether all keys so far came in UTF-8 byte order, each once. */
  get inOrder(): boolean {
    return this.#disorder === undefined;
  }

  /** The least key so far; undefined before the first, or if keys came out of order or twice. */
  get first(): string | undefined {
    if (this.#disorder !== undefined) return undefined;
    const { chunk, start } = this.#cursor;
    const first = this.#chunks[0] ??
      (this.#clean ? start > 0 ? chunk : undefined : this.#writer.peek());
    return first && new Cursor([first]).text();
  }

  /** The greatest key so far; undefined in the same cases. */
  get last(): string | undefined {
    if (this.#disorder !== undefined) return undefined;
    if (!this.#clean) return this.#writer.lastKey;
    const { chunk, start } = this.#cursor;
    const last = start > 0 ? head(chunk as Chunk, start) : this.#chunks.at(-1);
    return last && lastOf(last).text();
  }

  /** Adds the entry whose body stands in `body`. */
  protected put(key: Uint8Array, start: number, end: number): void {
    if (this.#clean) {
      const cursor = this.#cursor;
      if (isKey(cursor, key, start, end)) {
        if (this.#isBody(cursor)) {
          this.#advance();
          return;
        }
      }
      this.#stopSharing();
    }
    this.#put(key, start, end, false);
  }

  /** Adds the entry of the old snapshot for a key, if there is one. */
  protected putOld(key: Uint8Array, start: number, end: number): void {
    if (this.#clean && isKey(this.#cursor, key, start, end)) return this.#advance();
    if (this.#clean) this.#stopSharing();
    this.#put(key, start, end, true);
  }

  /** The same as `put`, for a key that comes as a string. */
  protected putText(key: string): void {
    const end = this.#writeKey(key);
    this.put(this.#keyRoom, 0, end);
  }

  protected putOldText(key: string): void {
    const end = this.#writeKey(key);
    this.putOld(this.#keyRoom, 0, end);
  }

  #writeKey(key: string): number {
    this.#keyRoom = withRoom(this.#keyRoom, 0, key.length * 3);
    return writeText(key, this.#keyRoom, 0);
  }

  #put(key: Uint8Array, start: number, end: number, old: boolean): void {
    checkKey(key, start, end);
    this.#admit?.(key, start, end);
    if (this.#disorder === undefined) {
      if (this.#writer.follows(key, start, end)) return this.#putNext(key, start, end, old);
      this.#disorder = new Disorder();
    }
    this.#disorder.add(key, start, end, this.body, this.extraStart, this.bodyEnd, old);
  }

  /** Writes an entry after all others. */
  #putNext(key: Uint8Array, start: number, end: number, old: boolean): void {
    this.#passBorders(key, start, end);
    if (this.#clean) return old ? this.putOld(key, start, end) : this.put(key, start, end);
    if (old && !this.#loadOld(key, start, end)) return;
    this.#writer.write(key, start, end, this.body, this.extraStart, this.bodyEnd);
    this.#flushFull();
  }

  /** Loads the body of a key from the old snapshot. */
  #loadOld(key: Uint8Array, start: number, end: number): boolean {
    const cursor = (this.#lookup ??= new Lookup(this.#old)).find(key, start, end);
    if (cursor === undefined) return false;
    this.#loadBody(cursor, cursor.end);
    return true;
  }

  #loadBody(cursor: Cursor, end: number): void {
    const length = end - cursor.identity;
    this.body = withRoom(this.body, 0, length);
    copyBytes(cursor.bytes, cursor.identity, end, this.body, 0);
    this.extraStart = cursor.extra - cursor.identity;
    this.bodyEnd = length;
  }

  /** Adds the entry of a run. If the run is marked, the last byte says whether to keep the old state. */
  #take(cursor: Cursor, marked: boolean): void {
    const end = marked ? cursor.end - 1 : cursor.end;
    if (marked && cursor.bytes[end] === 1) return this.putOld(cursor.key, 0, cursor.keyLength);
    this.#loadBody(cursor, end);
    this.put(cursor.key, 0, cursor.keyLength);
  }

  #isBody(cursor: Cursor): boolean {
    const { bytes, identity, extra, end } = cursor;
    const length = end - identity;
    if (length !== this.bodyEnd || extra - identity !== this.extraStart) return false;
    const body = this.body;
    for (let i = 0; i < length; i++) if (bytes[identity + i] !== body[i]) return false;
    return true;
  }

  /** Counts the cursor's entry as equal, and moves on. */
  #advance(): void {
    const cursor = this.#cursor;
    if (cursor.end < cursor.bytes.length) return cursor.next();
    const chunk = cursor.chunk as Chunk;
    this.#chunks.push(chunk);
    cursor.next();
    this.#clean = this.#isWorthSharing();
    if (!this.#clean) this.#writer.startBehind(lastOf(chunk));
  }

  /**
   * Whether the chunk may be taken over. One that is too small is written again, so that it is joined with the next
   * one.
   */
  #isWorthSharing(): boolean {
    const { chunk, index } = this.#cursor;
    if (chunk === undefined) return false;
    return chunk.bytes.length >= CHUNK_MIN || index === this.#old.chunks.length - 1;
  }

  /** Copies the equal entries of this chunk, to continue after them. */
  #stopSharing(): void {
    const { chunk, start } = this.#cursor;
    this.#clean = false;
    if (start > 0) this.#writer.startWith(chunk as Chunk, start);
    else if (this.#chunks.length > 0) {
      this.#writer.startBehind(lastOf(this.#chunks.at(-1) as Chunk));
    }
  }

  /** Ends the chunk if an old chunk begins at or before this key. */
  #passBorders(key: Uint8Array, start: number, end: number): void {
    const chunks = this.#old.chunks;
    let { index } = this.#cursor;
    const next = chunks[index + 1];
    if (next === undefined) return;
    if (this.#borderOf !== index) {
      this.#borderOf = index;
      this.#borderStart = firstKeyStart(next.bytes);
      this.#borderEnd = firstKeyEnd(next.bytes);
    }
    if (compareBytes(next.bytes, this.#borderStart, this.#borderEnd, key, start, end) > 0) return;
    index = findChunk(chunks, key, start, end, index + 1);
    this.#cursor.jump(index);
    if (this.#writer.length >= CHUNK_MIN) this.#flush();
    if (this.#writer.length === 0) {
      this.#clean = this.#isWorthSharing() && isKey(this.#cursor, key, start, end);
    }
  }

  #flushFull(): void {
    // If no old border follows, no border has to be kept.
    const bounded = this.#cursor.index + 1 < this.#old.chunks.length;
    if (this.#writer.length < (bounded ? CHUNK_MAX : CHUNK)) return;
    if (bounded) this.#chunks.push(this.#writer.takeHalf(CHUNK));
    else this.#flush();
  }

  #flush(): void {
    if (this.#writer.length > 0) this.#chunks.push(this.#writer.take());
  }

  #finishOrdered(): Snapshot {
    if (this.#clean) {
      const { chunk, start } = this.#cursor;
      if (start > 0) this.#chunks.push(head(chunk as Chunk, start));
      this.#clean = false;
    }
    this.#flush();
    return new Snapshot(this.#chunks);
  }
}

function isKey(cursor: Cursor, key: Uint8Array, start: number, end: number): boolean {
  const known = cursor.key;
  const length = end - start;
  if (cursor.keyLength !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== key[start + i]) return false;
  return true;
}

function checkKey(key: Uint8Array, start: number, end: number): void {
  if (isText(key, start, end)) return;
  throw new ExternalError(
    "protocol",
    `Cannot track a key as its bytes are not UTF-8: two such keys could not be told apart: ` +
      JSON.stringify(readText(key, start, end)),
  );
}
