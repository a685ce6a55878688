/**
 * A page of a listing: the bytes of the answer, and where in them each object is.
 *
 * @module
 */
import type { ObjectBuilder } from "../_diff/builder.ts";
import { compareBytes, withRoom } from "../_bytes/bytes.ts";
import { isText, readText, textBytes, writeText } from "../_bytes/exact_text.ts";
import type { ScannedPage } from "./scanning_store.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { decodeUrl, KeyEncoding, signsOf } from "./url_encoding.ts";

/**
 * The numbers of an object: key start, key end, ETag start or -1, and twice the ETag's end, plus 1 if quotes were
 * left out.
 */
const PLACES = 4;
/** How many objects there is room for at first: a page of most services. */
const ROOM = 1000;

const SLASH = 0x2f;

export class ListedPage implements ScannedPage {
  /** Whether more pages follow. Undefined where the answer does not say. */
  truncated: boolean | undefined;
  /** The token to ask for the next page with. */
  nextToken: string | undefined;
  /** Holds all keys and ETags, with escapes decoded. */
  bytes: Uint8Array;
  readonly #source: string;
  readonly #prefix: Uint8Array;
  /** Whether the keys are known to be in UTF-8 byte order, each one once. */
  #ordered = false;
  /** Whether keys of this listing are URL-encoded. */
  readonly #encoding: KeyEncoding = new KeyEncoding();
  #first = 0;
  #end = 0;
  #places: Int32Array = new Int32Array(PLACES * ROOM);
  #sizes: Float64Array = new Float64Array(ROOM);
  /** NaN for none. */
  #times: Float64Array = new Float64Array(ROOM);

  /**
   * @param source Names the store in errors.
   * @param prefix What all keys must begin with: the prefix that the server was asked for.
   */
  constructor(bytes: Uint8Array, source: string, prefix = "") {
    this.bytes = bytes;
    this.#source = source;
    this.#prefix = textBytes(prefix);
  }

  /** Empties the page, to be filled with the next one of the same listing. */
  reset(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.truncated = this.nextToken = undefined;
    this.#ordered = false;
    this.#first = this.#end = 0;
  }

  get count(): number {
    return this.#end - this.#first;
  }

  /**
   * Adds an object.
   *
   * @param etagStart Where its ETag begins; -1 for none.
   * @param quoted Whether the ETag was in double quotes, which are left out.
   * @param size In bytes; -1 where the answer has none.
   * @param time In ms since the epoch; NaN for none.
   */
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

  /** Where a key begins. */
  keyStart(i: number): number {
    return this.#places[i * PLACES] as number;
  }

  /** Where a key ends. */
  keyEnd(i: number): number {
    return this.#places[i * PLACES + 1] as number;
  }

  /**
   * Decodes URL-encoded keys, unless this listing has shown that they are not encoded: see `KeyEncoding`.
   *
   * @param escaped The objects whose keys have a character that an encoder writes, or would have encoded.
   * @throws {ExternalError} if some keys are encoded and some are not, on this page or on those before it.
   */
  decodeKeys(escaped: readonly number[]): void {
    let signs = 0;
    for (const i of escaped) signs |= signsOf(this.bytes, this.keyStart(i), this.keyEnd(i));
    const encoded = this.#encoding.isEncoded(signs);
    if (encoded === undefined) {
      throw this.fault(
        "the server says that it URL-encodes keys, and encodes some and not others: turn the encoding off",
      );
    }
    if (!encoded) return;
    for (const i of escaped) {
      const end = decodeUrl(this.bytes, this.keyStart(i), this.keyEnd(i));
      this.#places[i * PLACES + 1] = end;
    }
  }

  /**
   * Throws if the objects are not those that were asked for: a key without the prefix, a key twice, an object
   * without a size. Call it once the page is filled, before anyone uses it.
   *
   * @param ordered Whether the keys are known to be in UTF-8 byte order, each one once.
   */
  check(ordered = false): void {
    for (let i = 0; i < this.#end; i++) {
      if ((this.#sizes[i] as number) < 0) this.#sizes[i] = this.#sizeOfFolder(i);
    }
    const outside = this.without(this.#prefix);
    if (outside >= 0) {
      const asked = readText(this.#prefix, 0, this.#prefix.length);
      throw this.fault(
        `the server ignores 'prefix': asked for keys that begin with '${asked}', it lists ` +
          this.#shownKey(outside),
      );
    }
    this.#ordered = ordered || this.disorder() < 0;
    if (!this.#ordered) this.#checkDoubles();
  }

  /** Some servers list folders without a size: these are empty objects. */
  #sizeOfFolder(i: number): number {
    if (this.bytes[this.keyEnd(i) - 1] === SLASH) return 0;
    throw this.fault(`the listing has an object without a size, ${this.#shownKey(i)}`);
  }

  #checkDoubles(): void {
    const keys = new Set<string>();
    for (let i = 0; i < this.#end; i++) {
      const size = keys.size;
      // One character per byte, so that keys that are not UTF-8 are told apart, too.
      keys.add(latin1.decode(this.bytes.subarray(this.keyStart(i), this.keyEnd(i))));
      if (keys.size === size) {
        throw this.fault(`a page of the listing has the key ${this.#shownKey(i)} twice`);
      }
    }
  }

  #shownKey(i: number): string {
    return `'${readText(this.bytes, this.keyStart(i), this.keyEnd(i))}'`;
  }

  /**
   * Removes the keys that are not in `after < key <= until`. Keys out of order may remain: see `disorder`.
   *
   * @returns Whether a key was `until` or after it, so that no further page has keys of the range.
   */
  cut(after: string | undefined, until: string | undefined): boolean {
    if (after !== undefined) {
      const bound = textBytes(after);
      while (this.#first < this.#end && this.#compare(this.#first, bound) <= 0) this.#first++;
    }
    if (until === undefined) return false;
    const bound = textBytes(until);
    const isPast = this.#first < this.#end && this.#compare(this.#end - 1, bound) >= 0;
    while (this.#first < this.#end && this.#compare(this.#end - 1, bound) > 0) this.#end--;
    return isPast;
  }

  #compare(i: number, key: Uint8Array): number {
    return compareBytes(this.bytes, this.keyStart(i), this.keyEnd(i), key, 0, key.length);
  }

  /** Whether a key that is to be added next sorts after the last one, in UTF-8 byte order. */
  isNext(keyStart: number, keyEnd: number): boolean {
    return this.#end === 0 || this.#isBehind(this.#end - 1, keyStart, keyEnd);
  }

  #isBehind(i: number, start: number, end: number): boolean {
    const { bytes } = this;
    return compareBytes(bytes, start, end, bytes, this.keyStart(i), this.keyEnd(i)) > 0;
  }

  /** The index of the first key that does not sort after the one before it in UTF-8 byte order; -1 if all do. */
  disorder(): number {
    if (this.#ordered) return -1;
    for (let i = this.#first + 1; i < this.#end; i++) {
      if (!this.#isBehind(i - 1, this.keyStart(i), this.keyEnd(i))) return i - this.#first;
    }
    return -1;
  }

  /** The index of the first key that does not begin with these bytes; -1 if all do. */
  without(prefix: Uint8Array): number {
    if (prefix.length === 0) return -1;
    for (let i = this.#first; i < this.#end; i++) {
      const start = this.keyStart(i);
      const end = Math.min(this.keyEnd(i), start + prefix.length);
      if (compareBytes(this.bytes, start, end, prefix, 0, prefix.length) !== 0) {
        return i - this.#first;
      }
    }
    return -1;
  }

  /** A copy of the key at an index. Undefined if there is none. */
  key(i: number): Uint8Array | undefined {
    if (i < 0 || i >= this.count) return undefined;
    return this.bytes.slice(this.keyStart(this.#first + i), this.keyEnd(this.#first + i));
  }

  /** The last key. Undefined for an empty page. */
  lastKey(): Uint8Array | undefined {
    return this.key(this.count - 1);
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

  /** The page as objects. */
  objects(): ObjectMeta[] {
    const objects: ObjectMeta[] = [];
    for (let i = this.#first; i < this.#end; i++) objects.push(this.#object(i));
    return objects;
  }

  #object(i: number): ObjectMeta {
    const { bytes } = this;
    const keyStart = this.keyStart(i), keyEnd = this.keyEnd(i);
    if (!isText(bytes, keyStart, keyEnd)) {
      throw this.fault("the listing has a key that is not UTF-8");
    }
    const object: { key: string; size: number; etag?: string; lastModified?: number } = {
      key: readText(bytes, keyStart, keyEnd),
      size: this.#sizes[i] as number,
    };
    const etagStart = this.#places[i * PLACES + 2] as number;
    const etagEnd = this.#places[i * PLACES + 3] as number;
    if (etagStart >= 0) {
      const etag = readText(bytes, etagStart, etagEnd >> 1);
      object.etag = etagEnd & 1 ? `"${etag}"` : etag;
    }
    const time = this.#times[i] as number;
    if (time === time) object.lastModified = time;
    return object;
  }

  /** An error that names the store. */
  fault(what: string): ExternalError {
    const source = this.#source;
    return new ExternalError("protocol", `Cannot list '${source}' as ${what}`, { source });
  }

  /** The error for an answer that is cut off or not well-formed. */
  incomplete(what: string): ExternalError {
    return this.fault(`the answer is not a complete listing: ${what}`);
  }
}

const latin1 = new TextDecoder("latin1");

/**
 * Makes a page from objects that a client has parsed itself.
 *
 * @param objects A size of -1 stands for none.
 * @param encoded Whether the keys are still URL-encoded.
 */
export function pageOfObjects(
  objects: Iterable<ObjectMeta>,
  source: string,
  prefix = "",
  encoded = false,
): ListedPage {
  const page = new ListedPage(new Uint8Array(64 * 1024), source, prefix);
  let at = 0;
  for (const { key, size, etag = "", lastModified = NaN } of objects) {
    page.bytes = withRoom(page.bytes, at, at + 3 * (key.length + etag.length));
    const keyEnd = writeText(key, page.bytes, at);
    const end = writeText(etag, page.bytes, keyEnd);
    page.push(at, keyEnd, etag === "" ? -1 : keyEnd, end, false, size, lastModified);
    at = end;
  }
  if (encoded) page.decodeKeys([...Array(page.count).keys()]);
  page.check();
  return page;
}
