/**
 * Text, order and small numbers as bytes, in the form that the snapshot keeps.
 *
 * Text is WTF-8: UTF-8, except that a lone surrogate, which JavaScript strings may hold and UTF-8 cannot, takes
 * three bytes as if it were a character. So every string has exactly one encoding and comes back
 * unchanged, and comparing bytes compares code points.
 *
 * @module
 */

const encoder = new TextEncoder();
// Without `ignoreBOM` a key that begins with U+FEFF would lose it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The lower-case hexadecimal digits as bytes. `HEX_VALUES` has the value of each such byte, and -1 for all others. */
export const HEX_DIGITS: Uint8Array = encoder.encode("0123456789abcdef");
export const HEX_VALUES: Int8Array = new Int8Array(256).fill(-1);
HEX_DIGITS.forEach((digit, value) => HEX_VALUES[digit] = value);

/** For longer texts the runtime's own encoder is faster. */
const LONG_TEXT = 96;

/** Writes `text` at `at` and returns the end. The target must have room for `3 * text.length` bytes. */
export function writeText(text: string, target: Uint8Array, at: number): number {
  const length = text.length;
  if (length > LONG_TEXT && text.isWellFormed()) {
    return at + encoder.encodeInto(text, target.subarray(at)).written;
  }
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return writeWide(text, i, target, at + i);
    target[at + i] = unit;
  }
  return at + length;
}

function writeWide(text: string, from: number, target: Uint8Array, at: number): number {
  for (let i = from; i < text.length; i++) {
    const point = text.codePointAt(i) as number;
    if (point < 0x80) {
      target[at++] = point;
      continue;
    }
    if (point < 0x800) {
      target[at++] = 0xc0 | point >> 6;
    } else {
      if (point < 0x10000) {
        target[at++] = 0xe0 | point >> 12;
      } else {
        i++;
        target[at++] = 0xf0 | point >> 18;
        target[at++] = 0x80 | point >> 12 & 0x3f;
      }
      target[at++] = 0x80 | point >> 6 & 0x3f;
    }
    target[at++] = 0x80 | point & 0x3f;
  }
  return at;
}

/** The bytes of a text. */
export function textBytes(text: string): Uint8Array {
  const room = new Uint8Array(text.length * 3);
  return room.subarray(0, writeText(text, room, 0));
}

/** The text between two offsets. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  try {
    return decoder.decode(bytes.subarray(start, end));
  } catch {
    return readWide(bytes, start, end); // a lone surrogate, which the decoder refuses
  }
}

function readWide(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end;) {
    const lead = bytes[i] as number;
    const extra = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    let point = extra === 0 ? lead : lead & (0x3f >> extra);
    for (let j = 1; j <= extra; j++) point = point << 6 | (bytes[i + j] as number) & 0x3f;
    text += String.fromCodePoint(Math.min(point, 0x10ffff));
    i += extra + 1;
  }
  return text;
}

/**
 * Whether the bytes are the encoding of a string. Each string has exactly one, so that no two keys decode to the
 * same string.
 */
export function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if ((bytes[i] as number) > 0x7f) return isWideText(bytes, i, end);
  }
  return true;
}

function isWideText(bytes: Uint8Array, start: number, end: number): boolean {
  let afterHigh = -1; // where a lone high surrogate ended: a low one right after it would be a wrongly encoded pair
  for (let i = start; i < end;) {
    const lead = bytes[i] as number;
    if (lead < 0x80) {
      i++;
      continue;
    }
    const extra = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
    if (extra === 0 || i + extra >= end) return false;
    let point = lead & (0x3f >> extra);
    for (let j = 1; j <= extra; j++) {
      const next = bytes[i + j] as number;
      if ((next & 0xc0) !== 0x80) return false;
      point = point << 6 | next & 0x3f;
    }
    if (extra === 2 && point < 0x800) return false;
    if (extra === 3 && (point < 0x10000 || point > 0x10ffff)) return false;
    if (point >= 0xdc00 && point < 0xe000 && afterHigh === i) return false;
    i += extra + 1;
    if (point >= 0xd800 && point < 0xdc00) afterHigh = i;
  }
  return true;
}

/** Negative, 0 or positive, as the first run of bytes sorts before, equal to or after the second. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const difference = (a[aStart + i] as number) - (b[bStart + i] as number);
    if (difference !== 0) return difference;
  }
  return (aEnd - aStart) - (bEnd - bStart);
}

/** Copies a run of bytes. For a short run a loop is faster than making a view for `set`. */
export function copyBytes(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): void {
  if (end - start > 64) to.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) to[at++] = from[i] as number;
}

/**
 * An array of at least `needed` bytes: the same one, or one at least twice as long with the first `used` bytes
 * copied.
 */
export function withRoom(bytes: Uint8Array, used: number, needed: number): Uint8Array {
  if (needed <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.max(needed, bytes.length * 2));
  grown.set(bytes.subarray(0, used));
  return grown;
}

/** Writes a whole number from 0 to 2⁵³−1, seven bits a byte, low bits first, and returns the end. */
export function writeVarint(value: number, target: Uint8Array, at: number): number {
  while (value > 0x7fffffff) {
    target[at++] = value % 128 | 128;
    value = Math.floor(value / 128);
  }
  while (value > 127) {
    target[at++] = value & 127 | 128;
    value >>>= 7;
  }
  target[at] = value;
  return at + 1;
}

/** The number at `at`, or -1 if it is cut off at `end` or larger than 2⁵³−1. */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  for (let scale = 1; at < end && scale <= 2 ** 49; scale *= 128) {
    const byte = bytes[at++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return value <= Number.MAX_SAFE_INTEGER ? value : -1;
  }
  return -1;
}

/** How many bytes `writeVarint` takes for a number. */
export function varintLength(value: number): number {
  let length = 1;
  for (; value > 127; value = Math.floor(value / 128)) length++;
  return length;
}
