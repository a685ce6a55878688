/**
 * Reads a page of a flat listing of Azure Blob Storage from its bytes: XML, of which only the fields of a
 * blob are looked at.
 *
 * @module
 */
import { readText } from "../_bytes/bytes.ts";
import { hexValue, ListedPage, readDigits, writePoint } from "./listed_page.ts";

const LESS = 0x3c, GREATER = 0x3e, SLASH = 0x2f, AMPERSAND = 0x26, SEMICOLON = 0x3b, PERCENT = 0x25;
const QUOTE = 0x22, BANG = 0x21, QUESTION = 0x3f;

/** A page, and the marker of the next one: empty behind the last. */
export interface AzurePage {
  readonly page: ListedPage;
  readonly nextMarker: string;
}

/**
 * Scans a page. Directories of accounts with a hierarchical namespace, snapshots, and blobs that were deleted are
 * left out.
 *
 * @param bytes The whole answer. It is written to: escapes are undone in place, as they only ever shrink.
 * @throws {Error} if it is no listing or not a whole one. The store says which.
 */
export function scanAzurePage(bytes: Uint8Array): AzurePage {
  return new AzureScanner(bytes).scan();
}

class AzureScanner {
  readonly #bytes: Uint8Array;
  readonly #page: ListedPage;
  #at = 0;
  /** The tag that was read last: where it begins, its name, and where it ends behind the `>`. */
  #tag = 0;
  #nameStart = 0;
  #nameEnd = 0;
  #closes = false;
  #empty = false;
  /** The text that was read last, escapes undone. */
  #start = 0;
  #end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#page = new ListedPage(bytes, true);
  }

  scan(): AzurePage {
    // The service begins its answers with a byte order mark.
    if (this.#bytes[0] === 0xef && this.#bytes[1] === 0xbb && this.#bytes[2] === 0xbf) this.#at = 3;
    if (!this.#next() || this.#closes || !this.#isTag("EnumerationResults")) {
      throw notAListing("the answer has no 'EnumerationResults'");
    }
    let listed = false;
    let nextMarker: string | undefined;
    if (!this.#empty) {
      while (this.#child()) {
        if (this.#isTag("Blobs")) {
          listed = true;
          this.#blobs();
        } else if (this.#isTag("NextMarker")) {
          this.#text();
          nextMarker = readText(this.#bytes, this.#start, this.#end);
        } else {
          this.#leave();
        }
      }
    }
    for (let at = this.#at; at < this.#bytes.length; at++) {
      if ((this.#bytes[at] as number) > 0x20) throw this.#broken("more behind its end");
    }
    if (!listed) throw notAListing("no 'Blobs'");
    if (nextMarker === undefined) throw notAListing("no 'NextMarker'");
    return { page: this.#page, nextMarker };
  }

  #blobs(): void {
    if (this.#empty) return;
    while (this.#child()) {
      if (this.#isTag("Blob")) this.#blob();
      else this.#leave();
    }
  }

  #blob(): void {
    let keyStart = -1, keyEnd = -1;
    let gone = false;
    this.#etagStart = this.#size = -1;
    this.#time = NaN;
    this.#directory = false;
    if (!this.#empty) {
      while (this.#child()) {
        if (this.#isTag("Name")) {
          const encoded = this.#isEncoded();
          this.#text();
          if (encoded) this.#undoPercent();
          keyStart = this.#start;
          keyEnd = this.#end;
        } else if (this.#isTag("Properties")) {
          this.#properties();
        } else if (this.#isTag("Deleted")) {
          this.#text();
          gone ||= this.#isText("true");
        } else if (this.#isTag("Snapshot")) {
          this.#text();
          gone ||= this.#end > this.#start;
        } else {
          this.#leave();
        }
      }
    }
    if (keyStart < 0 || keyStart === keyEnd) throw this.#broken("a blob without a name");
    if (this.#directory || gone) return;
    if (this.#etagStart < 0) throw this.#broken("a blob without an ETag");
    if (this.#size < 0) throw this.#broken("a blob without a length");
    this.#page.add(keyStart, keyEnd, this.#etagStart, this.#etagEnd, this.#size, this.#time);
  }

  #etagStart = -1;
  #etagEnd = -1;
  #size = -1;
  #time = NaN;
  #directory = false;

  #properties(): void {
    if (this.#empty) return;
    while (this.#child()) {
      switch (this.#nameEnd - this.#nameStart) {
        case 4:
          if (!this.#isTag("Etag")) break;
          this.#text();
          this.#unquote();
          if (this.#end > this.#start) {
            this.#etagStart = this.#start;
            this.#etagEnd = this.#end;
          }
          continue;
        case 12:
          if (!this.#isTag("ResourceType")) break;
          this.#text();
          this.#directory = this.#isText("directory");
          continue;
        case 13:
          if (!this.#isTag("Last-Modified")) break;
          this.#text();
          this.#time = this.#httpDate();
          continue;
        case 14:
          if (!this.#isTag("Content-Length")) break;
          this.#text();
          this.#size = readDigits(this.#bytes, this.#start, this.#end);
          continue;
      }
      this.#leave();
    }
  }

  /** Reads up to the next element in this one. False at its end. */
  #child(): boolean {
    if (!this.#next()) throw this.#broken("cut short");
    return !this.#closes;
  }

  /** Reads up to the next tag. False at the end of the answer. */
  #next(): boolean {
    const bytes = this.#bytes, length = bytes.length;
    let at = this.#at;
    for (;;) {
      while (at < length && bytes[at] !== LESS) at++;
      if (at === length) return false;
      const byte = bytes[at + 1];
      if (byte === BANG) throw this.#broken("markup that no listing has");
      if (byte !== QUESTION) break;
      while (at < length && bytes[at] !== GREATER) at++;
    }
    this.#tag = at++;
    this.#closes = bytes[at] === SLASH;
    if (this.#closes) at++;
    this.#nameStart = at;
    while (at < length && (bytes[at] as number) > 0x20 && bytes[at] !== GREATER) {
      if (bytes[at] === SLASH) break;
      at++;
    }
    this.#nameEnd = at;
    // A `>` within the value of an attribute is legal.
    for (let quote = 0; at < length; at++) {
      const byte = bytes[at] as number;
      if (quote !== 0) {
        if (byte === quote) quote = 0;
      } else if (byte === QUOTE || byte === 0x27) {
        quote = byte;
      } else if (byte === GREATER) {
        this.#empty = bytes[at - 1] === SLASH;
        this.#at = at + 1;
        return true;
      }
    }
    throw this.#broken("cut short");
  }

  /** Reads past the end of the element whose begin tag was read last. */
  #leave(): void {
    if (this.#empty) return;
    for (let depth = 1; depth > 0;) {
      if (!this.#next()) throw this.#broken("cut short");
      if (this.#closes) depth--;
      else if (!this.#empty) depth++;
    }
  }

  /** Reads the text of the element whose begin tag was read last, and its end tag. */
  #text(): void {
    const start = this.#start = this.#end = this.#at;
    if (this.#empty) return;
    const nameStart = this.#nameStart, length = this.#nameEnd - nameStart;
    if (!this.#next()) throw this.#broken("cut short");
    const bytes = this.#bytes;
    let same = this.#closes && this.#nameEnd - this.#nameStart === length;
    for (let i = 0; same && i < length; i++) {
      same = bytes[nameStart + i] === bytes[this.#nameStart + i];
    }
    if (!same) throw this.#broken("an element where a text belongs");
    this.#end = this.#tag;
    for (let at = start; at < this.#tag; at++) {
      if (bytes[at] === AMPERSAND) return this.#undoEntities(at);
    }
  }

  #undoEntities(from: number): void {
    const bytes = this.#bytes;
    let to = from;
    for (let at = from; at < this.#tag; at++) {
      const byte = bytes[at] as number;
      if (byte !== AMPERSAND) {
        bytes[to++] = byte;
        continue;
      }
      const start = at + 1;
      while (at < this.#tag && bytes[at] !== SEMICOLON) at++;
      to = writePoint(this.#entity(readText(bytes, start, Math.min(at, start + 12))), bytes, to);
    }
    this.#end = to;
  }

  #entity(name: string): number {
    switch (name) {
      case "amp":
        return AMPERSAND;
      case "lt":
        return LESS;
      case "gt":
        return GREATER;
      case "quot":
        return QUOTE;
      case "apos":
        return 0x27;
    }
    const hex = /^#x([\da-f]{1,8})$/i.exec(name)?.[1];
    const decimal = /^#(\d{1,8})$/.exec(name)?.[1];
    const point = hex !== undefined ? parseInt(hex, 16) : Number(decimal ?? NaN);
    if (!(point <= 0x10ffff)) throw this.#broken("a character that XML does not have");
    return point;
  }

  /** Whether the begin tag that was read last says that its text is percent-encoded. */
  #isEncoded(): boolean {
    if (this.#at - this.#nameEnd < 4) return false;
    return /\sEncoded\s*=\s*["']true["']/i.test(readText(this.#bytes, this.#nameEnd, this.#at));
  }

  #undoPercent(): void {
    const bytes = this.#bytes;
    let to = this.#start;
    for (let at = this.#start; at < this.#end; at++) {
      const byte = bytes[at] as number;
      if (byte !== PERCENT) {
        bytes[to++] = byte;
        continue;
      }
      const high = hexValue(bytes[at + 1]), low = hexValue(bytes[at + 2]);
      if (high < 0 || low < 0 || at + 2 >= this.#end) throw this.#broken("a name encoded wrongly");
      bytes[to++] = high << 4 | low;
      at += 2;
    }
    this.#end = to;
  }

  /** The service lists ETags bare, older versions of it in quotes: both come to the same. */
  #unquote(): void {
    const bytes = this.#bytes;
    const long = this.#end - this.#start > 1;
    if (long && bytes[this.#start] === QUOTE && bytes[this.#end - 1] === QUOTE) {
      this.#start++;
      this.#end--;
    }
  }

  /** The date in the last text, in ms. */
  #httpDate(): number {
    const bytes = this.#bytes, at = this.#start;
    let time = NaN;
    // Mon, 23 Nov 2026 04:23:46 GMT, by hand: a date a line makes a listing slow.
    if (this.#end - at === 29) {
      const day = readDigits(bytes, at + 5, at + 7);
      const month = monthOf(bytes, at + 8);
      const year = readDigits(bytes, at + 12, at + 16);
      const hour = readDigits(bytes, at + 17, at + 19);
      const minute = readDigits(bytes, at + 20, at + 22);
      const second = readDigits(bytes, at + 23, at + 25);
      if (Math.min(day, month, year, hour, minute, second) >= 0 && bytes[at + 26] === 0x47) {
        time = Date.UTC(year, month, day, hour, minute, second);
      }
    }
    if (time !== time) time = Date.parse(readText(bytes, at, this.#end));
    if (time !== time) throw this.#broken("a blob with a date that is none");
    return time;
  }

  #isTag(name: string): boolean {
    return isAt(this.#bytes, this.#nameStart, this.#nameEnd, name);
  }

  #isText(text: string): boolean {
    return isAt(this.#bytes, this.#start, this.#end, text);
  }

  #broken(what: string): Error {
    return notAListing(`${what}, at byte ${this.#at} of ${this.#bytes.length}`);
  }
}

function notAListing(what: string): Error {
  return new Error(`not a whole listing: ${what}`);
}

function isAt(bytes: Uint8Array, start: number, end: number, text: string): boolean {
  if (end - start !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false;
  return true;
}

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";

/** The month from 0, or -1. */
function monthOf(bytes: Uint8Array, at: number): number {
  for (let month = 0; month < 12; month++) {
    const i = month * 3;
    if (
      bytes[at] === MONTHS.charCodeAt(i) && bytes[at + 1] === MONTHS.charCodeAt(i + 1) &&
      bytes[at + 2] === MONTHS.charCodeAt(i + 2)
    ) return month;
  }
  return -1;
}
