/** The attributes of one element of an XML document, by their offsets in its bytes. */
import { readText } from "../_bytes/exact_text.ts";
import { isAscii } from "./utf8.ts";
import { isBlank, REFERENCE, STOP, TEXT_CLASS, WIDE } from "./xml_characters.ts";
import { broken, cutOff } from "./xml_errors.ts";
import { nameEnd } from "./xml_names.ts";
import type { XmlNamespaces } from "./xml_namespaces.ts";
import { checkCharacters, checkReferences, undoLineEnds, undoText } from "./xml_text.ts";

/** More than any answer gives an element. A bound keeps the search for duplicates cheap. */
const MOST = 100;
/** The offsets of an attribute: of its name, its local name, the end of both, and the start and end of its value. */
const PLACES = 5;

const SLASH = 0x2f, EQUALS = 0x3d, GT = 0x3e, QUOTE = 0x22, APOS = 0x27, COLON = 0x3a;

export class XmlAttributes {
  readonly #bytes: Uint8Array;
  readonly #last: number;
  readonly #places: Int32Array = new Int32Array(PLACES * MOST);
  #count = 0;

  /** @param last Where the last `>` of the document is. */
  constructor(bytes: Uint8Array, last: number) {
    this.#bytes = bytes;
    this.#last = last;
  }

  /** Reads the attributes after an element's name, and returns where the `>` or `/>` is. */
  read(at: number): number {
    const bytes = this.#bytes;
    this.#count = 0;
    for (;;) {
      const gap = at;
      while (isBlank(bytes[at])) at++;
      if (at > this.#last) throw cutOff();
      if (bytes[at] === GT || bytes[at] === SLASH) break;
      if (at === gap) throw broken("an invalid tag", at);
      if (this.#count === MOST) throw broken(`more than ${MOST} attributes`, at);
      at = this.#readOne(at);
    }
    this.#checkDoubles();
    return at;
  }

  #readOne(start: number): number {
    const bytes = this.#bytes;
    let local = start;
    let end = nameEnd(bytes, start, this.#last);
    if (bytes[end] === COLON) end = nameEnd(bytes, local = end + 1, this.#last);
    let at = end;
    while (isBlank(bytes[at])) at++;
    if (bytes[at] !== EQUALS) throw broken("an attribute without a value", start);
    at++;
    while (isBlank(bytes[at])) at++;
    const quote = bytes[at] as number;
    if (quote !== QUOTE && quote !== APOS) throw broken("an attribute without quotes", start);
    const from = at + 1;
    const to = this.#valueEnd(from, quote);
    this.#places.set([start, local, end, from, to], PLACES * this.#count++);
    return to + 1;
  }

  #valueEnd(start: number, quote: number): number {
    const bytes = this.#bytes;
    let seen = 0;
    let at = start;
    for (; at <= this.#last; at++) {
      const byte = bytes[at] as number;
      if (byte === quote) break;
      const what = TEXT_CLASS[byte] as number;
      if (what < STOP) seen |= what;
      else if (byte !== GT) throw broken("a '<' or a control character in an attribute", at);
    }
    if (at > this.#last) throw cutOff();
    if (seen & WIDE) checkCharacters(bytes, start, at);
    if (seen & REFERENCE) checkReferences(bytes, start, at);
    return at;
  }

  #checkDoubles(): void {
    for (let i = 1; i < this.#count; i++) {
      for (let j = 0; j < i; j++) {
        if (this.#isSame(i, 0, j, 0)) throw this.#double(i);
      }
    }
  }

  /** Whether two attributes have the same name: the whole one (0), or the local one (1). */
  #isSame(i: number, from: 0 | 1, j: number, other: 0 | 1): boolean {
    const start = this.#place(i, from), end = this.#place(i, 2);
    const to = this.#place(j, other);
    if (this.#place(j, 2) - to !== end - start) return false;
    for (let at = start; at < end; at++) {
      if (this.#bytes[at] !== this.#bytes[to + at - start]) return false;
    }
    return true;
  }

  #double(i: number): SyntaxError {
    return broken("an attribute twice", this.#place(i, 0));
  }

  /** Records the namespaces that the attributes declare, and throws if one has a prefix that is not declared. */
  declare(namespaces: XmlNamespaces, depth: number): void {
    const bytes = this.#bytes;
    for (let i = 0; i < this.#count; i++) {
      const start = this.#place(i, 0), local = this.#place(i, 1), end = this.#place(i, 2);
      const plain = local === start;
      if (!isAscii(bytes, start, plain ? end : local - 1, "xmlns")) continue;
      const fault = namespaces.declare(plain ? end : local, end, this.#value(i), depth);
      if (fault !== undefined) throw broken(fault, start);
    }
    const qualified: [number, string][] = [];
    for (let i = 0; i < this.#count; i++) {
      const start = this.#place(i, 0), local = this.#place(i, 1);
      if (local === start || isAscii(bytes, start, local - 1, "xmlns")) continue;
      const uri = namespaces.find(start, local - 1);
      if (uri === undefined) throw broken("a prefix that is not declared", start);
      for (const [j, other] of qualified) {
        if (uri === other && this.#isSame(i, 1, j, 1)) throw this.#double(i);
      }
      qualified.push([i, uri]);
    }
  }

  /** The value of an attribute without a prefix, or undefined. */
  find(name: string): string | undefined {
    for (let i = 0; i < this.#count; i++) {
      if (isAscii(this.#bytes, this.#place(i, 0), this.#place(i, 2), name)) return this.#value(i);
    }
    return undefined;
  }

  #value(i: number): string {
    const start = this.#place(i, 3), end = this.#place(i, 4);
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = this.#bytes[at] as number;
      if (TEXT_CLASS[byte] !== 0) return this.#oddValue(start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #oddValue(start: number, end: number): string {
    const value = this.#bytes.slice(start, end);
    const length = undoLineEnds(value, 0, value.length, 0);
    // In an attribute blanks of any kind become spaces, unless they are written as references.
    for (let at = 0; at < length; at++) if (isBlank(value[at])) value[at] = 0x20;
    return readText(value, 0, undoText(value, 0, length, 0, REFERENCE));
  }

  #place(i: number, which: number): number {
    return this.#places[PLACES * i + which] as number;
  }
}
