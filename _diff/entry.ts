/**
 * An entry of a snapshot as bytes, as `front_coding.ts` writes it and `cursor.ts` reads it. It directly follows the
 * entry before:
 *
 *     shared     varint   how many first bytes are those of the key before; 0 in the first entry of a chunk
 *     rest       varint   twice the number of bytes of the rest of the key, plus 1 if it is packed
 *     lengths    byte     bytes of the identity + 32 × bytes of the extra; or 255, and then both as varints
 *     …                   the rest of the key, the identity, the extra
 *
 * The identity decides whether the value changed; the extra is kept and not compared.
 *
 * Hashes, UUIDs and padded numbers share only short beginnings, but have the same form. A key is packed if it is as
 * long as the one before and if, after the shared bytes, every byte is the same or a hexadecimal digit in place of
 * another one. Then only the digits are kept, two in a byte.
 *
 * @module
 */
import { HEX_DIGITS, HEX_VALUES, readVarint, varintLength, writeVarint } from "../_bytes/bytes.ts";

/** The header of an entry. */
export interface Header {
  shared: number;
  /** How many bytes the rest of the key takes, packed or not. */
  rest: number;
  packed: boolean;
  identity: number;
  extra: number;
  /** Where the rest of the key begins. */
  end: number;
}

/** The most bytes that a header takes. */
export const HEADER_ROOM = 33;
/** Stands in place of the lengths of identity and extra: they follow as varints. */
export const LONG = 255;

/** Writes a header and returns its end. */
export function writeHeader(
  shared: number,
  rest: number,
  packed: boolean,
  identity: number,
  extra: number,
  target: Uint8Array,
  at: number,
): number {
  at = writeVarint(shared, target, at);
  at = writeVarint(2 * rest + (packed ? 1 : 0), target, at);
  const lengths = identity < 32 && extra < 8 ? identity + 32 * extra : LONG;
  target[at++] = lengths;
  return lengths === LONG ? writeVarint(extra, target, writeVarint(identity, target, at)) : at;
}

/** Reads a header. Returns false if it does not end before `limit`. */
export function readHeader(bytes: Uint8Array, at: number, limit: number, header: Header): boolean {
  header.shared = readVarint(bytes, at, limit);
  at += varintLength(header.shared);
  const rest = readVarint(bytes, at, limit);
  at += varintLength(rest);
  header.rest = Math.floor(rest / 2);
  header.packed = rest % 2 === 1;
  if (header.shared < 0 || rest < 0 || at >= limit) return false;
  const lengths = bytes[at++] as number;
  header.identity = lengths & 31;
  header.extra = lengths >> 5;
  if (lengths === LONG) {
    header.identity = readVarint(bytes, at, limit);
    at += varintLength(header.identity);
    header.extra = readVarint(bytes, at, limit);
    at += varintLength(header.extra);
  }
  header.end = at;
  return header.identity >= 0 && header.extra >= 0;
}

/**
 * Packs the bytes of a key after the first `shared` ones, compared with the key before.
 *
 * @returns The bytes it takes in `target`, or -1 if it cannot be packed.
 */
export function packRest(
  before: Uint8Array,
  shared: number,
  length: number,
  key: Uint8Array,
  start: number,
  target: Uint8Array,
): number {
  let digits = 0;
  for (let i = shared; i < length; i++) {
    const old = before[i] as number;
    const byte = key[start + i] as number;
    if ((HEX_VALUES[old] as number) < 0) {
      if (byte !== old) return -1;
      continue;
    }
    const value = HEX_VALUES[byte] as number;
    if (value < 0) return -1;
    const at = digits >> 1;
    target[at] = digits & 1 ? (target[at] as number) | value : value << 4;
    digits++;
  }
  return (digits + 1) >> 1;
}

/**
 * Undoes `packRest`. `key` holds the key before, and is changed in place. Returns the number of bytes that were read.
 */
export function unpackRest(
  bytes: Uint8Array,
  at: number,
  key: Uint8Array,
  shared: number,
  length: number,
): number {
  let digits = 0;
  for (let i = shared; i < length; i++) {
    if ((HEX_VALUES[key[i] as number] as number) < 0) continue;
    const pair = bytes[at + (digits >> 1)] as number;
    key[i] = HEX_DIGITS[digits & 1 ? pair & 15 : pair >> 4] as number;
    digits++;
  }
  return (digits + 1) >> 1;
}
