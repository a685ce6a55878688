/** Collects entries that come in any order, sorts them in batches, and merges them at the end. */
import { compareBytes, copyBytes, withRoom } from "../_bytes/bytes.ts";
import { type Chunk, Cursor } from "./cursor.ts";
import { CHUNK, ChunkWriter } from "./front_coding.ts";

/** Entries out of order are sorted once there are this many, or this many bytes. */
const BATCH = 65_536;
const BATCH_BYTES = 16 * 1024 * 1024;

/** Sorted chunks. If they are marked, the extra of each entry has one more byte: 1 for "keep the old state", else 0. */
export interface Run {
  readonly chunks: readonly Chunk[];
  readonly marked: boolean;
}

/** Takes entries in any order and makes sorted runs of them. */
export class Disorder {
  readonly #runs: Run[] = [];
  /** Key, identity, extra and mark of each entry, one entry after another. */
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
      // If a key is repeated, only the last entry counts.
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

/** The position of a merge in one run. */
interface Head {
  readonly cursor: Cursor;
  readonly rank: number;
  readonly marked: boolean;
}

/** Calls `take` for the entries of all runs in order; for a repeated key only with that of the last run. */
export function mergeRuns(
  runs: readonly Run[],
  take: (cursor: Cursor, marked: boolean) => void,
): void {
  const heap: Head[] = [];
  runs.forEach(({ chunks, marked }, rank) => {
    const cursor = new Cursor(chunks);
    if (!cursor.done) heap.push({ cursor, rank, marked });
  });
  for (let i = heap.length >> 1; i >= 0; i--) sink(heap, i);
  let last = new Uint8Array(256);
  let length = -1; // no key yet
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
