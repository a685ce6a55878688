/**
 * Decides whether the keys of a listing are URL-encoded, as in a query string, and decodes them. Some servers say that
 * they encode keys and do not: there a `+` is a plus.
 *
 * @module
 */
import { hexValue } from "./utf8.ts";

const PERCENT = 0x25, PLUS_SIGN = 0x2b, BLANK = 0x20;

/**
 * Signs that a key is URL-encoded, or that it is not.
 *
 * - `PLUS`: it has a `+`, which is a blank in an encoded key, and a plus in any other.
 * - `ENCODED`: it has an escape.
 * - `RAW`: it has a character that an encoder escapes: a blank, a control character, a character beyond ASCII, or a
 *   `%` that begins no escape.
 */
const PLUS = 1, ENCODED = 2, RAW = 4;

/** Whether keys of one listing are URL-encoded, as its pages have shown so far. */
export class KeyEncoding {
  /** Whether a page has shown that keys are not encoded, though the server says so. */
  #raw = false;
  /** Whether encoded keys were decoded. */
  #decoded = false;

  /**
   * Whether the keys of a page are to be decoded. A character that every encoder would have encoded shows that they are
   * not encoded: then they are taken as they are, and so are those of all further pages.
   *
   * @param signs What `signsOf` tells of the keys of the page, of all of them together.
   * @returns Undefined if some keys are encoded and some are not, on this page or on those before it.
   */
  isEncoded(signs: number): boolean | undefined {
    const raw = this.#raw || (signs & RAW) !== 0;
    if (raw && ((signs & ENCODED) !== 0 || this.#decoded)) return undefined;
    this.#raw = raw;
    if (raw || signs === 0) return false;
    this.#decoded = true;
    return true;
  }
}

/** The signs that a key has. */
export function signsOf(bytes: Uint8Array, start: number, end: number): number {
  let signs = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte <= BLANK || byte > 0x7f) signs |= RAW;
    else if (byte === PLUS_SIGN) signs |= PLUS;
    else if (byte === PERCENT) signs |= escapedByte(bytes, at, end) < 0 ? RAW : ENCODED;
  }
  return signs;
}

/** The byte that an escape at `at` stands for, or -1 if there is none. */
function escapedByte(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 >= end) return -1;
  const high = hexValue(bytes[at + 1]), low = hexValue(bytes[at + 2]);
  return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/**
 * Decodes URL encoding in place: `+` is a blank, `%` and two hexadecimal digits are a byte.
 *
 * @returns The new end; -1 if a `%` is followed by anything else.
 */
export function decodeUrl(bytes: Uint8Array, start: number, end: number): number {
  return decode(bytes, start, end, BLANK);
}

/** The same, but a `+` is a plus. */
export function decodePercent(bytes: Uint8Array, start: number, end: number): number {
  return decode(bytes, start, end, PLUS_SIGN);
}

function decode(bytes: Uint8Array, start: number, end: number, plus: number): number {
  let to = start;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === PLUS_SIGN) {
      bytes[to++] = plus;
    } else if (byte !== PERCENT) {
      bytes[to++] = byte;
    } else {
      const value = escapedByte(bytes, at, end);
      if (value < 0) return -1;
      bytes[to++] = value;
      at += 2;
    }
  }
  return to;
}
