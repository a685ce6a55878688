/**
 * Text, such as a key, as bytes and back, exactly: whatever characters it has.
 *
 * The bytes are WTF-8: UTF-8, except that a lone surrogate, which JavaScript strings may hold and UTF-8 cannot, takes
 * three bytes as if it were a character. So every string has exactly one encoding and comes back unchanged, and
 * comparing bytes compares code points.
 *
 * @module
 */

const encoder = new TextEncoder();
// Without `ignoreBOM` a key that begins with U+FEFF would lose it.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
