/**
 * Runs of bytes: their order, copies of them, and room for them. Hexadecimal digits and whole numbers as bytes.
 *
 * @module
 */

/** The lower-case hexadecimal digits as bytes. `HEX_VALUES` has the value of each such byte, and -1 for all others. */
export const HEX_DIGITS: Uint8Array = new TextEncoder().encode("0123456789abcdef");
export const HEX_VALUES: Int8Array = new Int8Array(256).fill(-1);
HEX_DIGITS.forEach((digit, value) => HEX_VALUES[digit] = value);

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
