/**
 * Reads a page of an S3 listing from the bytes of the answer.
 *
 * The SDK's parser builds a tree of strings and objects. That is a hundred times the work that a poll needs, which
 * is to find each key, ETag, size and time. Any layout is read: any order of fields, prefixes, white space,
 * comments, CDATA, unknown elements. Anything that is not a whole listing is an error.
 *
 * @module
 */
import { readText, textBytes } from "../_bytes/exact_text.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { ListedPage } from "./listed_page.ts";
import { isoTime } from "./times.ts";
import { readDigits } from "./utf8.ts";
import { XmlReader } from "./xml.ts";
import { ETAG_VALUE, KEY_VALUE, SIZE_VALUE, TIME_VALUE, XmlPattern } from "./xml_pattern.ts";
import { isBlank } from "./xml_characters.ts";

const ROOT = textBytes("ListBucketResult");
const ERROR = textBytes("Error");
const CONTENTS = textBytes("Contents");
const KEY = textBytes("Key");
const ETAG = textBytes("ETag");
const SIZE = textBytes("Size");
const LAST_MODIFIED = textBytes("LastModified");
const IS_TRUNCATED = textBytes("IsTruncated");
const NEXT_TOKEN = textBytes("NextContinuationToken");
const ENCODING_TYPE = textBytes("EncodingType");

/** How a listing is read. */
export interface ReadOptions {
  /**
   * False: keys are taken as they are, whatever the answer says.
   *
   * @default {true} keys are decoded if the answer says that they are URL-encoded
   */
  readonly encoded?: boolean;
}

/** Whether the root element of an answer is `<Error>`. */
export function isErrorAnswer(bytes: Uint8Array, length: number): boolean {
  const reader = new XmlReader(bytes, length);
  try {
    reader.root();
  } catch {
    return false; // It is not XML, which the reader of the listing reports.
  }
  return reader.isNamed(ERROR);
}

/**
 * Reads a listing. Decodes escapes in `bytes`; the page refers to that array from then on.
 *
 * @param bytes The answer, perhaps followed by other bytes.
 * @param length The length of the answer in bytes.
 * @param page The page to empty and fill. It names the store in errors, and knows the prefix that was asked for.
 * @param options How to read it.
 * @throws {ExternalError} with code `"protocol"` if the answer is not a complete listing.
 */
export function readListing(
  bytes: Uint8Array,
  length: number,
  page: ListedPage,
  options: ReadOptions = {},
): ListedPage {
  page.reset(bytes);
  const reader = new ListingReader(bytes, length, page);
  try {
    reader.read();
  } catch (thrown) {
    throw thrown instanceof SyntaxError ? page.fault(`the listing is ${thrown.message}`) : thrown;
  }
  if (reader.encoded && options.encoded !== false) page.decodeKeys(reader.escaped);
  page.check(reader.ordered);
  return page;
}

class ListingReader {
  /** Whether the answer says that keys are URL-encoded. Some servers say so only after the keys. */
  encoded = false;
  /** The objects whose keys may be URL-encoded. */
  readonly escaped: number[] = [];
  /** Whether the keys are known to be in order, each one once. */
  ordered = true;
  /** Whether the last ETag was in quotes, which are left out. */
  #quoted = false;
  readonly #bytes: Uint8Array;
  readonly #page: ListedPage;
  readonly #xml: XmlReader;
  readonly #pattern: XmlPattern;

  constructor(bytes: Uint8Array, length: number, page: ListedPage) {
    this.#bytes = bytes;
    this.#page = page;
    this.#xml = new XmlReader(bytes, length);
    this.#pattern = new XmlPattern(bytes);
  }

  read(): void {
    const xml = this.#xml, page = this.#page;
    this.#root();
    for (;;) {
      while (this.#nextAlike());
      if (!xml.child()) break;
      if (xml.isNamed(CONTENTS)) {
        this.#object();
      } else if (xml.isNamed(IS_TRUNCATED)) {
        const text = xml.string().trim();
        if (text !== "true" && text !== "false") {
          throw page.fault("the listing has an IsTruncated that is neither true nor false");
        }
        page.truncated = text === "true";
      } else if (xml.isNamed(NEXT_TOKEN)) {
        page.nextToken = xml.string() || undefined;
      } else if (xml.isNamed(ENCODING_TYPE)) {
        this.encoded = xml.string().trim().toLowerCase() === "url";
      } else {
        xml.skip();
      }
    }
    xml.finish();
  }

  #root(): void {
    const xml = this.#xml;
    try {
      xml.root();
    } catch (thrown) {
      if (!(thrown instanceof SyntaxError)) throw thrown;
      const { message } = thrown;
      throw this.#noListing(message === "no XML" ? message : `no XML (${message})`);
    }
    if (xml.isNamed(ROOT)) return;
    const { nameStart, nameEnd } = xml;
    const root = readText(this.#bytes, nameStart, Math.min(nameEnd, nameStart + 40));
    throw this.#noListing(`<${root}>`);
  }

  #noListing(found: string): ExternalError {
    return this.#page.fault(
      `the answer is not a listing of objects but ${found}: check the endpoint`,
    );
  }

  /** Reads an object as XML. */
  #object(): void {
    const xml = this.#xml, page = this.#page, pattern = this.#pattern;
    let keyStart = -1, keyEnd = -1, etagStart = -1, etagEnd = 0, size = -1, time = NaN;
    let odd = false;
    this.#quoted = false;
    pattern.begin(xml.nameStart - 1);
    while (xml.child()) {
      // The length of its name tells nearly all the wanted elements apart.
      switch (xml.nameEnd - xml.localStart) {
        case 3:
          if (!xml.isNamed(KEY)) break;
          if (keyStart >= 0) throw this.#twice("key");
          xml.text();
          keyStart = xml.textStart;
          keyEnd = xml.textEnd;
          odd = xml.seen !== 0;
          this.#learn(KEY_VALUE);
          continue;
        case 4:
          if (xml.isNamed(SIZE)) {
            if (size >= 0) throw this.#twice("size");
            xml.text();
            this.#learn(SIZE_VALUE);
            size = this.#size(xml.textStart, xml.textEnd);
            continue;
          }
          if (!xml.isNamed(ETAG)) break;
          if (etagStart >= 0) throw this.#twice("ETag");
          this.#quoted = xml.quotedText();
          etagStart = xml.textStart === xml.textEnd ? -1 : xml.textStart;
          etagEnd = xml.textEnd;
          this.#learn(ETAG_VALUE);
          continue;
        case 12:
          if (!xml.isNamed(LAST_MODIFIED)) break;
          if (time === time) throw this.#twice("time");
          xml.text();
          this.#learn(TIME_VALUE);
          time = this.#time(xml.textStart, xml.textEnd);
          continue;
      }
      const start = xml.at;
      xml.skip();
      pattern.unwanted(start, xml.at);
    }
    pattern.end(xml.at);
    if (keyEnd <= keyStart) throw page.fault("the listing has an object without a key");
    if (odd) this.escaped.push(page.count);
    this.ordered &&= !odd && page.isNext(keyStart, keyEnd);
    pattern.odd = odd;
    page.push(keyStart, keyEnd, etagStart, etagEnd, this.#quoted, size, time);
  }

  #learn(which: number): void {
    const { plain, textStart, textEnd } = this.#xml;
    if (plain && textStart < textEnd) this.#pattern.value(which, textStart, textEnd);
    else this.#pattern.spoil();
  }

  /** Reads an object that is written like the last one; false if the next one is not. */
  #nextAlike(): boolean {
    const xml = this.#xml, page = this.#page, pattern = this.#pattern;
    const end = pattern.match(xml.at, xml.limit);
    if (end < 0) return false;
    const { starts, ends } = pattern;
    const keyStart = starts[KEY_VALUE] as number, keyEnd = ends[KEY_VALUE] as number;
    const etagStart = starts[ETAG_VALUE] as number, etagEnd = ends[ETAG_VALUE] as number;
    if (keyStart === keyEnd || etagStart === etagEnd && etagStart >= 0) return false;
    const sizeStart = starts[SIZE_VALUE] as number, timeStart = starts[TIME_VALUE] as number;
    const size = sizeStart < 0 ? -1 : this.#size(sizeStart, ends[SIZE_VALUE] as number);
    const time = timeStart < 0 ? NaN : this.#time(timeStart, ends[TIME_VALUE] as number);
    if (pattern.odd) this.escaped.push(page.count);
    this.ordered &&= pattern.behind && !pattern.odd;
    page.push(keyStart, keyEnd, etagStart, etagEnd, this.#quoted, size, time);
    xml.goTo(end);
    return true;
  }

  #twice(what: string): ExternalError {
    return this.#page.fault(`the listing has an object with more than one ${what}`);
  }

  #size(start: number, end: number): number {
    const bytes = this.#bytes;
    while (start < end && isBlank(bytes[start])) start++;
    while (start < end && isBlank(bytes[end - 1])) end--;
    const size = readDigits(bytes, start, end);
    if (size >= 0) return size;
    throw this.#page.fault("the listing has a Size that is not a whole number below 2^53");
  }

  #time(start: number, end: number): number {
    const bytes = this.#bytes;
    while (start < end && isBlank(bytes[start])) start++;
    while (start < end && isBlank(bytes[end - 1])) end--;
    const time = isoTime(bytes, start, end);
    if (time === time) return time;
    throw this.#page.fault("the listing has a LastModified that is not a time");
  }
}
