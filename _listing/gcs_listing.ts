/**
 * Reads a page of a listing of Google Cloud Storage from its bytes: JSON, in any order and spacing, of which
 * only the fields of an object are looked at.
 *
 * @module
 */
import { readText } from "../_bytes/bytes.ts";
import { hexValue, ListedPage, readDigits, writePoint } from "./listed_page.ts";

/** What is asked of the server: `nextPageToken` left out of it, paging would stop at the first page. */
export const GCS_FIELDS = "kind,nextPageToken,items(name,generation,size,updated)";

const QUOTE = 0x22, COMMA = 0x2c, COLON = 0x3a, BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b, CLOSE_ARRAY = 0x5d, OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;
/** Deeper than any listing: what is skipped is walked by recursion. */
const MAX_DEPTH = 32;

/** A page, and the token of the next one if there is one. */
export interface GcsPage {
  readonly page: ListedPage;
  readonly nextPageToken: string | undefined;
}

/**
 * Scans a page.
 *
 * @param bytes The whole answer. It is written to: escapes are undone in place, as they only ever shrink.
 * @throws {Error} if it is no listing or not a whole one. The store says which.
 */
export function scanGcsPage(bytes: Uint8Array): GcsPage {
  return new GcsScanner(bytes).scan();
}

class GcsScanner {
  readonly #bytes: Uint8Array;
  readonly #page: ListedPage;
  #at = 0;
  /** Where the last string began and ended, its escapes undone. */
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#page = new ListedPage(bytes, false);
  }

  scan(): GcsPage {
    let kind: string | undefined;
    let nextPageToken: string | undefined;
    let listed = false;
    this.#expect(OPEN_OBJECT);
    if (!this.#skip(CLOSE_OBJECT)) {
      do {
        this.#key();
        if (this.#isText("kind")) kind = this.#textValue();
        else if (this.#isText("nextPageToken")) nextPageToken = this.#textValue();
        else if (this.#isText("items")) {
          // A second one would stand for the first in any other reader of JSON.
          if (listed) throw this.#broken("'items' twice");
          listed = true;
          this.#afterKey();
          this.#items();
        } else {
          this.#afterKey();
          this.#value(0);
        }
      } while (this.#skip(COMMA));
      this.#expect(CLOSE_OBJECT);
    }
    if (this.#next() !== -1) throw this.#broken("more behind its end");
    if (kind !== "storage#objects") {
      throw notAListing("the answer is JSON of another kind than 'storage#objects'");
    }
    return { page: this.#page, nextPageToken: nextPageToken === "" ? undefined : nextPageToken };
  }

  #items(): void {
    this.#expect(OPEN_ARRAY);
    if (this.#skip(CLOSE_ARRAY)) return;
    do this.#item(); while (this.#skip(COMMA));
    this.#expect(CLOSE_ARRAY);
  }

  #item(): void {
    let keyStart = -1, keyEnd = -1, etagStart = -1, etagEnd = -1, size = -1, time = NaN;
    this.#expect(OPEN_OBJECT);
    if (!this.#skip(CLOSE_OBJECT)) {
      do {
        this.#key();
        if (this.#isText("name")) {
          this.#afterKey();
          this.#string();
          keyStart = this.#start;
          keyEnd = this.#end;
        } else if (this.#isText("generation")) {
          this.#digits();
          etagStart = this.#start;
          etagEnd = this.#end;
        } else if (this.#isText("size")) {
          this.#digits();
          size = readDigits(this.#bytes, this.#start, this.#end);
        } else if (this.#isText("updated")) {
          this.#afterKey();
          this.#string();
          time = this.#time();
        } else {
          this.#afterKey();
          this.#value(0);
        }
      } while (this.#skip(COMMA));
      this.#expect(CLOSE_OBJECT);
    }
    if (keyStart < 0 || keyStart === keyEnd) throw this.#broken("an object without a name");
    if (etagStart < 0 || etagStart === etagEnd) {
      throw this.#broken("an object without a generation");
    }
    if (size < 0) throw this.#broken("an object without a size");
    this.#page.add(keyStart, keyEnd, etagStart, etagEnd, size, time);
  }

  /** The name of a field. */
  #key(): void {
    this.#space();
    this.#string();
  }

  #afterKey(): void {
    this.#expect(COLON);
    this.#space();
  }

  #textValue(): string {
    this.#afterKey();
    this.#string();
    return readText(this.#bytes, this.#start, this.#end);
  }

  /** A whole number: as a string, since that is how JSON keeps 64 bits, or as it is. */
  #digits(): void {
    this.#afterKey();
    const bytes = this.#bytes;
    if (bytes[this.#at] === QUOTE) return this.#string();
    this.#start = this.#at;
    while (isDigit(bytes[this.#at])) this.#at++;
    this.#end = this.#at;
  }

  /** A string, which must begin here. */
  #string(): void {
    const bytes = this.#bytes;
    if (bytes[this.#at] !== QUOTE) throw this.#broken("no string where one belongs");
    const length = bytes.length;
    let at = ++this.#at;
    this.#start = at;
    for (; at < length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#end = at;
        this.#at = at + 1;
        return;
      }
      if (byte === BACKSLASH) return this.#escapedString(at);
    }
    throw this.#broken("cut short");
  }

  #escapedString(from: number): void {
    const bytes = this.#bytes;
    let to = from;
    for (let at = from; at < bytes.length;) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.#end = to;
        this.#at = at + 1;
        return;
      }
      if (byte !== BACKSLASH) {
        bytes[to++] = byte;
        at++;
      } else if (bytes[at + 1] !== 0x75) {
        bytes[to++] = this.#plainEscape(bytes[at + 1]);
        at += 2;
      } else {
        let point = this.#hex(at + 2);
        at += 6;
        if (point >> 10 === 0x36 && bytes[at] === BACKSLASH && bytes[at + 1] === 0x75) {
          const low = this.#hex(at + 2);
          if (low >> 10 === 0x37) {
            point = 0x10000 + ((point & 0x3ff) << 10 | low & 0x3ff);
            at += 6;
          }
        }
        to = writePoint(point, bytes, to);
      }
    }
    throw this.#broken("cut short");
  }

  #plainEscape(byte: number | undefined): number {
    switch (byte) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
        return byte;
      case 0x62:
        return 8;
      case 0x66:
        return 12;
      case 0x6e:
        return 10;
      case 0x72:
        return 13;
      case 0x74:
        return 9;
    }
    throw this.#broken("an escape that JSON does not have");
  }

  #hex(at: number): number {
    let value = 0;
    for (let i = at; i < at + 4; i++) {
      const digit = hexValue(this.#bytes[i]);
      if (digit < 0) throw this.#broken("an escape that JSON does not have");
      value = value << 4 | digit;
    }
    return value;
  }

  /** Walks over any value. */
  #value(depth: number): void {
    const byte = this.#next();
    if (byte === QUOTE) return this.#string();
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (depth === MAX_DEPTH) throw this.#broken("too deep");
      const close = byte === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      this.#at++;
      if (this.#skip(close)) return;
      do {
        if (byte === OPEN_OBJECT) {
          this.#key();
          this.#afterKey();
        }
        this.#value(depth + 1);
      } while (this.#skip(COMMA));
      return this.#expect(close);
    }
    const start = this.#at;
    while (isWord(this.#bytes[this.#at])) this.#at++;
    if (this.#at === start) throw this.#broken("no value where one belongs");
  }

  /** The time in the last string, in ms. */
  #time(): number {
    const bytes = this.#bytes, at = this.#start;
    let time = NaN;
    // The server's own form, 2026-11-23T04:23:46.123Z, by hand: a date a line makes a listing slow.
    if (this.#end - at === 24 && bytes[at + 19] === 0x2e && bytes[at + 23] === 0x5a) {
      const year = readDigits(bytes, at, at + 4);
      const month = readDigits(bytes, at + 5, at + 7);
      const day = readDigits(bytes, at + 8, at + 10);
      const hour = readDigits(bytes, at + 11, at + 13);
      const minute = readDigits(bytes, at + 14, at + 16);
      const second = readDigits(bytes, at + 17, at + 19);
      const ms = readDigits(bytes, at + 20, at + 23);
      if (Math.min(year, month, day, hour, minute, second, ms) >= 0) {
        time = Date.UTC(year, month - 1, day, hour, minute, second, ms);
      }
    } else {
      time = Date.parse(readText(bytes, at, this.#end));
    }
    if (time !== time) throw this.#broken("an object with a time that is none");
    return time;
  }

  /** Whether the last string is this one. */
  #isText(text: string): boolean {
    const start = this.#start;
    if (this.#end - start !== text.length) return false;
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[start + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  #space(): void {
    const bytes = this.#bytes;
    for (;;) {
      const byte = bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at++;
    }
  }

  /** The next byte that is no space, or -1 at the end. */
  #next(): number {
    this.#space();
    return this.#bytes[this.#at] ?? -1;
  }

  /** Steps over a byte if it comes next. */
  #skip(byte: number): boolean {
    if (this.#next() !== byte) return false;
    this.#at++;
    return true;
  }

  #expect(byte: number): void {
    if (!this.#skip(byte)) {
      throw this.#broken(this.#next() === -1 ? "cut short" : "no JSON");
    }
  }

  #broken(what: string): Error {
    return notAListing(`${what}, at byte ${this.#at} of ${this.#bytes.length}`);
  }
}

function notAListing(what: string): Error {
  return new Error(`not a whole listing: ${what}`);
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

/** A byte of a number, or of `true`, `false` and `null`. */
function isWord(byte: number | undefined): boolean {
  return isDigit(byte) || byte === 0x2d || byte === 0x2b || byte === 0x2e ||
    byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}
