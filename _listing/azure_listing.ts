/**
 * Reads a page of a flat listing of Azure Blob Storage from the bytes of its XML. Only the fields of a blob that
 * are needed are read.
 *
 * @module
 */
import { readText, textBytes } from "../_bytes/exact_text.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { ListedPage } from "./listed_page.ts";
import { httpTime } from "./times.ts";
import { decodePercent } from "./url_encoding.ts";
import { readDigits } from "./utf8.ts";
import { XmlReader } from "./xml.ts";
import { ETAG_VALUE, KEY_VALUE, SIZE_VALUE, TIME_VALUE, XmlPattern } from "./xml_pattern.ts";

const ROOT = textBytes("EnumerationResults");
const BLOBS = textBytes("Blobs");
const NEXT_MARKER = textBytes("NextMarker");
const BLOB = textBytes("Blob");
const NAME = textBytes("Name");
const PROPERTIES = textBytes("Properties");
const DELETED = textBytes("Deleted");
const SNAPSHOT = textBytes("Snapshot");
const ETAG = textBytes("Etag");
const RESOURCE_TYPE = textBytes("ResourceType");
const LAST_MODIFIED = textBytes("Last-Modified");
const CONTENT_LENGTH = textBytes("Content-Length");

const QUOTE = 0x22;

/** A page, and the marker of the next one: empty after the last. */
export interface AzurePage {
  readonly page: ListedPage;
  readonly nextMarker: string;
}

/**
 * Reads a page. Leaves out directories of accounts with a hierarchical namespace, snapshots and deleted blobs.
 *
 * @param bytes The whole answer. It is modified: escapes are decoded in place, which never needs more room.
 * @param page The page to empty and fill. It names the store in errors, and knows the prefix that was asked for.
 * @throws {ExternalError} with code `"protocol"` if the answer is not a complete listing.
 */
export function scanAzurePage(
  bytes: Uint8Array,
  page: ListedPage,
): AzurePage {
  page.reset(bytes);
  const reader = new AzureReader(bytes, page);
  try {
    const nextMarker = reader.read();
    page.check();
    return { page, nextMarker };
  } catch (thrown) {
    throw thrown instanceof SyntaxError ? page.incomplete(thrown.message) : thrown;
  }
}

class AzureReader {
  readonly #bytes: Uint8Array;
  readonly #page: ListedPage;
  readonly #xml: XmlReader;
  readonly #pattern: XmlPattern;

  constructor(bytes: Uint8Array, page: ListedPage) {
    this.#bytes = bytes;
    this.#page = page;
    this.#xml = new XmlReader(bytes);
    this.#pattern = new XmlPattern(bytes);
  }

  read(): string {
    const xml = this.#xml;
    xml.root();
    if (!xml.isNamed(ROOT)) throw this.#broken("the answer has no 'EnumerationResults'");
    let listed = false;
    let nextMarker: string | undefined;
    while (xml.child()) {
      if (xml.isNamed(BLOBS)) {
        if (listed) throw this.#broken("'Blobs' twice");
        listed = true;
        this.#blobs();
      } else if (xml.isNamed(NEXT_MARKER)) {
        if (nextMarker !== undefined) throw this.#broken("'NextMarker' twice");
        nextMarker = xml.string();
      } else {
        xml.skip();
      }
    }
    xml.finish();
    if (!listed) throw this.#broken("no 'Blobs'");
    if (nextMarker === undefined) throw this.#broken("no 'NextMarker'");
    return nextMarker;
  }

  #blobs(): void {
    const xml = this.#xml;
    for (;;) {
      while (this.#nextAlike());
      if (!xml.child()) return;
      if (xml.isNamed(BLOB)) this.#blob();
      else xml.skip();
    }
  }

  // The blob that is being read: the offsets of its name and its ETag, and its other fields.
  #keyStart = -1;
  #keyEnd = -1;
  #etagStart = -1;
  #etagEnd = -1;
  #size = -1;
  #time = NaN;
  /** Whether it is a directory, a snapshot or deleted. Blobs that match its pattern are the same. */
  #hidden = false;

  /** Reads a blob as XML, and learns the pattern in which it is written. */
  #blob(): void {
    const xml = this.#xml, pattern = this.#pattern;
    this.#keyStart =
      this.#keyEnd =
      this.#etagStart =
      this.#etagEnd =
      this.#size =
        -1;
    this.#time = NaN;
    this.#hidden = false;
    pattern.begin(xml.nameStart - 1);
    while (xml.child()) {
      if (xml.isNamed(NAME)) this.#name();
      else if (xml.isNamed(PROPERTIES)) this.#properties();
      else if (xml.isNamed(DELETED)) this.#hide(xml.string() === "true");
      else if (xml.isNamed(SNAPSHOT)) this.#hide(xml.string() !== "");
      else this.#skip();
    }
    pattern.end(xml.at);
    this.#add();
  }

  #name(): void {
    const xml = this.#xml;
    if (this.#keyStart >= 0) throw this.#broken("a blob with two names");
    // The service encodes names with characters that XML does not have.
    const encoded = xml.attribute("Encoded")?.toLowerCase() === "true";
    xml.text();
    this.#keyStart = xml.textStart;
    this.#keyEnd = xml.textEnd;
    if (encoded) this.#pattern.spoil();
    else this.#learn(KEY_VALUE);
    if (!encoded) return;
    this.#keyEnd = decodePercent(this.#bytes, xml.textStart, xml.textEnd);
    if (this.#keyEnd < 0) throw this.#broken("a name encoded wrongly");
  }

  #properties(): void {
    const xml = this.#xml;
    while (xml.child()) {
      switch (xml.nameEnd - xml.localStart) {
        case 4:
          if (!xml.isNamed(ETAG)) break;
          if (this.#etagStart >= 0) throw this.#broken("a blob with two ETags");
          xml.quotedText();
          this.#learn(ETAG_VALUE);
          this.#setEtag(xml.textStart, xml.textEnd);
          continue;
        case 12:
          if (!xml.isNamed(RESOURCE_TYPE)) break;
          this.#hide(xml.string() === "directory");
          continue;
        case 13:
          if (!xml.isNamed(LAST_MODIFIED)) break;
          xml.text();
          this.#learn(TIME_VALUE);
          this.#setTime(xml.textStart, xml.textEnd);
          continue;
        case 14:
          if (!xml.isNamed(CONTENT_LENGTH)) break;
          xml.text();
          this.#learn(SIZE_VALUE);
          this.#setSize(xml.textStart, xml.textEnd);
          continue;
      }
      this.#skip();
    }
  }

  #hide(hidden: boolean): void {
    this.#hidden ||= hidden;
    if (!this.#xml.plain) this.#pattern.spoil();
  }

  #skip(): void {
    const start = this.#xml.at;
    this.#xml.skip();
    this.#pattern.unwanted(start, this.#xml.at);
  }

  #learn(which: number): void {
    const { plain, textStart, textEnd } = this.#xml;
    if (plain && textStart < textEnd) this.#pattern.value(which, textStart, textEnd);
    else this.#pattern.spoil();
  }

  /** Reads a blob that is written like the last one; false if the next one is not. */
  #nextAlike(): boolean {
    const pattern = this.#pattern;
    const end = pattern.match(this.#xml.at, this.#xml.limit);
    if (end < 0) return false;
    const { starts, ends } = pattern;
    const timeStart = starts[TIME_VALUE] as number;
    this.#keyStart = starts[KEY_VALUE] as number;
    this.#keyEnd = ends[KEY_VALUE] as number;
    this.#setEtag(starts[ETAG_VALUE] as number, ends[ETAG_VALUE] as number);
    this.#setSize(starts[SIZE_VALUE] as number, ends[SIZE_VALUE] as number);
    if (timeStart < 0) this.#time = NaN;
    else this.#setTime(timeStart, ends[TIME_VALUE] as number);
    this.#add();
    this.#xml.goTo(end);
    return true;
  }

  #add(): void {
    const page = this.#page;
    if (this.#keyEnd <= this.#keyStart) throw this.#broken("a blob without a name");
    if (this.#hidden) return;
    if (this.#etagStart < 0) {
      const name = readText(this.#bytes, this.#keyStart, this.#keyEnd);
      throw this.#broken(`a blob without an ETag, '${name}'`);
    }
    page.push(
      this.#keyStart,
      this.#keyEnd,
      this.#etagStart,
      this.#etagEnd,
      true,
      this.#size,
      this.#time,
    );
  }

  /** The service lists ETags without quotes, and its older versions with quotes: both are read as the same ETag. */
  #setEtag(start: number, end: number): void {
    const bytes = this.#bytes;
    const quoted = end - start > 1 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE;
    this.#etagStart = quoted ? start + 1 : start;
    this.#etagEnd = quoted ? end - 1 : end;
    if (this.#etagStart === this.#etagEnd) this.#etagStart = -1;
  }

  #setSize(start: number, end: number): void {
    this.#size = start < 0 ? -1 : readDigits(this.#bytes, start, end);
    if (start >= 0 && this.#size < 0) throw this.#broken("a blob with an invalid length");
  }

  #setTime(start: number, end: number): void {
    this.#time = httpTime(this.#bytes, start, end);
    if (this.#time !== this.#time) throw this.#broken("a blob with an invalid date");
  }

  #broken(what: string): ExternalError {
    return this.#page.incomplete(what);
  }
}
