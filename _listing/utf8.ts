/** Reads and writes UTF-8 one character at a time, where a whole text is not needed. */

/**
 * The character at an offset.
 *
 * @returns Its code point, or -1 if it is not well-formed UTF-8: a character that is written too long, a surrogate,
 * or a character that is cut off at `end`.
 */
export function readPoint(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return lead;
  const extra = lead < 0xc2 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : lead < 0xf5 ? 3 : 0;
  if (extra === 0 || at + extra >= end) return -1;
  let point = lead & (0x3f >> extra);
  for (let i = at + 1; i <= at + extra; i++) {
    const next = bytes[i] as number;
    if ((next & 0xc0) !== 0x80) return -1;
    point = point << 6 | next & 0x3f;
  }
  if (extra === 2) return point < 0x800 || point >= 0xd800 && point < 0xe000 ? -1 : point;
  if (extra === 3) return point < 0x10000 || point > 0x10ffff ? -1 : point;
  return point;
}

/** How many bytes a code point takes. */
export function pointLength(point: number): number {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

/** Writes a code point as UTF-8, half of a surrogate pair as three bytes, and returns the end. */
export function writePoint(point: number, bytes: Uint8Array, at: number): number {
  if (point < 0x80) {
    bytes[at++] = point;
    return at;
  }
  if (point < 0x800) {
    bytes[at++] = 0xc0 | point >> 6;
  } else {
    if (point < 0x10000) {
      bytes[at++] = 0xe0 | point >> 12;
    } else {
      bytes[at++] = 0xf0 | point >> 18;
      bytes[at++] = 0x80 | point >> 12 & 0x3f;
    }
    bytes[at++] = 0x80 | point >> 6 & 0x3f;
  }
  bytes[at++] = 0x80 | point & 0x3f;
  return at;
}

/** The value of a hexadecimal digit, or -1. */
export function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Reads a run of decimal digits.
 *
 * @returns The number, or -1 if it is not a whole number from 0 to 2⁵³−1.
 */
export function readDigits(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > Number.MAX_SAFE_INTEGER) return -1;
  }
  return value;
}

/** Whether a run of bytes is this ASCII text. */
export function isAscii(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}
