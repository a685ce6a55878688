/** A snapshot with other values for a few keys. */
import { compareBytes } from "../_bytes/bytes.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import { compareKeys } from "../_bytes/order.ts";
import type { Codec } from "./codec.ts";
import { type Chunk, findChunk } from "./cursor.ts";
import { Snapshot } from "./snapshot.ts";

/** How values are read from a snapshot, and put into one. */
export interface Form<V> {
  readonly codec: Codec<V>;
  /** Builds a snapshot of values in any order; the last value of a key counts. */
  readonly build: (values: Iterable<V>) => Snapshot;
}

/**
 * The snapshot with these values; a key whose value is undefined is removed. Only the chunks that have, or get, one of
 * the keys are written again.
 */
export function patch<V extends { readonly key: string }>(
  snapshot: Snapshot,
  values: ReadonlyMap<string, V | undefined>,
  form: Form<V>,
): Snapshot {
  if (values.size === 0) return snapshot;
  const { chunks } = snapshot;
  const patched: Chunk[] = [];
  let done = 0;
  for (const [index, edits] of byChunk(chunks, values)) {
    for (; done < index; done++) patched.push(chunks[done] as Chunk);
    const chunk = chunks[done++];
    const before = new Snapshot(chunk === undefined ? [] : [chunk]);
    for (const part of form.build(merged(before, edits, form.codec)).chunks) patched.push(part);
  }
  for (; done < chunks.length; done++) patched.push(chunks[done] as Chunk);
  return new Snapshot(patched);
}

type Edits<V> = Map<string, V | undefined>;

/** The edits of each chunk, in the order of the chunks. A key before the first chunk belongs to that one. */
function byChunk<V>(
  chunks: readonly Chunk[],
  values: ReadonlyMap<string, V | undefined>,
): [number, Edits<V>][] {
  const keys = [...values.keys()].map((text) => ({ text, bytes: textBytes(text) }));
  keys.sort((a, b) => compareBytes(a.bytes, 0, a.bytes.length, b.bytes, 0, b.bytes.length));
  const found: [number, Edits<V>][] = [];
  for (const { text, bytes } of keys) {
    const last = found.at(-1);
    const index = findChunk(chunks, bytes, 0, bytes.length, last?.[0] ?? 0);
    if (last?.[0] === index) last[1].set(text, values.get(text));
    else found.push([index, new Map([[text, values.get(text)]])]);
  }
  return found;
}

/** The values of a chunk with the edits applied. The edits are in order, too. */
function* merged<V extends { readonly key: string }>(
  chunk: Snapshot,
  edits: Edits<V>,
  codec: Codec<V>,
): Iterable<V> {
  const rest = [...edits];
  let at = 0;
  for (const value of chunk.values(codec)) {
    for (; at < rest.length && compareKeys((rest[at] as [string, V])[0], value.key) < 0; at++) {
      const edit = (rest[at] as [string, V | undefined])[1];
      if (edit !== undefined) yield edit;
    }
    if (!edits.has(value.key)) yield value;
  }
  for (; at < rest.length; at++) {
    const edit = (rest[at] as [string, V | undefined])[1];
    if (edit !== undefined) yield edit;
  }
}
