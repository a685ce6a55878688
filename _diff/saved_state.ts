/**
 * Snapshots as bytes.
 *
 * For each snapshot: the number of chunks, the length and the number of entries of each chunk, and then the chunks as
 * they are in memory. All of this is in the envelope of `_state/sealed_state.ts`.
 *
 * @module
 */
import {
  compareBytes,
  copyBytes,
  readVarint,
  varintLength,
  withRoom,
  writeVarint,
} from "../_bytes/bytes.ts";
import { isText } from "../_bytes/exact_text.ts";
import { damaged, openSealed, seal } from "../_state/sealed_state.ts";
import type { Codec } from "./codec.ts";
import type { Chunk } from "./cursor.ts";
import { type Header, readHeader, unpackRest } from "./entry.ts";
import { Snapshot } from "./snapshot.ts";

/**
 * Several snapshots in one envelope.
 *
 * @param identity What is listed. It must not be a secret.
 * @throws {ExternalError} with code `"checkpoint"` if it would be too long.
 */
export function saveAll(identity: string, snapshots: readonly Snapshot[]): Uint8Array {
  return seal(identity, snapshots.flatMap((snapshot) => [...partsOf(snapshot)]));
}

/** The table of the chunks, then the chunks. */
function* partsOf({ chunks }: Snapshot): Iterable<Uint8Array> {
  const table = new Uint8Array(9 + chunks.length * 18);
  let at = writeVarint(chunks.length, table, 0);
  for (const { bytes, count } of chunks) {
    at = writeVarint(count, table, writeVarint(bytes.length, table, at));
  }
  yield table.subarray(0, at);
  for (const { bytes } of chunks) yield bytes;
}

/**
 * The snapshots that `saveAll` wrote: exactly `count` of them. The bytes are copied, so they may be changed afterwards.
 *
 * @param identity The name of the state in errors.
 * @param belongs Called with the identity that was saved. It throws if that is something else. This happens before the
 * state is read, since the state of something else need not be snapshots.
 * @throws {ExternalError} with code `"checkpoint"` if the bytes are not whole, or not what `saveAll` writes.
 */
export function restoreAll<V>(
  bytes: Uint8Array,
  identity: string,
  codec: Codec<V>,
  count: number,
  belongs: (identity: string) => void,
): readonly Snapshot[] {
  const { identity: found, state } = openSealed(bytes, identity);
  belongs(found);
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
    // Each chunk takes at least two bytes here, so if the total is wrong, this throws at the end of the bytes.
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

// One object for all reads: each read overwrites it.
const header: Header = { shared: 0, rest: 0, packed: false, identity: 0, extra: 0, end: 0 };

/** Whether all entries fit, keys are in order, counts are right, and the codec can read all values. */
function isSound<V>(chunks: readonly Chunk[], codec: Codec<V>): boolean {
  let key: Uint8Array = new Uint8Array(256);
  let before: Uint8Array = new Uint8Array(256);
  let beforeLength = -1; // no key yet
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
