/**
 * How the elements of a long list are written, learnt from the last one that was read.
 *
 * A listing of a thousand objects repeats the bytes around its values a thousand times. Bytes that equal those of
 * an element that was read strictly are as well-formed as those. So only the values of the next element are parsed,
 * which takes half the time.
 *
 * @module
 */
import { REFERENCE, TEXT_CLASS } from "./xml_characters.ts";

/** The values of an object. */
export const KEY_VALUE = 0, ETAG_VALUE = 1, SIZE_VALUE = 2, TIME_VALUE = 3;
const VALUES = 4;

const LT = 0x3c, SLASH = 0x2f;

/** The most values of one element; those with more are always read strictly. */
const MAX_VALUES = 32;
/** The numbers of a value: where the bytes before it begin and end, and which value it is. */
const STEP = 3;
/** A value that nobody needs, and that may differ each time. */
const UNWANTED = -1;

export class XmlPattern {
  /** The offsets of the wanted values in the element that was matched last; -1 for those that it does not have. */
  readonly starts: Int32Array = new Int32Array(VALUES).fill(-1);
  readonly ends: Int32Array = new Int32Array(VALUES).fill(-1);
  /** Whether the key has anything but plain characters. */
  odd = false;
  /** Whether the key sorts after that of the element before, by its bytes. */
  behind = false;
  readonly #bytes: Uint8Array;
  /** A view of the same bytes, to compare four at once. */
  readonly #view: DataView;
  readonly #steps: Int32Array = new Int32Array(STEP * (MAX_VALUES + 1));
  /** How many values the learnt element has; 0 if it cannot be used. */
  #count = 0;
  /** The end of the last value, while an element is learnt; -1 if the element cannot be used. */
  #gap = -1;
  #tail = 0;
  #learning = 0;
  #hits = 0;
  #misses = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  // Learning: `begin`, then a call for each value in their order, then `end`.

  /** @param at The offset where the tag of the element begins. */
  begin(at: number): void {
    this.#gap = at;
    this.#count = this.#learning = 0;
    this.starts.fill(-1);
    this.ends.fill(-1);
  }

  /** Learns a wanted value. Its text must be in the document as it is, followed by its end tag. */
  value(which: number, start: number, end: number): void {
    if (this.#gap < 0 || this.#learning === MAX_VALUES) return this.spoil();
    const at = STEP * this.#learning++;
    this.#steps[at] = this.#gap;
    this.#steps[at + 1] = start;
    this.#steps[at + 2] = which;
    this.#gap = end;
    if (which === UNWANTED) return;
    this.starts[which] = start;
    this.ends[which] = end;
  }

  /** Learns an unwanted element, from after its start tag to after its end tag. */
  unwanted(start: number, end: number): void {
    let at = start;
    while (at < end && (TEXT_CLASS[this.#bytes[at] as number] as number) < REFERENCE) at++;
    if (at < end && this.#bytes[at] === LT && this.#bytes[at + 1] === SLASH) {
      this.value(UNWANTED, start, at);
    }
  }

  /** The element has a text that had to be decoded, so it cannot be used. */
  spoil(): void {
    this.#gap = -1;
  }

  /** @param at The offset after the end of the element. */
  end(at: number): void {
    if (this.#gap < 0) return;
    this.#tail = at;
    this.#steps[STEP * this.#learning] = this.#gap;
    this.#count = this.#learning;
  }

  /**
   * Matches an element.
   *
   * @param at The offset where it begins.
   * @param limit The offset where the document ends.
   * @returns The offset where the element ends; -1 if it is written differently, and must be read strictly.
   */
  match(at: number, limit: number): number {
    // If the elements of a list differ, trying each takes more time than it saves.
    if (this.#count === 0 || this.#misses > 8 + (this.#hits >> 2)) return -1;
    const bytes = this.#bytes, steps = this.#steps;
    const last = STEP * this.#count;
    for (let step = 0; step < last; step += STEP) {
      at = this.#behindSame(at, steps[step] as number, steps[step + 1] as number, limit);
      if (at < 0) return this.#miss();
      const which = steps[step + 2] as number;
      if (which === KEY_VALUE) {
        at = this.#key(at, limit);
        continue;
      }
      const start = at;
      while ((TEXT_CLASS[bytes[at] as number] as number) < REFERENCE) at++;
      if (which === UNWANTED) continue;
      this.starts[which] = start;
      this.ends[which] = at;
    }
    at = this.#behindSame(at, steps[last] as number, this.#tail, limit);
    if (at < 0) return this.#miss();
    this.#hits++;
    return at;
  }

  /** The offset after the bytes at `at`, if they equal those from `start` to `end`; otherwise -1. */
  #behindSame(at: number, start: number, end: number, limit: number): number {
    if (at + end - start > limit) return -1;
    const bytes = this.#bytes, view = this.#view;
    for (const stop = end - 4; start <= stop; start += 4, at += 4) {
      if (view.getInt32(at) !== view.getInt32(start)) return -1;
    }
    for (; start < end; start++, at++) if (bytes[at] !== bytes[start]) return -1;
    return at;
  }

  #miss(): number {
    this.#misses++;
    return -1;
  }

  /** Reads the key, and compares it with the one before: nearly all of them share a long beginning. */
  #key(start: number, limit: number): number {
    const bytes = this.#bytes;
    const otherEnd = this.ends[KEY_VALUE] as number;
    let other = this.starts[KEY_VALUE] as number;
    let at = start;
    let odd = false;
    if (!this.odd) {
      while (other < otherEnd && bytes[at] === bytes[other]) {
        at++;
        other++;
      }
    }
    const shared = at;
    // The bytes after the document are arbitrary, and past the buffer nothing would end this loop.
    for (; at < limit; at++) {
      const what = TEXT_CLASS[bytes[at] as number] as number;
      if (what === 0) continue;
      if (what >= REFERENCE) break;
      odd = true;
    }
    this.behind = at > shared &&
      (other === otherEnd || (bytes[shared] as number) > (bytes[other] as number));
    this.odd = odd;
    this.starts[KEY_VALUE] = start;
    this.ends[KEY_VALUE] = at;
    return at;
  }
}
