/**
 * A page of a listing as its scanner leaves it: the bytes of the answer, and where in them each object is.
 *
 * @module
 */
import type { ObjectBuilder } from "../_diff/builder.ts";
import { compareBytes, isText, readText, textBytes } from "../_bytes/bytes.ts";
import type { ScannedPage } from "./scan.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** Offsets an object: begin and end of its key, begin and end of its ETag. */
const PLACES = 4;

export class ListedPage implements ScannedPage {
  /** The answer, with the escapes in keys and ETags undone where they stood. */
  readonly bytes: Uint8Array;
  /** Whether every ETag stands for one in double quotes. */
  readonly quoted: boolean;
  #first = 0;
  #end = 0;
  #places: Int32Array;
  #sizes: Float64Array;
  /** NaN for none. */
  #times: Float64Array;

  constructor(bytes: Uint8Array, quoted: boolean, room = 1000) {
    this.bytes = bytes;
    this.quoted = quoted;
    this.#places = new Int32Array(room * PLACES);
    this.#sizes = new Float64Array(room);
    this.#times = new Float64Array(room);
  }

  get count(): number {
    return this.#end - this.#first;
  }

  /** Adds an object by the offsets of its key and its ETag; a `time` that is NaN is none. */
  add(
    keyStart: number,
    keyEnd: number,
    etagStart: number,
    etagEnd: number,
    size: number,
    time: number,
  ): void {
    if (this.#end === this.#sizes.length) this.#grow();
    const at = this.#end * PLACES;
    this.#places[at] = keyStart;
    this.#places[at + 1] = keyEnd;
    this.#places[at + 2] = etagStart;
    this.#places[at + 3] = etagEnd;
    this.#sizes[this.#end] = size;
    this.#times[this.#end] = time;
    this.#end++;
  }

  /** A key, counted from 0, as bytes of its own. Undefined where there is none. */
  key(i: number): Uint8Array | undefined {
    if (i < 0 || i >= this.count) return undefined;
    const at = (this.#first + i) * PLACES;
    return this.bytes.slice(this.#places[at], this.#places[at + 1]);
  }

  /** The last key. Undefined for an empty page. */
  lastKey(): Uint8Array | undefined {
    return this.key(this.count - 1);
  }

  /** The first key, counted from 0, that is not behind the one before it in UTF-8 byte order; -1 if all are. */
  disorder(): number {
    const { bytes } = this;
    for (let i = this.#first + 1; i < this.#end; i++) {
      const at = i * PLACES;
      const [before, start] = [at - PLACES, this.#places[at] as number];
      const end = this.#places[at + 1] as number;
      const [from, to] = [this.#places[before] as number, this.#places[before + 1] as number];
      if (compareBytes(bytes, start, end, bytes, from, to) <= 0) return i - this.#first;
    }
    return -1;
  }

  /**
   * Leaves out what is not in `after < key <= until`. The page must be in the order of its keys.
   *
   * @returns Whether a key lay behind `until`, so that no further page can have one to keep.
   */
  cut(after: string | undefined, until: string | undefined): boolean {
    if (after !== undefined) {
      const bound = textBytes(after);
      while (this.count > 0 && this.#compare(this.#first, bound) <= 0) this.#first++;
    }
    if (until === undefined) return false;
    const bound = textBytes(until);
    const end = this.#end;
    while (this.count > 0 && this.#compare(this.#end - 1, bound) > 0) this.#end--;
    return this.#end < end;
  }

  addTo(builder: ObjectBuilder): void {
    const { bytes, quoted } = this;
    for (let i = this.#first; i < this.#end; i++) {
      const at = i * PLACES;
      const time = this.#times[i] as number;
      builder.addRaw(
        bytes,
        this.#places[at] as number,
        this.#places[at + 1] as number,
        bytes,
        this.#places[at + 2] as number,
        this.#places[at + 3] as number,
        quoted,
        this.#sizes[i] as number,
        time === time ? time : undefined,
      );
    }
  }

  /** The same objects, one by one. */
  objects(): ObjectMeta[] {
    const quote = this.quoted ? '"' : "";
    const objects: ObjectMeta[] = [];
    for (let i = this.#first; i < this.#end; i++) {
      const at = i * PLACES;
      const time = this.#times[i] as number;
      const key = this.#text(at);
      const etag = quote + this.#text(at + 2) + quote;
      const size = this.#sizes[i] as number;
      objects.push(time === time ? { key, size, etag, lastModified: time } : { key, size, etag });
    }
    return objects;
  }

  #text(place: number): string {
    const start = this.#places[place] as number;
    const end = this.#places[place + 1] as number;
    if (!isText(this.bytes, start, end)) {
      throw new ExternalError("protocol", "Cannot take a listing whose keys are not UTF-8");
    }
    return readText(this.bytes, start, end);
  }

  #compare(index: number, bound: Uint8Array): number {
    const start = this.#places[index * PLACES] as number;
    const end = this.#places[index * PLACES + 1] as number;
    return compareBytes(this.bytes, start, end, bound, 0, bound.length);
  }

  #grow(): void {
    const room = this.#sizes.length * 2;
    const places = new Int32Array(room * PLACES);
    places.set(this.#places);
    this.#places = places;
    const sizes = new Float64Array(room);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
    const times = new Float64Array(room);
    times.set(this.#times);
    this.#times = times;
  }
}

/**
 * The number that a run of digits is.
 *
 * @returns -1 if it is no whole number from 0 to 2⁵³−1.
 */
export function readDigits(bytes: Uint8Array, start: number, end: number): number {
  if (end <= start || end - start > 16) return -1;
  let value = 0;
  for (let i = start; i < end; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return Number.isSafeInteger(value) ? value : -1;
}

/** Writes a code point as UTF-8, or as three bytes where it is half of a pair, and returns the end. */
export function writePoint(point: number, bytes: Uint8Array, at: number): number {
  if (point < 0x80) {
    bytes[at++] = point;
    return at;
  }
  if (point < 0x800) {
    bytes[at++] = 0xc0 | point >> 6;
  } else {
    if (point < 0x10000) {
      bytes[at++] = 0xe0 | point >> 12;
    } else {
      bytes[at++] = 0xf0 | point >> 18;
      bytes[at++] = 0x80 | point >> 12 & 0x3f;
    }
    bytes[at++] = 0x80 | point >> 6 & 0x3f;
  }
  bytes[at++] = 0x80 | point & 0x3f;
  return at;
}

/** The value of a hexadecimal digit, or -1. */
export function hexValue(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
