/**
 * Builds a snapshot from a listing, next to the one before.
 *
 * As long as the listing is in order, a cursor runs along in the old snapshot. An entry that equals the cursor's costs a compare
 * and is not written; a chunk that ends without a difference is taken over as it is. At the first difference what was equal is
 * copied, and entries are written until the next border of an old chunk, where comparing starts again. So borders stay
 * where they are: one new key makes one new chunk.
 *
 * Entries out of order are collected, sorted in batches, and merged with the rest at the end.
 *
 * @module
 */

import { compareBytes, copyBytes, isText, readText, withRoom, writeText } from "../_bytes/bytes.ts";
import { OBJECT_ROOM, writeBareIdentity, writeIdentity, writeTime } from "./codec.ts";
import { HEADER_ROOM, packRest, writeHeader } from "./entry.ts";
import {
  type Chunk,
  Cursor,
  findChunk,
  firstKeyEnd,
  firstKeyStart,
  head,
  lastOf,
  Snapshot,
  tail,
} from "./snapshot.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectMeta } from "./object_meta.ts";

/** A new chunk ends at this many bytes. */
const CHUNK = 32 * 1024;
/** A chunk that grew beyond this is cut in two; the room between keeps one insertion from moving all borders. */
const CHUNK_MAX = 2 * CHUNK;
/** A chunk that shrank below this takes in the next one. */
const CHUNK_MIN = CHUNK / 4;
/** Entries out of order are sorted when there are this many, or this many bytes of them. */
const BATCH = 65_536;
const BATCH_BYTES = 16 * 1024 * 1024;

/** What is common to both builders: keys and bodies as bytes. The body stands in `body`. */
class Builder {
  /** Identity, up to `extraStart`, and extra, up to `bodyEnd`, of the entry to be put. */
  protected body: Uint8Array = new Uint8Array(1024);
  protected extraStart = 0;
  protected bodyEnd = 0;
  /** Room for a key that comes as a string. */
  #keyRoom: Uint8Array = new Uint8Array(1024);

  readonly #old: Snapshot;
  readonly #cursor: Cursor;
  /** True: all entries of the current chunk up to the cursor were equal. */
  #clean: boolean;
  /** For `keep` while not clean: the cursor itself must stay. Moves only forward. */
  #lookup: Cursor | undefined;
  /** The greatest key it was asked for. */
  #asked: Uint8Array = new Uint8Array(256);
  #askedLength = 0;
  /** Where the first key of the chunk behind `#borderOf` stands, read once a chunk. */
  #borderOf = -1;
  #borderStart = 0;
  #borderEnd = 0;
  #writer: ChunkWriter = new ChunkWriter();
  #chunks: Chunk[] = [];
  #disorder: Disorder | undefined;

  constructor(old: Snapshot = Snapshot.empty) {
    this.#old = old;
    this.#cursor = new Cursor(old.chunks);
    this.#clean = this.#isWorthSharing();
  }

  /** The snapshot of all that was added. The builder is done with. */
  finish(): Snapshot {
    if (this.#disorder === undefined) return this.#finishOrdered();
    const runs = this.#disorder.finish();
    const first = { chunks: this.#finishOrdered().chunks, marked: false };
    const merged = new Builder(this.#old);
    mergeRuns([first, ...runs], (cursor, marked) => merged.#take(cursor, marked));
    return merged.#finishOrdered();
  }

  /** The least key so far; undefined before the first, or if keys came out of order or twice. */
  get firstKey(): string | undefined {
    if (this.#disorder !== undefined) return undefined;
    const { chunk, start } = this.#cursor;
    const first = this.#chunks[0] ??
      (this.#clean ? start > 0 ? chunk : undefined : this.#writer.peek());
    return first && new Cursor([first]).text();
  }

  /** The greatest key so far, likewise. */
  get lastKey(): string | undefined {
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

  /** Adds what the old snapshot has of a key, if anything. */
  protected putOld(key: Uint8Array, start: number, end: number): void {
    if (this.#clean && isKey(this.#cursor, key, start, end)) return this.#advance();
    if (this.#clean) this.#stopSharing();
    this.#put(key, start, end, true);
  }

  /** The same two for a key that comes as a string. */
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
    if (this.#disorder === undefined) {
      if (this.#writer.follows(key, start, end)) return this.#putNext(key, start, end, old);
      this.#disorder = new Disorder();
    }
    this.#disorder.add(key, start, end, this.body, this.extraStart, this.bodyEnd, old);
  }

  /** Writes an entry behind all others. */
  #putNext(key: Uint8Array, start: number, end: number, old: boolean): void {
    this.#passBorders(key, start, end);
    if (this.#clean) return old ? this.putOld(key, start, end) : this.put(key, start, end);
    if (old && !this.#loadOld(key, start, end)) return;
    this.#writer.write(key, start, end, this.body, this.extraStart, this.bodyEnd);
    this.#flushFull();
  }

  /** Loads the body of a key from the old snapshot. */
  #loadOld(key: Uint8Array, start: number, end: number): boolean {
    // A key that the old snapshot does not have leaves no trace in the writer, so the next one may be less than it.
    if (compareBytes(this.#asked, 0, this.#askedLength, key, start, end) > 0) {
      this.#lookup = undefined;
    }
    const cursor = this.#lookup ??= new Cursor(this.#old.chunks);
    cursor.seek(key, start, end);
    this.#askedLength = end - start;
    this.#asked = withRoom(this.#asked, 0, this.#askedLength);
    copyBytes(key, start, end, this.#asked, 0);
    if (cursor.done || !isKey(cursor, key, start, end)) return false;
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

  /** Adds the entry of a run. In one with marks the last byte says whether the old state is to be kept. */
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

  /** Takes the cursor's entry as equal. */
  #advance(): void {
    const cursor = this.#cursor;
    if (cursor.end < cursor.bytes.length) return cursor.next();
    const chunk = cursor.chunk as Chunk;
    this.#chunks.push(chunk);
    cursor.next();
    this.#clean = this.#isWorthSharing();
    if (!this.#clean) this.#writer.startBehind(lastOf(chunk));
  }

  /** A chunk that is too small is written anew, so that it takes in the next one. */
  #isWorthSharing(): boolean {
    const { chunk, index } = this.#cursor;
    if (chunk === undefined) return false;
    return chunk.bytes.length >= CHUNK_MIN || index === this.#old.chunks.length - 1;
  }

  /** Copies what was equal in this chunk, to go on behind it. */
  #stopSharing(): void {
    const { chunk, start } = this.#cursor;
    this.#clean = false;
    if (start > 0) this.#writer.startWith(chunk as Chunk, start);
    else if (this.#chunks.length > 0) {
      this.#writer.startBehind(lastOf(this.#chunks.at(-1) as Chunk));
    }
  }

  /** Ends the chunk if an old one begins at or before this key. */
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
    // Without an old border ahead there is nothing to keep in step with.
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

/**
 * Builds a snapshot of objects.
 *
 * @example
 * ```ts ignore
 * const builder = new ObjectBuilder(old);
 * builder.add({ key: "a", size: 1, etag: '"x"' });
 * builder.keep("b");
 * const next = builder.finish();
 * ```
 */
export class ObjectBuilder extends Builder {
  /**
   * Adds an object.
   *
   * @throws {ExternalError} with code `"protocol"` if its size is not a whole number from 0 to 2⁵³−1.
   */
  add(object: ObjectMeta): void {
    const { key, size, etag, lastModified } = object;
    checkSize(size, key);
    if (etag === undefined) {
      this.#setBare(size, lastModified);
    } else {
      this.#etag = withRoom(this.#etag, 0, etag.length * 3);
      const length = writeText(etag, this.#etag, 0);
      this.#set(this.#etag, 0, length, false, size, lastModified);
    }
    this.putText(key);
  }

  /**
   * Adds an object of which a scanner knows the bytes. Nothing is kept of the arrays: they may be scratch buffers.
   *
   * @param keyBytes Holds the key as UTF-8, all escapes (XML, JSON, URL) undone.
   * @param keyStart Where it begins.
   * @param keyEnd Where it ends.
   * @param etagBytes Holds the ETag, escapes undone. It may be another array than that of the key.
   * @param etagStart Where it begins, behind a quote that `quoted` stands for; -1 for no ETag.
   * @param etagEnd Where it ends.
   * @param quoted Whether the ETag stood in double quotes that the range leaves out: so `&quot;` need not be undone. A
   * range that has the quotes itself comes to the same.
   * @param size In bytes.
   * @param time When it was last written, in ms since the epoch.
   * @throws {ExternalError} with code `"protocol"` if the key is not UTF-8 or the size not a whole number.
   */
  addRaw(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    etagBytes: Uint8Array,
    etagStart: number,
    etagEnd: number,
    quoted: boolean,
    size: number,
    time: number | undefined,
  ): void {
    if (!(size >= 0 && Number.isSafeInteger(size))) {
      checkSize(size, readText(keyBytes, keyStart, keyEnd));
    }
    if (etagStart < 0) this.#setBare(size, time);
    else this.#set(etagBytes, etagStart, etagEnd, quoted, size, time);
    this.put(keyBytes, keyStart, keyEnd);
  }

  /** Keeps what the old snapshot has for a key: an object too young to be looked at. Adds nothing if it has nothing. */
  keep(key: string): void {
    this.putOldText(key);
  }

  /** The same for a key in bytes, as in `addRaw`. */
  keepRaw(keyBytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.putOld(keyBytes, keyStart, keyEnd);
  }

  #etag: Uint8Array = new Uint8Array(256);

  #set(
    etag: Uint8Array,
    start: number,
    end: number,
    quoted: boolean,
    size: number,
    time: number | undefined,
  ): void {
    const body = this.body = withRoom(this.body, 0, OBJECT_ROOM + end - start);
    this.extraStart = writeIdentity(etag, start, end, quoted, size, body);
    this.bodyEnd = writeTime(time, body, this.extraStart);
  }

  #setBare(size: number, time: number | undefined): void {
    this.extraStart = this.bodyEnd = writeBareIdentity(size, time, this.body);
  }
}

/** Builds a snapshot of the items of a collection. */
export class ItemBuilder extends Builder {
  /**
   * Adds an item.
   *
   * @param key Its key.
   * @param version What decides whether it changed: its version, or its JSON.
   * @param json Its JSON, if the version is something else and it is to be remembered.
   */
  add(key: string, version: string, json = ""): void {
    this.body = withRoom(this.body, 0, 3 * (version.length + json.length));
    this.extraStart = writeText(version, this.body, 0);
    this.bodyEnd = writeText(json, this.body, this.extraStart);
    this.putText(key);
  }

  /** Keeps what the old snapshot has for a key, if anything. */
  keep(key: string): void {
    this.putOldText(key);
  }
}

/** Front-codes entries into a chunk. */
class ChunkWriter {
  /** Bytes written to the chunk so far. */
  length = 0;
  #count = 0;
  #bytes: Uint8Array = new Uint8Array(1024);
  /** The last key, also of chunks that were taken; -1 before the first. */
  #key: Uint8Array = new Uint8Array(256);
  #keyLength = -1;
  #packed: Uint8Array = new Uint8Array(256);
  /** Bytes that the key last asked about has in common with the last one. */
  #shared = 0;

  /** Whether a key is greater than all before. Must be asked before it is written. */
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

  /** Goes on behind the entries of a chunk before an offset. */
  startWith(chunk: Chunk, offset: number): void {
    this.#bytes = withRoom(this.#bytes, 0, offset);
    this.#bytes.set(chunk.bytes.subarray(0, offset));
    this.length = offset;
    this.#count = 1;
    const cursor = new Cursor([chunk]);
    for (; cursor.end < offset; cursor.next()) this.#count++;
    this.startBehind(cursor);
  }

  /** Goes on with an empty chunk behind an entry. */
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

  /** The chunk. The next one begins empty. */
  take(): Chunk {
    const chunk = { bytes: this.#bytes.slice(0, this.length), count: this.#count };
    this.length = this.#count = 0;
    return chunk;
  }

  /** The first entries of the chunk, up to the first border behind `offset`; the others stay. */
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

/** Sorted chunks. In marked ones each extra has one byte more: 1 for "keep the old state". */
interface Run {
  readonly chunks: readonly Chunk[];
  readonly marked: boolean;
}

/** Takes entries in any order and makes sorted runs of them. */
class Disorder {
  readonly #runs: Run[] = [];
  /** Key, identity, extra and mark of each entry, one behind the other. */
  #bytes: Uint8Array = new Uint8Array(64 * 1024);
  #used = 0;
  #count = 0;
  /** Offsets in `#bytes`, by entry. */
  readonly #starts: Uint32Array = new Uint32Array(BATCH);
  readonly #bodies: Uint32Array = new Uint32Array(BATCH);
  readonly #extras: Uint32Array = new Uint32Array(BATCH);

  add(
    key: Uint8Array,
    start: number,
    end: number,
    body: Uint8Array,
    extraStart: number,
    bodyEnd: number,
    old: boolean,
  ): void {
    if (this.#count === BATCH || this.#used > BATCH_BYTES) this.#sort();
    if (old) extraStart = bodyEnd = 0;
    const bodyAt = this.#used + end - start;
    const markAt = bodyAt + bodyEnd;
    this.#bytes = withRoom(this.#bytes, this.#used, markAt + 1);
    copyBytes(key, start, end, this.#bytes, this.#used);
    copyBytes(body, 0, bodyEnd, this.#bytes, bodyAt);
    this.#bytes[markAt] = old ? 1 : 0;
    this.#starts[this.#count] = this.#used;
    this.#bodies[this.#count] = bodyAt;
    this.#extras[this.#count] = bodyAt + extraStart;
    this.#used = markAt + 1;
    this.#count++;
  }

  /** The runs, the oldest first. */
  finish(): Run[] {
    this.#sort();
    return this.#runs;
  }

  #sort(): void {
    const count = this.#count;
    const order = new Uint32Array(count).map((_, i) => i).sort((a, b) =>
      this.#compare(a, b) || a - b
    );
    const writer = new ChunkWriter();
    const chunks: Chunk[] = [];
    for (let i = 0; i < count; i++) {
      const entry = order[i] as number;
      // Of a repeated key the last stands last.
      if (i + 1 < count && this.#compare(entry, order[i + 1] as number) === 0) continue;
      this.#write(writer, entry);
      if (writer.length >= CHUNK) chunks.push(writer.take());
    }
    if (writer.length > 0) chunks.push(writer.take());
    if (chunks.length > 0) this.#runs.push({ chunks, marked: true });
    this.#count = this.#used = 0;
  }

  #compare(a: number, b: number): number {
    const aStart = this.#starts[a] as number;
    const bStart = this.#starts[b] as number;
    const aEnd = this.#bodies[a] as number;
    const bEnd = this.#bodies[b] as number;
    return compareBytes(this.#bytes, aStart, aEnd, this.#bytes, bStart, bEnd);
  }

  #write(writer: ChunkWriter, entry: number): void {
    const start = this.#starts[entry] as number;
    const body = this.#bodies[entry] as number;
    const extra = this.#extras[entry] as number;
    const end = entry + 1 < this.#count ? this.#starts[entry + 1] as number : this.#used;
    writer.follows(this.#bytes, start, body);
    const bytes = this.#bytes.subarray(body, end);
    writer.write(this.#bytes, start, body, bytes, extra - body, end - body);
  }
}

/** Where a merge stands in a run. */
interface Head {
  readonly cursor: Cursor;
  readonly rank: number;
  readonly marked: boolean;
}

/** Hands over the entries of all runs in order; of a repeated key only that of the last run. */
function mergeRuns(runs: readonly Run[], take: (cursor: Cursor, marked: boolean) => void): void {
  const heap: Head[] = [];
  runs.forEach(({ chunks, marked }, rank) => {
    const cursor = new Cursor(chunks);
    if (!cursor.done) heap.push({ cursor, rank, marked });
  });
  for (let i = heap.length >> 1; i >= 0; i--) sink(heap, i);
  let last = new Uint8Array(256);
  let length = -1; // before the first key
  for (let top = heap[0]; top !== undefined; top = heap[0]) {
    const { cursor, marked } = top;
    if (length < 0 || cursor.compare(last, 0, length) !== 0) {
      take(cursor, marked);
      length = cursor.keyLength;
      if (length > last.length) last = new Uint8Array(2 * length);
      copyBytes(cursor.key, 0, length, last, 0);
    }
    cursor.next();
    if (cursor.done) {
      const bottom = heap.pop() as Head;
      if (heap.length > 0) heap[0] = bottom;
    }
    sink(heap, 0);
  }
}

/** Moves an element of a binary heap down to its place. */
function sink(heap: Head[], at: number): void {
  for (;;) {
    let first = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && isBefore(heap[child] as Head, heap[first] as Head)) first = child;
    }
    if (first === at) return;
    const moved = heap[at] as Head;
    heap[at] = heap[first] as Head;
    heap[first] = moved;
    at = first;
  }
}

function isBefore(a: Head, b: Head): boolean {
  return (a.cursor.compare(b.cursor.key, 0, b.cursor.keyLength) || b.rank - a.rank) < 0;
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

function checkSize(size: number, key: string): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw new ExternalError(
    "protocol",
    `Cannot track '${key}' as its size is not a whole number of bytes: ${size}`,
  );
}
