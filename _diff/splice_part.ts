/** Takes a part out of a snapshot, or replaces it. Chunks that the part does not touch are shared. */
import { textBytes } from "../_bytes/exact_text.ts";
import { type Chunk, Cursor } from "./cursor.ts";
import { CHUNK, ChunkWriter } from "./front_coding.ts";
import { between, Snapshot } from "./snapshot.ts";

/** Chunks below this are joined with their neighbour. */
const CHUNK_MIN = CHUNK / 4;

/** The entries whose keys begin with a prefix. */
export function under({ chunks }: Snapshot, prefix: string): Snapshot {
  return between(chunks, firstOf(chunks, prefix), behindAll(chunks, prefix));
}

/** The snapshot with the entries of `listed` in place of those whose keys begin with a prefix. */
export function replaceUnder({ chunks }: Snapshot, prefix: string, listed: Snapshot): Snapshot {
  const before = between(chunks, new Cursor(chunks), firstOf(chunks, prefix));
  const end = behindAll(chunks, prefix);
  const behind = end === undefined ? Snapshot.empty : between(chunks, end, undefined);
  return join(join(before, listed), behind);
}

/** A cursor on the first entry whose key is not before the prefix. */
function firstOf(chunks: readonly Chunk[], prefix: string): Cursor {
  return at(chunks, textBytes(prefix));
}

/** A cursor on the first entry after all whose keys begin with a prefix; undefined for the end of the snapshot. */
function behindAll(chunks: readonly Chunk[], prefix: string): Cursor | undefined {
  if (prefix === "") return undefined;
  // UTF-8 has no byte 0xFF, so the last byte can be increased.
  const end = textBytes(prefix).slice();
  end[end.length - 1] = (end[end.length - 1] as number) + 1;
  return at(chunks, end);
}

/** A cursor on the first entry that is not before a key. */
function at(chunks: readonly Chunk[], key: Uint8Array): Cursor {
  const cursor = new Cursor(chunks);
  cursor.seek(key, 0, key.length);
  return cursor;
}

/**
 * Joins two snapshots. If one of the chunks where they meet is small, those are joined, too: otherwise polls of parts
 * would leave smaller and smaller chunks.
 */
function join(a: Snapshot, b: Snapshot): Snapshot {
  const left = a.chunks.at(-1);
  const right = b.chunks[0];
  if (left === undefined) return b;
  if (right === undefined) return a;
  const isSmall = left.bytes.length < CHUNK_MIN || right.bytes.length < CHUNK_MIN ||
    left.bytes.length + right.bytes.length <= CHUNK + CHUNK_MIN;
  if (!isSmall) return Snapshot.concat([a, b]);
  return Snapshot.concat([
    new Snapshot(a.chunks.slice(0, -1)),
    new Snapshot(joined(left, right)),
    new Snapshot(b.chunks.slice(1)),
  ]);
}

function joined(left: Chunk, right: Chunk): Chunk[] {
  const chunks: Chunk[] = [];
  const writer = new ChunkWriter();
  writer.startWith(left, left.bytes.length);
  for (const cursor = new Cursor([right]); !cursor.done; cursor.next()) {
    const { key, keyLength, bytes, identity, extra, end } = cursor;
    // Called for its side effect: it finds how much of the key is shared.
    writer.follows(key, 0, keyLength);
    writer.write(key, 0, keyLength, bytes.subarray(identity), extra - identity, end - identity);
    if (writer.length >= 2 * CHUNK) chunks.push(writer.takeHalf(CHUNK));
  }
  chunks.push(writer.take());
  return chunks;
}
