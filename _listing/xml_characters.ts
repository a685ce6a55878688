/**
 * The rules of XML 1.0 for characters: which a text may have, which a name may have, and what a reference stands
 * for.
 *
 * @module
 */
import { hexValue, isAscii, pointLength, readPoint } from "./utf8.ts";

/** The classes of a byte in a text: 0 for most, a flag for those that a reader must know about, or a stop. */
export const ESCAPE = 1; // `%` and `+`, which URL encoding uses
export const BLANK = 2;
export const REFERENCE = 4; // `&`
export const WIDE = 8; // a part of a character beyond ASCII
export const RETURN = 16; // a carriage return, which stands for a line feed
/** A byte of this class or a higher one ends a run of text, or must be checked. */
export const STOP = 64;
/** The `<` that ends a text. All other stops are control characters, and the `>` that may end `]]>`. */
export const TAG = 64;

const ODD = 65;

/** The class of each byte in a text. */
export const TEXT_CLASS: Uint8Array = new Uint8Array(256);
TEXT_CLASS.fill(ODD, 0, 0x20);
TEXT_CLASS.fill(WIDE, 0x80);
for (const char of "%+") TEXT_CLASS[char.charCodeAt(0)] = ESCAPE;
for (const char of " \t\n") TEXT_CLASS[char.charCodeAt(0)] = BLANK;
TEXT_CLASS[0x0d] = RETURN;
TEXT_CLASS[0x26] = REFERENCE;
TEXT_CLASS[0x3c] = TAG;
TEXT_CLASS[0x3e] = ODD;

/**
 * The class of an ASCII byte in a name: 2 if a name may begin with it, 1 if a name may continue with it, 0 for all
 * others.
 */
export const NAME_CLASS: Uint8Array = new Uint8Array(256);
for (let i = 0; i < 26; i++) NAME_CLASS[0x41 + i] = NAME_CLASS[0x61 + i] = 2;
NAME_CLASS[0x5f] = 2;
for (const char of "-.0123456789") NAME_CLASS[char.charCodeAt(0)] = 1;

/** Whether a name may begin with this character beyond ASCII. */
export function beginsName(point: number): boolean {
  return point >= 0xc0 && point <= 0x2ff && point !== 0xd7 && point !== 0xf7 ||
    point >= 0x370 && point <= 0x1fff && point !== 0x37e || point === 0x200c || point === 0x200d ||
    point >= 0x2070 && point <= 0x218f || point >= 0x2c00 && point <= 0x2fef ||
    point >= 0x3001 && point <= 0xd7ff || point >= 0xf900 && point <= 0xfdcf ||
    point >= 0xfdf0 && point <= 0xfffd || point >= 0x10000 && point <= 0xeffff;
}

/** Whether a name may continue with this character beyond ASCII. */
export function continuesName(point: number): boolean {
  return beginsName(point) || point === 0xb7 || point >= 0x300 && point <= 0x36f ||
    point === 0x203f || point === 0x2040;
}

/** Whether a document may contain this character at all, even by a reference. */
export function isCharacter(point: number): boolean {
  if (point < 0x20) return point === 0x09 || point === 0x0a || point === 0x0d;
  return point < 0xd800 || point >= 0xe000 && point <= 0xfffd ||
    point >= 0x10000 && point <= 0x10ffff;
}

/** Whether a run of bytes is UTF-8 with only characters that a document may contain. */
export function isXmlText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end;) {
    const byte = bytes[at] as number;
    if (byte >= 0x20 && byte < 0x80) {
      at++;
      continue;
    }
    const point = readPoint(bytes, at, end);
    if (point < 0 || !isCharacter(point)) return false;
    at += pointLength(point);
  }
  return true;
}

/** XML's own blanks. */
export function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** The five entities that need no declaration. */
const ENTITIES: readonly (readonly [string, number])[] = [
  ["amp", 0x26],
  ["lt", 0x3c],
  ["gt", 0x3e],
  ["quot", 0x22],
  ["apos", 0x27],
];

/**
 * The character that a reference stands for.
 *
 * @param start The offset after its `&`.
 * @param end The offset of its `;`.
 * @returns The code point, or -1 if a document without declarations cannot have such a reference.
 */
export function referredPoint(bytes: Uint8Array, start: number, end: number): number {
  if (bytes[start] !== 0x23) {
    for (const [name, point] of ENTITIES) if (isAscii(bytes, start, end, name)) return point;
    return -1;
  }
  const hex = bytes[start + 1] === 0x78;
  const base = hex ? 16 : 10;
  let at = start + (hex ? 2 : 1);
  if (at >= end) return -1;
  let point = 0;
  for (; at < end; at++) {
    const digit = hexValue(bytes[at]);
    if (digit < 0 || digit >= base) return -1;
    point = point * base + digit;
    if (point > 0x10ffff) return -1;
  }
  return isCharacter(point) ? point : -1;
}
