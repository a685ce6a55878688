/**
 * What decides whether an object changed: its ETag and its size or, where there is no ETag, its size and the time when
 * it was last written. These are its identity in a snapshot.
 *
 * Identity: a tag, the size, then the ETag in the form that the tag names, or the time if there is no ETag. Extra: the
 * time, unless the identity has it. An ETag is packed only if unpacking gives back exactly the same text; otherwise it
 * is kept as it is.
 *
 * @module
 */

import { HEX_DIGITS, HEX_VALUES, readVarint, varintLength, writeVarint } from "../_bytes/bytes.ts";
import { isText, readText } from "../_bytes/exact_text.ts";
import type { Codec } from "./codec.ts";
import type { ObjectMeta } from "./object_meta.ts";

const NONE = 0; // no ETag, but the time
const PLAIN = 1; // the text itself
const HEX = 2; // 32 lower-case hexadecimal digits, in 16 bytes
const MULTIPART = 3; // as HEX, then a hyphen and a number: S3's ETag of a multipart upload
const DECIMAL = 4; // a number: a generation of Google Cloud Storage
const QUOTED = 8; // a flag added to the form: the text stood in double quotes

const QUOTE = 0x22, HYPHEN = 0x2d, ZERO = 0x30;

const float = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(8));
/** The most bytes that identity and extra take, not counting the text of an ETag. */
export const OBJECT_ROOM = 48;

/** Writes the identity of an object with an ETag, given as bytes without escapes, and returns its end. */
export function writeIdentity(
  etag: Uint8Array,
  start: number,
  end: number,
  quoted: boolean,
  size: number,
  target: Uint8Array,
): number {
  if (!quoted && end - start > 1 && etag[start] === QUOTE && etag[end - 1] === QUOTE) {
    quoted = true;
    start++;
    end--;
  }
  const mark = quoted ? QUOTED : 0;
  const at = writeVarint(size, target, 1);
  const length = end - start;
  if (length === 32 && packHex(etag, start, target, at)) {
    target[0] = HEX | mark;
    return at + 16;
  }
  if (length > 33 && length < 43 && etag[start + 32] === HYPHEN) {
    const number = decimal(etag, start + 33, end);
    if (number >= 0 && packHex(etag, start, target, at)) {
      target[0] = MULTIPART | mark;
      return writeVarint(number, target, at + 16);
    }
  }
  const number = decimal(etag, start, end);
  if (number >= 0) {
    target[0] = DECIMAL | mark;
    return writeVarint(number, target, at);
  }
  target[0] = PLAIN | mark;
  for (let i = 0; i < length; i++) target[at + i] = etag[start + i] as number;
  return at + length;
}

/** Writes the identity of an object without an ETag and returns its end. */
export function writeBareIdentity(
  size: number,
  time: number | undefined,
  target: Uint8Array,
): number {
  target[0] = NONE;
  return writeTime(time, target, writeVarint(size, target, 1));
}

/**
 * Writes a time in ms and returns the end. No time takes no bytes, whole seconds take 4, whole milliseconds from 1970
 * to the year 10889 take 6, and all else takes 8: the length tells them apart. Every number is read back unchanged,
 * except -0 as 0.
 */
export function writeTime(time: number | undefined, target: Uint8Array, at: number): number {
  if (time === undefined) return at;
  const seconds = time / 1000;
  // The second test is for tiny fractions that the division loses.
  if (seconds === seconds >>> 0 && seconds * 1000 === time) return writeUint32(seconds, target, at);
  if (time >= 0 && time < 2 ** 48 && Number.isInteger(time)) {
    const middle = writeUint32(time >>> 0, target, at);
    const high = Math.floor(time / 2 ** 32);
    target[middle] = high;
    target[middle + 1] = high >>> 8;
    return middle + 2;
  }
  float.setFloat64(0, time);
  for (let i = 0; i < 8; i++) target[at + i] = float.getUint8(i);
  return at + 8;
}

function writeUint32(value: number, target: Uint8Array, at: number): number {
  target[at] = value;
  target[at + 1] = value >>> 8;
  target[at + 2] = value >>> 16;
  target[at + 3] = value >>> 24;
  return at + 4;
}

function readTime(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (at === end) return undefined;
  let value = 0;
  if (end - at === 8) {
    for (let i = 0; i < 8; i++) float.setUint8(i, bytes[at + i] as number);
    return float.getFloat64(0);
  }
  for (let i = end - 1; i >= at; i--) value = value * 256 + (bytes[i] as number);
  return end - at === 4 ? value * 1000 : value;
}

function packHex(text: Uint8Array, start: number, target: Uint8Array, at: number): boolean {
  let bad = 0; // negative once a character is not a digit
  for (let i = 0; i < 16; i++) {
    const high = HEX_VALUES[text[start + 2 * i] as number] as number;
    const low = HEX_VALUES[text[start + 2 * i + 1] as number] as number;
    bad |= high | low;
    target[at + i] = high << 4 | low;
  }
  return bad >= 0;
}

/** The number with these digits, or -1 if `String(number)` would give another text. */
function decimal(text: Uint8Array, start: number, end: number): number {
  if (end === start || end - start > 16) return -1;
  if (text[start] === ZERO && end - start > 1) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (text[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

const unpacked = /* @__PURE__ */ new Uint8Array(34);

function readEtag(bytes: Uint8Array, tag: number, start: number, end: number): string {
  const form = tag & ~QUOTED;
  const quote = tag & QUOTED ? '"' : "";
  if (form === PLAIN) return quote + readText(bytes, start, end) + quote;
  if (form === DECIMAL) return `${quote}${readVarint(bytes, start, end)}${quote}`;
  for (let i = 0; i < 16; i++) {
    const byte = bytes[start + i] as number;
    unpacked[2 * i + 1] = HEX_DIGITS[byte >> 4] as number;
    unpacked[2 * i + 2] = HEX_DIGITS[byte & 15] as number;
  }
  if (form === MULTIPART) {
    return `${quote}${readText(unpacked, 1, 33)}-${readVarint(bytes, start + 16, end)}${quote}`;
  }
  unpacked[0] = unpacked[33] = QUOTE;
  return quote ? readText(unpacked, 0, 34) : readText(unpacked, 1, 33);
}

/** Reads what `ObjectBuilder` wrote. */
export const objectCodec: Codec<ObjectMeta> = {
  decode(key, bytes, identity, extra, end) {
    const tag = bytes[identity] as number;
    const size = readVarint(bytes, identity + 1, extra);
    const rest = identity + 1 + varintLength(size);
    const object: { key: string; size: number; etag?: string; lastModified?: number } = {
      key,
      size,
    };
    if (tag !== NONE) object.etag = readEtag(bytes, tag, rest, extra);
    const time = tag === NONE ? readTime(bytes, rest, extra) : readTime(bytes, extra, end);
    if (time !== undefined) object.lastModified = time;
    return object;
  },
  check(bytes, identity, extra, end) {
    const tag = bytes[identity] as number;
    const size = readVarint(bytes, identity + 1, extra);
    if (size < 0) return false;
    const rest = identity + 1 + varintLength(size);
    if (tag === NONE) return isTime(extra - rest) && extra === end;
    if (!isTime(end - extra)) return false;
    switch (tag & ~QUOTED) {
      case PLAIN:
        return isText(bytes, rest, extra);
      case HEX:
        return extra - rest === 16;
      case MULTIPART:
        return isNumber(bytes, rest + 16, extra);
      case DECIMAL:
        return isNumber(bytes, rest, extra);
    }
    return false;
  },
};

/** Whether these bytes are one number, and nothing else. */
function isNumber(bytes: Uint8Array, start: number, end: number): boolean {
  const value = readVarint(bytes, start, end);
  return value >= 0 && start + varintLength(value) === end;
}

function isTime(length: number): boolean {
  return length === 0 || length === 4 || length === 6 || length === 8;
}
