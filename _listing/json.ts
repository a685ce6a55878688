/**
 * A strict reader of JSON (RFC 8259) on bytes.
 *
 * It makes no strings and no tree: it gives the offsets of a text in the bytes, and decodes escapes in place, which
 * never needs more room. Anything that is not JSON is an error, even where it is skipped. Each byte is looked at a
 * bounded number of times.
 *
 * @module
 */
import { readText } from "../_bytes/exact_text.ts";
import { hexValue, isAscii, pointLength, readPoint, writePoint } from "./utf8.ts";

const QUOTE = 0x22, PLUS = 0x2b, COMMA = 0x2c, MINUS = 0x2d, DOT = 0x2e, ZERO = 0x30, COLON = 0x3a;
const BACKSLASH = 0x5c,
  OPEN_ARRAY = 0x5b,
  CLOSE_ARRAY = 0x5d,
  OPEN_OBJECT = 0x7b,
  CLOSE_OBJECT = 0x7d;

/** Deeper than any answer nests. */
const MAX_DEPTH = 100;

/**
 * The class of a byte in a string: 0 for most, `WIDE` for a part of a character beyond ASCII, `STOP` for all that
 * end the loop.
 */
const WIDE = 1, STOP = 2;
const STRING_CLASS = new Uint8Array(256);
STRING_CLASS.fill(STOP, 0, 0x20);
STRING_CLASS.fill(WIDE, 0x80);
for (const byte of [QUOTE, BACKSLASH]) STRING_CLASS[byte] = STOP;

/** What the letter of an escape stands for. */
const ESCAPES: Readonly<Record<number, number>> = {
  0x22: QUOTE,
  0x5c: BACKSLASH,
  0x2f: 0x2f,
  0x62: 8,
  0x66: 12,
  0x6e: 10,
  0x72: 13,
  0x74: 9,
};

/**
 * A cursor in a document that is one object.
 *
 * All methods throw a `SyntaxError` if the document is not JSON.
 *
 * @example The fields of an object
 * ```ts ignore
 * if (json.opensObject()) {
 *   do {
 *     json.name();
 *     if (json.isText("size")) json.string();
 *     else json.skip();
 *   } while (json.nextField());
 * }
 * ```
 */
export class JsonReader {
  /** The offsets of the last string or number, with escapes decoded. */
  start = 0;
  end = 0;
  readonly #bytes: Uint8Array;
  /** Where the last `}` is: each loop over the bytes ends there. */
  readonly #last: number;
  #at = 0;

  /** @param bytes The whole document. It is modified. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#last = bytes.lastIndexOf(CLOSE_OBJECT);
  }

  /** Enters an object. False if it is empty; then it is left again. */
  opensObject(): boolean {
    this.#expect(OPEN_OBJECT);
    return !this.#skips(CLOSE_OBJECT);
  }

  /** Enters an array. False if it is empty; then it is left again. */
  opensArray(): boolean {
    this.#expect(OPEN_ARRAY);
    return !this.#skips(CLOSE_ARRAY);
  }

  /** Goes to the next field of the object; false at its end. */
  nextField(): boolean {
    if (this.#skips(COMMA)) return true;
    this.#expect(CLOSE_OBJECT);
    return false;
  }

  /** Goes to the next value of the array; false at its end. */
  nextValue(): boolean {
    if (this.#skips(COMMA)) return true;
    this.#expect(CLOSE_ARRAY);
    return false;
  }

  /** Reads the name of a field. */
  name(): void {
    this.string();
    this.#expect(COLON);
  }

  /** Whether the last string is this one. */
  isText(text: string): boolean {
    return isAscii(this.#bytes, this.start, this.end, text);
  }

  /** The last string. */
  text(): string {
    return readText(this.#bytes, this.start, this.end);
  }

  /** Reads a string. */
  string(): void {
    if (this.#next() !== QUOTE) throw this.#broken("no string where one belongs");
    const bytes = this.#bytes;
    const start = this.#at + 1;
    let wide = false;
    for (let at = start;; at++) {
      const what = STRING_CLASS[bytes[at] as number] as number;
      if (what === 0) continue;
      if (what === WIDE) {
        wide = true;
        continue;
      }
      // Past the end of the document the class is undefined.
      if (bytes[at] !== QUOTE) return this.#oddString(start);
      if (wide) this.#checkUtf8(start, at);
      this.start = start;
      this.end = at;
      this.#at = at + 1;
      return;
    }
  }

  /** Reads a string with escapes, or finds that it is broken. */
  #oddString(start: number): void {
    const bytes = this.#bytes;
    let to = start;
    let at = start;
    for (;;) {
      if (at >= this.#last) throw cutOff();
      const byte = bytes[at] as number;
      if (byte === QUOTE) break;
      if (byte < 0x20) throw this.#broken("a control character in a string", at);
      if (byte === BACKSLASH) {
        const point = this.#escape(at);
        at += point < 0x10000 ? this.#escapeLength(at) : 12;
        to = writePoint(point, bytes, to);
        continue;
      }
      const point = readPoint(bytes, at, this.#last);
      if (point < 0) throw this.#broken("bytes that are not UTF-8", at);
      at += pointLength(point);
      to = writePoint(point, bytes, to);
    }
    this.start = start;
    this.end = to;
    this.#at = at + 1;
  }

  /** The character that an escape stands for, or that two escapes of a surrogate pair stand for. */
  #escape(at: number): number {
    const bytes = this.#bytes;
    if (bytes[at + 1] !== 0x75) {
      const plain = ESCAPES[bytes[at + 1] as number];
      if (plain === undefined) throw this.#broken("an escape that JSON does not have", at);
      return plain;
    }
    const unit = this.#unit(at + 2);
    const high = unit >> 10 === 0x36;
    if (!high || bytes[at + 6] !== BACKSLASH || bytes[at + 7] !== 0x75) return unit;
    const low = this.#unit(at + 8);
    return low >> 10 === 0x37 ? 0x10000 + ((unit & 0x3ff) << 10 | low & 0x3ff) : unit;
  }

  #escapeLength(at: number): number {
    return this.#bytes[at + 1] === 0x75 ? 6 : 2;
  }

  #unit(at: number): number {
    let value = 0;
    for (let i = at; i < at + 4; i++) {
      const digit = hexValue(this.#bytes[i]);
      if (digit < 0) throw this.#broken("an escape that JSON does not have", at);
      value = value << 4 | digit;
    }
    return value;
  }

  #checkUtf8(start: number, end: number): void {
    for (let at = start; at < end;) {
      const point = readPoint(this.#bytes, at, end);
      if (point < 0) throw this.#broken("bytes that are not UTF-8", at);
      at += pointLength(point);
    }
  }

  /** Whether the next value is a string. */
  isString(): boolean {
    return this.#next() === QUOTE;
  }

  /** Reads a number. */
  number(): void {
    const bytes = this.#bytes;
    this.#next();
    const start = this.#at;
    let at = start;
    if (bytes[at] === MINUS) at++;
    if (bytes[at] === ZERO) at++;
    else at = this.#digits(at);
    if (bytes[at] === DOT) at = this.#digits(at + 1);
    if (((bytes[at] as number) | 0x20) === 0x65) {
      at++;
      if (bytes[at] === PLUS || bytes[at] === MINUS) at++;
      at = this.#digits(at);
    }
    this.start = start;
    this.end = this.#at = at;
  }

  #digits(start: number): number {
    let at = start;
    while ((this.#bytes[at] as number) >= ZERO && (this.#bytes[at] as number) <= 0x39) at++;
    if (at === start) throw this.#broken("no value where one belongs", at);
    return at;
  }

  /** Reads past any value. */
  skip(depth = 0): void {
    const byte = this.#next();
    if (byte === QUOTE) return this.string();
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) throw this.#broken("values that nest too deep");
      const isObject = byte === OPEN_OBJECT;
      if (!(isObject ? this.opensObject() : this.opensArray())) return;
      do {
        if (isObject) this.name();
        this.skip(depth + 1);
      } while (isObject ? this.nextField() : this.nextValue());
      return;
    }
    for (const word of ["true", "false", "null"]) {
      if (byte !== word.charCodeAt(0)) continue;
      const end = this.#at + word.length;
      if (!isAscii(this.#bytes, this.#at, end, word)) break;
      this.#at = end;
      return;
    }
    this.number();
  }

  /** Throws if anything follows. */
  finish(): void {
    if (this.#next() !== -1) throw this.#broken("something after its end");
  }

  /** The next byte that is not a blank, or -1 at the end. */
  #next(): number {
    const bytes = this.#bytes;
    for (;;) {
      const byte = bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte ?? -1;
      this.#at++;
    }
  }

  /** Steps over a byte if it comes next. */
  #skips(byte: number): boolean {
    if (this.#next() !== byte) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number): void {
    if (this.#skips(byte)) return;
    throw this.#broken(`no '${String.fromCharCode(byte)}' where one belongs`);
  }

  #broken(what: string, at: number = this.#at): SyntaxError {
    return at > this.#last ? cutOff() : new SyntaxError(`broken JSON: ${what}, at byte ${at}`);
  }
}

function cutOff(): SyntaxError {
  return new SyntaxError("cut off");
}
