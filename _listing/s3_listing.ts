/**
 * A page of an S3 listing, read from the bytes of the answer.
 *
 * The SDK's parser builds a tree of strings and objects, a hundred times the work of what a poll needs: where each key, ETag, size
 * and time stands. So this reads the XML in one pass, remembers places, and undoes escapes in the buffer itself
 * (what an escape stands for is never longer than the escape). It reads XML, not one server's layout: any order of fields,
 * prefixes, white space, comments, CDATA, unknown elements. Whatever is not a whole listing is an error.
 *
 * @module
 */

import type { ObjectBuilder } from "../_diff/builder.ts";
import { compareBytes, isText, readText, textBytes, withRoom, writeText } from "../_bytes/bytes.ts";
import type { ScannedPage } from "./scan.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** Numbers kept of an object: key start, key end, ETag start or -1, twice the ETag's end plus 1 if quotes were left out. */
const PLACES = 4;
/** Deeper than any listing nests. */
const MAX_DEPTH = 32;

const AMP = 0x26, SLASH = 0x2f, LT = 0x3c, GT = 0x3e;
const BANG = 0x21, QUOTE = 0x22, APOS = 0x27, QUESTION = 0x3f, COLON = 0x3a, SEMICOLON = 0x3b;
const PERCENT = 0x25, PLUS = 0x2b, HYPHEN = 0x2d, BLANK = 0x20, ZERO = 0x30;

/** What a byte means in text. */
const ESCAPE = 1, ENTITY = 2, TAG = 4;
const IN_TEXT = new Uint8Array(256);
IN_TEXT[PERCENT] = IN_TEXT[PLUS] = ESCAPE;
IN_TEXT[AMP] = ENTITY;
IN_TEXT[LT] = TAG;

/** 1 for bytes that end a name. */
const ENDS_NAME = new Uint8Array(256);
for (const byte of [0x09, 0x0a, 0x0d, BLANK, SLASH, GT, LT, COLON]) ENDS_NAME[byte] = 1;

const HEX = new Int8Array(256).fill(-1);
for (let i = 0; i < 16; i++) {
  HEX["0123456789abcdef".charCodeAt(i)] = HEX["0123456789ABCDEF".charCodeAt(i)] = i;
}

const ENTITIES: Readonly<Record<string, number>> = {
  lt: LT,
  gt: GT,
  amp: AMP,
  quot: QUOTE,
  apos: APOS,
};

/** How a double quote is written: by S3 and most, and by servers in Go. */
const QUOTES = ["&quot;", "&#34;"];

const name = (text: string): Uint8Array => textBytes(text);
const ROOT = name("ListBucketResult");
const CONTENTS = name("Contents");
const KEY = name("Key");
const ETAG = name("ETag");
const SIZE = name("Size");
const LAST_MODIFIED = name("LastModified");
const IS_TRUNCATED = name("IsTruncated");
const NEXT_TOKEN = name("NextContinuationToken");
const ENCODING_TYPE = name("EncodingType");

/** A page of objects, by their places in a buffer. */
export class S3Page implements ScannedPage {
  /** Whether more pages follow. Undefined if the answer does not say. */
  truncated: boolean | undefined;
  /** What to ask the next page with. */
  nextToken: string | undefined;
  /** Holds all keys and ETags, escapes undone. */
  bytes: Uint8Array;
  readonly #source: string;
  #first = 0;
  #end = 0;
  #places: Int32Array = new Int32Array(PLACES * 1000);
  #sizes: Float64Array = new Float64Array(1000);
  /** NaN for none. */
  #times: Float64Array = new Float64Array(1000);

  constructor(bytes: Uint8Array, source: string) {
    this.bytes = bytes;
    this.#source = source;
  }

  /** Empties it, to be filled again. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.truncated = this.nextToken = undefined;
    this.#first = this.#end = 0;
  }

  get count(): number {
    return this.#end - this.#first;
  }

  push(
    keyStart: number,
    keyEnd: number,
    etagStart: number,
    etagEnd: number,
    quoted: boolean,
    size: number,
    time: number,
  ): void {
    const i = this.#end++;
    if (i === this.#sizes.length) this.#grow();
    const places = this.#places;
    const at = i * PLACES;
    places[at] = keyStart;
    places[at + 1] = keyEnd;
    places[at + 2] = etagStart;
    places[at + 3] = etagEnd << 1 | (quoted ? 1 : 0);
    this.#sizes[i] = size;
    this.#times[i] = time;
  }

  #grow(): void {
    const [places, sizes, times] = [this.#places, this.#sizes, this.#times];
    (this.#places = new Int32Array(places.length * 2)).set(places);
    (this.#sizes = new Float64Array(sizes.length * 2)).set(sizes);
    (this.#times = new Float64Array(times.length * 2)).set(times);
  }

  addTo(builder: ObjectBuilder): void {
    const { bytes } = this;
    const places = this.#places, sizes = this.#sizes, times = this.#times;
    for (let i = this.#first; i < this.#end; i++) {
      const at = i * PLACES;
      const etagEnd = places[at + 3] as number;
      const time = times[i] as number;
      builder.addRaw(
        bytes,
        places[at] as number,
        places[at + 1] as number,
        bytes,
        places[at + 2] as number,
        etagEnd >> 1,
        (etagEnd & 1) === 1,
        sizes[i] as number,
        time === time ? time : undefined,
      );
    }
  }

  /** The same as objects. */
  objects(): ObjectMeta[] {
    const objects: ObjectMeta[] = [];
    for (let i = this.#first; i < this.#end; i++) objects.push(this.#object(i * PLACES, i));
    return objects;
  }

  #object(at: number, i: number): ObjectMeta {
    const [keyStart = 0, keyEnd = 0, etagStart = 0, etagEnd = 0] = this.#places.subarray(
      at,
      at + PLACES,
    );
    if (!isText(this.bytes, keyStart, keyEnd)) {
      throw fault(this.#source, "the listing has a key that is not UTF-8");
    }
    const object: { key: string; size: number; etag?: string; lastModified?: number } = {
      key: readText(this.bytes, keyStart, keyEnd),
      size: this.#sizes[i] as number,
    };
    if (etagStart >= 0) {
      const etag = readText(this.bytes, etagStart, etagEnd >> 1);
      object.etag = etagEnd & 1 ? `"${etag}"` : etag;
    }
    const time = this.#times[i] as number;
    if (time === time) object.lastModified = time;
    return object;
  }

  /** A key, counted from 0, as bytes of its own. Undefined where there is none. */
  key(i: number): Uint8Array | undefined {
    if (i < 0 || i >= this.count) return undefined;
    const at = (this.#first + i) * PLACES;
    return this.bytes.slice(this.#places[at], this.#places[at + 1]);
  }

  /** The first key, counted from 0, that is not behind the one before it in the order of their bytes; -1 if all are. */
  disorder(): number {
    for (let i = this.#first + 1; i < this.#end; i++) {
      if (!this.#isBehind(i, i - 1)) return i - this.#first;
    }
    return -1;
  }

  /** The first key, counted from 0, that does not begin with these bytes; -1 if all do. */
  without(prefix: Uint8Array): number {
    const { bytes } = this;
    const places = this.#places;
    for (let i = this.#first; i < this.#end; i++) {
      const start = places[i * PLACES] as number;
      const end = Math.min(places[i * PLACES + 1] as number, start + prefix.length);
      if (compareBytes(bytes, start, end, prefix, 0, prefix.length) !== 0) return i - this.#first;
    }
    return -1;
  }

  /**
   * Takes out what is not between `after` and `until`, and returns whether all beyond this page is past `until`. The
   * keys must be in order.
   */
  clip(after: Uint8Array | undefined, until: Uint8Array | undefined): boolean {
    if (after !== undefined) {
      while (this.#first < this.#end && this.#compare(this.#first, after) <= 0) this.#first++;
    }
    if (until === undefined) return false;
    let past = false;
    while (this.#first < this.#end && this.#compare(this.#end - 1, until) > 0) {
      this.#end--;
      past = true;
    }
    return past;
  }

  #compare(i: number, key: Uint8Array): number {
    const start = this.#places[i * PLACES] as number;
    const end = this.#places[i * PLACES + 1] as number;
    return compareBytes(this.bytes, start, end, key, 0, key.length);
  }

  #isBehind(i: number, j: number): boolean {
    const { bytes } = this;
    const places = this.#places;
    return compareBytes(
      bytes,
      places[i * PLACES] as number,
      places[i * PLACES + 1] as number,
      bytes,
      places[j * PLACES] as number,
      places[j * PLACES + 1] as number,
    ) > 0;
  }

  /** Undoes the URL encoding of the keys of the given objects. */
  decodeKeys(encoded: readonly number[]): void {
    for (const i of encoded) {
      const at = i * PLACES;
      const end = decodeUrl(this.bytes, this.#places[at] as number, this.#places[at + 1] as number);
      if (end < 0) throw fault(this.#source, "the listing has a key with a broken '%' escape");
      this.#places[at + 1] = end;
    }
  }
}

/** A page from what the SDK itself made of an answer. */
export function pageOfObjects(objects: Iterable<ObjectMeta>, source: string): S3Page {
  const page = new S3Page(new Uint8Array(64 * 1024), source);
  let at = 0;
  for (const { key, size, etag = "", lastModified = NaN } of objects) {
    page.bytes = withRoom(page.bytes, at, at + 3 * (key.length + etag.length));
    const keyEnd = writeText(key, page.bytes, at);
    const end = writeText(etag, page.bytes, keyEnd);
    page.push(at, keyEnd, etag === "" ? -1 : keyEnd, end, false, size, lastModified);
    at = end;
  }
  return page;
}

/** Whether the root element of an answer is `<Error>`. */
export function isErrorAnswer(bytes: Uint8Array, length: number): boolean {
  try {
    const reader = new Reader(bytes, length, "");
    return reader.child() && reader.isNamed(name("Error"));
  } catch {
    return false;
  }
}

/**
 * Reads a listing. Overwrites escapes in `bytes`, and refers to it from then on.
 *
 * @param bytes The answer, and at least one byte more, which is overwritten.
 * @param length Bytes of the answer.
 * @param source Names the store in errors.
 * @param page Is emptied and filled.
 * @throws {ExternalError} with code `"protocol"` if it is no whole listing.
 */
export function readListing(
  bytes: Uint8Array,
  length: number,
  source: string,
  page: S3Page = new S3Page(bytes, source),
): S3Page {
  const reader = new Reader(bytes, length, source);
  page.reset(bytes);
  if (!reader.child() || !reader.isNamed(ROOT)) throw reader.noListing();
  if (reader.empty) throw reader.fault("the listing is empty: it does not say whether it is whole");
  const { nameStart, nameEnd } = reader;
  const encoded: number[] = []; // objects with a '%' or '+' in their keys
  let urlEncoded = false;
  while (reader.child()) {
    if (reader.isNamed(CONTENTS)) {
      if (reader.readObject(page)) encoded.push(page.count - 1);
    } else if (reader.isNamed(IS_TRUNCATED)) {
      const text = reader.string().trim();
      if (text !== "true" && text !== "false") throw reader.fault("IsTruncated is no truth value");
      page.truncated = text === "true";
    } else if (reader.isNamed(NEXT_TOKEN)) {
      page.nextToken = reader.string() || undefined;
    } else if (reader.isNamed(ENCODING_TYPE)) {
      // Some servers say so only behind the keys, hence decoding comes last.
      urlEncoded = reader.string().trim().toLowerCase() === "url";
    } else {
      reader.skip(1);
    }
  }
  reader.endElement(nameStart, nameEnd);
  reader.endDocument();
  if (urlEncoded) page.decodeKeys(encoded);
  return page;
}

/** A cursor in an XML document. */
class Reader {
  /** The name of the element that `child` came upon, with its prefix. */
  nameStart = 0;
  nameEnd = 0;
  /** Whether that element was written `<name/>`. */
  empty = false;
  /** What `text` read, and what it saw: ESCAPE and ENTITY. */
  textStart = 0;
  textEnd = 0;
  seen = 0;
  #at = 0;
  #localStart = 0;
  readonly #bytes: Uint8Array;
  readonly #length: number;
  readonly #source: string;

  constructor(bytes: Uint8Array, length: number, source: string) {
    this.#bytes = bytes;
    this.#length = length;
    this.#source = source;
    bytes[length] = LT; // stops every loop that looks for a tag
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) this.#at = 3;
  }

  fault(what: string): ExternalError {
    return fault(this.#source, what);
  }

  noListing(): ExternalError {
    const root = readText(this.#bytes, this.nameStart, Math.min(this.nameEnd, this.nameStart + 40));
    const found = this.nameEnd > this.nameStart ? `<${root}>` : "no XML";
    return this.fault(`the answer is no listing of objects but ${found}: check the endpoint`);
  }

  #cutOff(): ExternalError {
    return this.fault("the listing is cut off");
  }

  /** Goes to the next element inside this one and reads its tag, or stops at the end tag of this one. */
  child(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    for (;;) {
      while (bytes[at] !== LT) at++;
      if (at >= this.#length) {
        this.#at = at;
        if (this.nameEnd === 0) throw this.noListing();
        throw this.#cutOff();
      }
      const byte = bytes[at + 1] as number;
      if (byte === SLASH) {
        this.#at = at;
        return false;
      }
      if (byte !== BANG && byte !== QUESTION) break;
      at = this.#skipMarkup(at);
    }
    let local = ++at;
    this.nameStart = at;
    for (;; at++) {
      const byte = bytes[at] as number;
      if (ENDS_NAME[byte] === 0) continue;
      if (byte !== COLON) break;
      local = at + 1;
    }
    this.nameEnd = at;
    this.#localStart = local;
    this.empty = false;
    if (bytes[at] === GT && local < at) this.#at = at + 1;
    else this.#skipAttributes(at);
    return true;
  }

  /** Behind a comment, CDATA section or processing instruction. */
  #skipMarkup(at: number): number {
    const bytes = this.#bytes;
    if (bytes[at + 1] === QUESTION) return this.#behind(at + 2, "?>");
    if (this.#startsWith(at, "<!--")) return this.#behind(at + 4, "-->");
    if (this.#startsWith(at, "<![CDATA[")) return this.#behind(at + 9, "]]>");
    // A document type can define what text means; no listing has one, HTML does.
    throw this.nameEnd === 0 ? this.noListing() : this.fault("the listing is broken XML");
  }

  #startsWith(at: number, text: string): boolean {
    for (let i = 0; i < text.length; i++) {
      if (this.#bytes[at + i] !== text.charCodeAt(i)) return false;
    }
    return true;
  }

  #behind(at: number, text: string): number {
    const first = text.charCodeAt(0);
    for (; at < this.#length; at++) {
      if (this.#bytes[at] === first && this.#startsWith(at, text)) {
        if (at + text.length <= this.#length) return at + text.length;
      }
    }
    throw this.#cutOff();
  }

  #skipAttributes(at: number): void {
    const bytes = this.#bytes;
    if (at >= this.#length) throw this.#cutOff();
    if (this.#localStart >= this.nameEnd) throw this.fault("the listing is broken XML");
    for (; at < this.#length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE || byte === APOS) {
        at = bytes.indexOf(byte, at + 1);
        if (at < 0) throw this.#cutOff();
      } else if (byte === GT) {
        this.empty = bytes[at - 1] === SLASH;
        this.#at = at + 1;
        return;
      } else if (byte === LT) {
        throw this.fault("the listing is broken XML");
      }
    }
    throw this.#cutOff();
  }

  /** Whether that element has this name, whatever its prefix. */
  isNamed(name: Uint8Array): boolean {
    const start = this.#localStart;
    if (this.nameEnd - start !== name.length) return false;
    for (let i = 0; i < name.length; i++) if (this.#bytes[start + i] !== name[i]) return false;
    return true;
  }

  /** Reads the end tag at which `child` or `text` stopped. */
  endElement(nameStart: number, nameEnd: number): void {
    const bytes = this.#bytes;
    let at = this.#at + 2;
    for (let i = nameStart; i < nameEnd; i++, at++) {
      if (bytes[at] !== bytes[i]) throw this.#badEnd(at);
    }
    while (isBlank(bytes[at])) at++;
    if (bytes[at] !== GT || at >= this.#length) throw this.#badEnd(at);
    this.#at = at + 1;
  }

  #badEnd(at: number): ExternalError {
    return at >= this.#length ? this.#cutOff() : this.fault("the listing is broken XML");
  }

  endDocument(): void {
    while (this.#at < this.#length) {
      if (isBlank(this.#bytes[this.#at])) this.#at++;
      else if (this.#bytes[this.#at] !== LT) break;
      else this.#at = this.#skipMarkup(this.#at);
    }
    if (this.#at !== this.#length) throw this.fault("the listing has something behind its end");
  }

  /** Goes behind that element. */
  skip(depth: number): void {
    if (this.empty) return;
    if (depth > MAX_DEPTH) throw this.fault("the listing nests too deep");
    const { nameStart, nameEnd } = this;
    while (this.child()) this.skip(depth + 1);
    this.endElement(nameStart, nameEnd);
  }

  /** Reads the text of that element and goes behind it. Entities remain as they are. */
  text(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    this.textStart = this.textEnd = at;
    this.seen = 0;
    if (this.empty) return;
    let seen = 0;
    for (;; at++) {
      const what = IN_TEXT[bytes[at] as number] as number;
      if (what === 0) continue;
      if (what === TAG) break;
      seen |= what;
    }
    if (bytes[at + 1] !== SLASH) return this.#mixedText();
    this.#at = at;
    this.textEnd = at;
    this.seen = seen;
    this.endElement(this.nameStart, this.nameEnd);
  }

  /** The same where comments or CDATA are between: puts the pieces together and undoes entities. */
  #mixedText(): void {
    const bytes = this.#bytes;
    let end = this.textStart;
    let at = end;
    for (;;) {
      const start = at;
      while (bytes[at] !== LT) at++;
      if (at >= this.#length) throw this.#cutOff();
      bytes.copyWithin(end, start, at);
      end = this.#decodeEntities(end, end + at - start);
      if (bytes[at + 1] === SLASH) break;
      if (bytes[at + 1] !== BANG && bytes[at + 1] !== QUESTION) {
        throw this.fault("the listing has an element where text belongs");
      }
      const behind = this.#skipMarkup(at);
      if (this.#startsWith(at, "<![CDATA[")) {
        bytes.copyWithin(end, at + 9, behind - 3);
        end += behind - 3 - (at + 9);
      }
      at = behind;
    }
    this.#at = at;
    this.textEnd = end;
    this.seen = 0;
    for (let i = this.textStart; i < end; i++) {
      this.seen |= (IN_TEXT[bytes[i] as number] as number) & ESCAPE;
    }
    this.endElement(this.nameStart, this.nameEnd);
  }

  /** Reads the text of that element, entities undone. */
  plainText(): void {
    this.text();
    if ((this.seen & ENTITY) === 0) return;
    this.textEnd = this.#decodeEntities(this.textStart, this.textEnd);
    for (let i = this.textStart; i < this.textEnd; i++) {
      this.seen |= (IN_TEXT[this.#bytes[i] as number] as number) & ESCAPE;
    }
  }

  string(): string {
    this.plainText();
    return readText(this.#bytes, this.textStart, this.textEnd);
  }

  #decodeEntities(start: number, end: number): number {
    const bytes = this.#bytes;
    let to = start;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte !== AMP) {
        bytes[to++] = byte;
        continue;
      }
      let stop = at + 1;
      while (stop < end && stop < at + 12 && bytes[stop] !== SEMICOLON) stop++;
      const point = stop < end && bytes[stop] === SEMICOLON
        ? codePoint(readText(bytes, at + 1, stop))
        : undefined;
      if (point === undefined) throw this.fault("the listing has an unknown entity");
      to = writeText(String.fromCodePoint(point), bytes, to);
      at = stop;
    }
    return to;
  }

  /** Reads an object, and returns whether its key may be URL-encoded. */
  readObject(page: S3Page): boolean {
    const { nameStart, nameEnd } = this;
    if (this.empty) throw this.fault("the listing has an object without a key");
    let keyStart = -1, keyEnd = 0, etagStart = -1, etagEnd = 0, size = -1, time = NaN;
    let quoted = false, encoded = false;
    while (this.child()) {
      // The length of the name tells the wanted ones nearly apart.
      switch (this.nameEnd - this.#localStart) {
        case 3:
          if (!this.isNamed(KEY)) break;
          this.plainText();
          keyStart = this.textStart;
          keyEnd = this.textEnd;
          encoded = (this.seen & ESCAPE) !== 0;
          continue;
        case 4:
          if (this.isNamed(SIZE)) {
            this.text();
            size = this.#number();
            continue;
          }
          if (!this.isNamed(ETAG)) break;
          quoted = this.#quotedText();
          etagStart = this.textStart === this.textEnd ? -1 : this.textStart;
          etagEnd = this.textEnd;
          continue;
        case 12:
          if (!this.isNamed(LAST_MODIFIED)) break;
          time = this.#time();
          continue;
      }
      this.skip(2);
    }
    this.endElement(nameStart, nameEnd);
    if (keyEnd <= keyStart || keyStart < 0) {
      throw this.fault("the listing has an object without a key");
    }
    if (size < 0) throw this.fault("the listing has an object without a size");
    page.push(keyStart, keyEnd, etagStart, etagEnd, quoted, size, time);
    return encoded;
  }

  /**
   * Reads the text of that element, entities undone. Nearly every ETag stands in quotes that are written as entities: these
   * are left out, and true is returned.
   */
  #quotedText(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    if (!this.empty && bytes[start] === AMP) {
      for (const quote of QUOTES) {
        if (!this.#startsWith(start, quote)) continue;
        const from = start + quote.length;
        let at = from;
        while (IN_TEXT[bytes[at] as number] === 0) at++;
        const end = at + quote.length;
        if (!this.#startsWith(at, quote) || bytes[end] !== LT || bytes[end + 1] !== SLASH) continue;
        if (at === from) break;
        this.#at = end;
        this.textStart = from;
        this.textEnd = at;
        this.endElement(this.nameStart, this.nameEnd);
        return true;
      }
    }
    this.plainText();
    return false;
  }

  #time(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    const end = start + TIME_LENGTH;
    if (!this.empty && bytes[end] === LT && bytes[end + 1] === SLASH) {
      const time = parseTime(bytes, start);
      if (time === time) {
        this.#at = end;
        this.endElement(this.nameStart, this.nameEnd);
        return time;
      }
    }
    const time = parseOtherTime(this.string());
    if (time !== time) throw this.fault("the listing has a LastModified that is no time");
    return time;
  }

  #number(): number {
    const bytes = this.#bytes;
    let { textStart: start, textEnd: end } = this;
    while (start < end && isBlank(bytes[start])) start++;
    while (start < end && isBlank(bytes[end - 1])) end--;
    let value = 0;
    let bad = start === end;
    for (let i = start; i < end; i++) {
      const digit = (bytes[i] as number) - ZERO;
      bad ||= digit < 0 || digit > 9;
      value = value * 10 + digit;
    }
    if (bad || value > Number.MAX_SAFE_INTEGER) {
      throw this.fault("the listing has a Size that is no whole number below 2^53");
    }
    return value;
  }
}

function fault(source: string, what: string): ExternalError {
  return new ExternalError("protocol", `Cannot list '${source}' as ${what}`, { source });
}

function isBlank(byte: number | undefined): boolean {
  return byte === BLANK || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function codePoint(entity: string): number | undefined {
  const digits = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(entity);
  if (digits === null) return Object.hasOwn(ENTITIES, entity) ? ENTITIES[entity] : undefined;
  const point = digits[1] === undefined ? Number(digits[2]) : parseInt(digits[1], 16);
  return point > 0x10ffff || point >= 0xd800 && point < 0xe000 ? undefined : point;
}

/**
 * Undoes URL encoding as in a query string, in place, and returns the end; -1 if a `%` is followed by
 * anything but two hexadecimal digits.
 */
export function decodeUrl(bytes: Uint8Array, start: number, end: number): number {
  let to = start;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === PLUS) {
      bytes[to++] = BLANK;
    } else if (byte !== PERCENT) {
      bytes[to++] = byte;
    } else {
      if (at + 2 >= end) return -1;
      const value = (HEX[bytes[at + 1] as number] as number) << 4 |
        (HEX[bytes[at + 2] as number] as number);
      if (value < 0) return -1;
      bytes[to++] = value;
      at += 2;
    }
  }
  return to;
}

/** The length of 2026-11-23T04:05:06.789Z, as S3 writes times. */
const TIME_LENGTH = 24;
/** Days of each month, in leap years. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAYS_TO_1970 = 719_468;

/** The time in ms of a text of that form; NaN for any other. */
function parseTime(bytes: Uint8Array, start: number): number {
  const year = number(bytes, start, 4);
  const month = number(bytes, start + 5, 2);
  const day = number(bytes, start + 8, 2);
  const hour = number(bytes, start + 11, 2);
  const minute = number(bytes, start + 14, 2);
  const second = number(bytes, start + 17, 2);
  const milli = number(bytes, start + 20, 3);
  const punctuated = bytes[start + 4] === HYPHEN && bytes[start + 7] === HYPHEN &&
    bytes[start + 10] === 0x54 && bytes[start + 13] === COLON && bytes[start + 16] === COLON &&
    bytes[start + 19] === 0x2e && bytes[start + 23] === 0x5a;
  // What is no number is -1.
  if (
    !punctuated || year < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
    second > 59 || milli < 0 || day < 1 || month < 1 || day > (MONTH_DAYS[month - 1] ?? 0)
  ) return NaN;
  // Years from March on, so that the leap day is the last one.
  const from = month > 2 ? year : year - 1;
  const leaps = Math.floor(from / 4) - Math.floor(from / 100) + Math.floor(from / 400);
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const days = from * 365 + leaps + dayOfYear - DAYS_TO_1970;
  return (((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + milli;
}

/** The time in ms of an ISO 8601 text with any fraction and zone; NaN for anything else. */
function parseOtherTime(text: string): number {
  const trimmed = text.trim();
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(trimmed)
    ? Date.parse(trimmed)
    : NaN;
}

function number(bytes: Uint8Array, start: number, digits: number): number {
  let value = 0;
  for (let i = start; i < start + digits; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
