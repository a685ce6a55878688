/**
 * A strict reader of XML 1.0 with namespaces, on bytes. It reads the listings of S3 and Azure, and the answers of
 * WebDAV.
 *
 * It makes no strings and no tree: it gives the offsets of names and texts in the bytes, and decodes references in
 * place, as a reference is never shorter than what it stands for. Anything that is not well-formed is an error,
 * even in elements that are skipped, in attributes and in comments. Document types are refused, so there are no
 * entities but XML's own five. Each byte is looked at a bounded number of times.
 *
 * @module
 */
import { readText, textBytes } from "../_bytes/exact_text.ts";
import { XmlAttributes } from "./xml_attributes.ts";
import {
  isBlank,
  NAME_CLASS,
  REFERENCE,
  RETURN,
  STOP,
  TAG,
  TEXT_CLASS,
  WIDE,
} from "./xml_characters.ts";
import { broken, cutOff } from "./xml_errors.ts";
import {
  cdataEnd,
  cdataStart,
  declarationEnd,
  isCdata,
  markupEnd,
  startsWith,
} from "./xml_markup.ts";
import { nameEnd } from "./xml_names.ts";
import { XmlNamespaces } from "./xml_namespaces.ts";
import { checkCharacters, checkReferences, classesIn, undoLineEnds, undoText } from "./xml_text.ts";

/** Deeper than any answer nests. */
const MAX_DEPTH = 100;

const AMP = 0x26, SLASH = 0x2f, LT = 0x3c, GT = 0x3e, BRACKET = 0x5d;
const BANG = 0x21, QUESTION = 0x3f, COLON = 0x3a;

/** The references by which servers may write a double quote. */
const QUOTES: readonly Uint8Array[] = ["&quot;", "&#34;"].map(textBytes);

/**
 * A cursor in a document. First `root` goes to the root element. Then each element that was reached is to be read:
 * by `child` until that is false, by `text`, `string` or `quotedText`, or by `skip`. Finally, `finish` reads what
 * is after the root.
 *
 * All methods throw a `SyntaxError` if the document is not well-formed.
 */
export class XmlReader {
  /** The offsets of the current element's name: of the whole, of the part after the prefix, and of the end. */
  nameStart = 0;
  localStart = 0;
  nameEnd = 0;
  /** The offsets of the text that was read. */
  textStart = 0;
  textEnd = 0;
  /** The classes of the bytes of that text, exact in `ESCAPE`, `BLANK` and `WIDE`. */
  seen = 0;
  /** Whether that text is in the document as it is, with nothing decoded. */
  plain = true;

  readonly #bytes: Uint8Array;
  readonly #length: number;
  /** Where the last `>` of the document is: each loop over its bytes ends there. */
  readonly #last: number;
  #at = 0;
  /** Whether the current element is written `<name/>`, and was not left yet. */
  #empty = false;
  /** Where the names of the open elements begin and end. */
  readonly #open: Int32Array = new Int32Array(2 * MAX_DEPTH + 2);
  #depth = 0;
  readonly #namespaces: XmlNamespaces;
  readonly #attributes: XmlAttributes;
  /** Whether `#attributes` are those of the current element. */
  #attributed = false;

  /** @param bytes The document, up to `length`. It is modified. */
  constructor(bytes: Uint8Array, length: number = bytes.length) {
    this.#bytes = bytes;
    this.#length = length;
    this.#last = length === 0 ? -1 : bytes.lastIndexOf(GT, length - 1);
    this.#namespaces = new XmlNamespaces(bytes);
    this.#attributes = new XmlAttributes(bytes, this.#last);
  }

  /** The end of the document: after its last tag. */
  get limit(): number {
    return this.#last + 1;
  }

  /** The offset after what was read. */
  get at(): number {
    return this.#at;
  }

  /** Continues after an element that is known to be well-formed: see `XmlPattern`. */
  goTo(at: number): void {
    this.#at = at;
  }

  /** Reads up to the root element. */
  root(): void {
    const bytes = this.#bytes;
    const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    if (start > this.#last) throw new SyntaxError("no XML");
    const at = this.#passMisc(declarationEnd(bytes, start, this.#last));
    if (at > this.#last || bytes[at] !== LT) throw new SyntaxError("no XML");
    this.#startTag(at + 1);
  }

  /** Reads up to the next element in this one; false at its end. */
  child(): boolean {
    if (this.#empty) {
      this.#leaveEmpty();
      return false;
    }
    const bytes = this.#bytes;
    let at = this.#at;
    for (;;) {
      if (at > this.#last) throw cutOff();
      if (bytes[at] !== LT) at = this.#passText(at);
      const byte = bytes[at + 1] as number;
      if (byte === SLASH) {
        this.#endTag(at + 2);
        return false;
      }
      if (byte !== BANG && byte !== QUESTION) break;
      at = isCdata(bytes, at) ? cdataEnd(bytes, at, this.#last) + 3 : this.#passMarkup(at);
    }
    this.#startTag(at + 1);
    return true;
  }

  /** Reads to the end of this element. */
  skip(): void {
    const outside = this.#depth - 1;
    while (this.#depth > outside) this.child();
  }

  /** Reads the text of this element to its end, with references decoded. */
  text(): void {
    const start = this.textStart = this.textEnd = this.#at;
    this.seen = 0;
    this.plain = true;
    if (this.#empty) return this.#leaveEmpty();
    const end = this.#toTag(start);
    if (this.#bytes[end + 1] !== SLASH) return this.#mixedText(start, end);
    this.plain = (this.seen & (REFERENCE | RETURN)) === 0;
    if (this.plain) this.textEnd = end;
    else this.#undo(start, end);
    this.#endTag(end + 2);
  }

  /** Reads the text of this element as a string. */
  string(): string {
    this.text();
    return readText(this.#bytes, this.textStart, this.textEnd);
  }

  /**
   * Reads the text of this element. Nearly every ETag is in quotes that are written as references: those are not
   * decoded but left out, and then this returns true.
   */
  quotedText(): boolean {
    const bytes = this.#bytes;
    const start = this.#at;
    if (this.#empty || bytes[start] !== AMP) {
      this.text();
      return false;
    }
    for (const quote of QUOTES) {
      if (!startsWith(bytes, start, quote)) continue;
      const from = start + quote.length;
      let at = from;
      while (TEXT_CLASS[bytes[at] as number] === 0) at++;
      const end = at + quote.length;
      if (!startsWith(bytes, at, quote) || bytes[end] !== LT || bytes[end + 1] !== SLASH) continue;
      if (at === from) break;
      this.seen = 0;
      this.textStart = from;
      this.textEnd = at;
      this.plain = true;
      this.#endTag(end + 2);
      return true;
    }
    this.text();
    return false;
  }

  /** Reads what is after the root element. */
  finish(): void {
    const at = this.#passMisc(this.#at);
    if (at < this.#length) throw broken("something after its end", at);
  }

  /** Whether the current element has this name, whatever its prefix. */
  isNamed(name: Uint8Array): boolean {
    const start = this.localStart;
    const length = name.length;
    if (this.nameEnd - start !== length) return false;
    for (let i = 0; i < length; i++) if (this.#bytes[start + i] !== name[i]) return false;
    return true;
  }

  /** The namespace of the current element; empty for none. */
  namespace(): string {
    const { nameStart, localStart } = this;
    const end = Math.max(nameStart, localStart - 1);
    return this.#namespaces.find(nameStart, end) ?? "";
  }

  /**
   * An attribute of the current element, by a name without a prefix, or undefined. Call it before the content of
   * the element is read.
   */
  attribute(name: string): string | undefined {
    return this.#attributed ? this.#attributes.find(name) : undefined;
  }

  // Tags.

  #startTag(at: number): void {
    const bytes = this.#bytes;
    this.nameStart = this.localStart = at;
    if (NAME_CLASS[bytes[at] as number] === 2) {
      do at++; while (at <= this.#last && NAME_CLASS[bytes[at] as number] !== 0);
    }
    const stop = bytes[at] as number;
    if (at === this.nameStart || stop === COLON || stop > 0x7f) at = this.#oddName();
    this.nameEnd = at;
    const depth = ++this.#depth;
    if (depth > MAX_DEPTH) throw broken("elements that nest too deep", at);
    this.#open[2 * depth] = this.nameStart;
    this.#open[2 * depth + 1] = at;
    this.#attributed = false;
    if (bytes[at] === GT) this.#at = at + 1;
    else this.#restOfTag(at);
    if (this.localStart !== this.nameStart) this.#checkPrefix();
  }

  /** A name with a prefix, or with characters beyond ASCII. */
  #oddName(): number {
    const end = nameEnd(this.#bytes, this.nameStart, this.#last);
    if (this.#bytes[end] !== COLON) return end;
    this.localStart = end + 1;
    return nameEnd(this.#bytes, this.localStart, this.#last);
  }

  #restOfTag(at: number): void {
    const end = this.#attributes.read(at);
    this.#attributed = true;
    this.#empty = this.#bytes[end] === SLASH;
    if (this.#empty && this.#bytes[end + 1] !== GT) throw broken("an invalid tag", end);
    this.#attributes.declare(this.#namespaces, this.#depth);
    this.#at = this.#empty ? end + 2 : end + 1;
  }

  #checkPrefix(): void {
    const { nameStart, localStart } = this;
    if (this.#namespaces.find(nameStart, localStart - 1) === undefined) {
      throw broken("a prefix that is not declared", nameStart);
    }
  }

  #endTag(at: number): void {
    const bytes = this.#bytes;
    const open = this.#open;
    const depth = this.#depth;
    const end = open[2 * depth + 1] as number;
    for (let i = open[2 * depth] as number; i < end; i++, at++) {
      if (bytes[at] !== bytes[i]) throw this.#wrongEnd(at);
    }
    while (isBlank(bytes[at])) at++;
    if (bytes[at] !== GT || at > this.#last) throw this.#wrongEnd(at);
    this.#at = at + 1;
    this.#leave();
  }

  #wrongEnd(at: number): SyntaxError {
    if (at > this.#last) return cutOff();
    const start = this.#open[2 * this.#depth] as number;
    const end = this.#open[2 * this.#depth + 1] as number;
    const name = readText(this.#bytes, start, Math.min(end, start + 40));
    return broken(`no </${name}> where it belongs`, at);
  }

  #leaveEmpty(): void {
    this.#empty = false;
    this.#leave();
  }

  #leave(): void {
    if (this.#namespaces.depth === this.#depth) this.#namespaces.release();
    this.#depth--;
  }

  // Text.

  /** Goes to the next `<` in a text, and records the classes of the bytes on the way. */
  #toTag(start: number): number {
    if (start > this.#last) throw cutOff();
    const bytes = this.#bytes;
    let at = start;
    let seen = 0;
    for (;; at++) {
      const what = TEXT_CLASS[bytes[at] as number] as number;
      if (what === 0) continue;
      if (what < STOP) seen |= what;
      else if (what === TAG) break;
      else this.#checkOdd(at, start);
    }
    this.seen = seen;
    if (seen & WIDE) checkCharacters(bytes, start, at);
    return at;
  }

  /** Throws at a stop in a text that is not a tag, unless it is a `>` that does not end `]]>`. */
  #checkOdd(at: number, start: number): void {
    const bytes = this.#bytes;
    if (at >= this.#last) throw cutOff();
    if (bytes[at] !== GT) throw broken("a control character", at);
    if (at - start >= 2 && bytes[at - 1] === BRACKET && bytes[at - 2] === BRACKET) {
      throw broken("a ']]>' in a text", at);
    }
  }

  /** Skips a text, and checks it. */
  #passText(start: number): number {
    const end = this.#toTag(start);
    if (this.seen & REFERENCE) checkReferences(this.#bytes, start, end);
    return end;
  }

  #undo(start: number, end: number): void {
    this.textEnd = undoText(this.#bytes, start, end, start, this.seen);
    this.seen = classesIn(this.#bytes, start, this.textEnd);
  }

  /** Reads a text with comments or CDATA in it, and joins its parts. */
  #mixedText(start: number, end: number): void {
    const bytes = this.#bytes;
    this.plain = false;
    let to = start;
    for (let from = start, at = end;;) {
      to = undoText(bytes, from, at, to, this.seen);
      const byte = bytes[at + 1];
      if (byte === SLASH) {
        this.textEnd = to;
        this.seen = classesIn(bytes, start, to);
        return this.#endTag(at + 2);
      }
      if (byte !== BANG && byte !== QUESTION) throw broken("an element where text belongs", at);
      if (isCdata(bytes, at)) {
        const textEnd = cdataEnd(bytes, at, this.#last);
        to = undoLineEnds(bytes, cdataStart(at), textEnd, to);
        from = textEnd + 3;
      } else {
        from = this.#passMarkup(at);
      }
      at = this.#toTag(from);
    }
  }

  // Between the elements.

  #passMarkup(at: number): number {
    return markupEnd(this.#bytes, at, this.#last);
  }

  /** Skips blanks, comments and processing instructions. */
  #passMisc(at: number): number {
    const bytes = this.#bytes;
    for (; at < this.#length; at++) {
      if (isBlank(bytes[at])) continue;
      const byte = bytes[at + 1];
      if (bytes[at] !== LT || at > this.#last || byte !== BANG && byte !== QUESTION) break;
      at = this.#passMarkup(at) - 1;
    }
    return at;
  }
}
