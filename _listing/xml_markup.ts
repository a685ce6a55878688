/**
 * The markup between the elements of an XML document: its declaration, comments, processing instructions and CDATA
 * sections. Most functions take the offset where one begins, and return the offset where it ends.
 *
 * @module
 */
import { readText, textBytes } from "../_bytes/exact_text.ts";
import { isBlank, TAG, TEXT_CLASS, WIDE } from "./xml_characters.ts";
import { broken, cutOff } from "./xml_errors.ts";
import { nameEnd } from "./xml_names.ts";
import { checkCharacters } from "./xml_text.ts";

const BANG = 0x21, HYPHEN = 0x2d, GT = 0x3e, QUESTION = 0x3f, BRACKET = 0x5d;

const COMMENT = textBytes("<!--");
const CDATA = textBytes("<![CDATA[");
const DECLARATION = textBytes("<?xml");

const VERSION = /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(["'])1\.0\1/;
const ENCODING = /^[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(["'])(?:utf-?8|us-ascii)\1/i;
const STANDALONE = /^[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(["'])(?:yes|no)\1/;
/** Longer than any declaration. */
const DECLARATION_LENGTH = 300;

/** Whether a run of bytes begins with another. */
export function startsWith(bytes: Uint8Array, at: number, start: Uint8Array): boolean {
  for (let i = 0; i < start.length; i++) if (bytes[at + i] !== start[i]) return false;
  return true;
}

/** Whether a CDATA section begins here. It is text; all other markup is not. */
export function isCdata(bytes: Uint8Array, at: number): boolean {
  return startsWith(bytes, at, CDATA);
}

/** The offset where the text of a CDATA section begins. */
export function cdataStart(at: number): number {
  return at + CDATA.length;
}

/** The offset where the text of a CDATA section ends; its closing mark takes three more bytes. */
export function cdataEnd(bytes: Uint8Array, start: number, last: number): number {
  for (let at = cdataStart(start) + 2;; at++) {
    at = find(bytes, GT, at, last);
    if (bytes[at - 1] !== BRACKET || bytes[at - 2] !== BRACKET) continue;
    checkContent(bytes, cdataStart(start), at - 2);
    return at - 2;
  }
}

/** The end of a comment or a processing instruction. Apart from tags and CDATA no other markup is allowed. */
export function markupEnd(bytes: Uint8Array, start: number, last: number): number {
  if (bytes[start + 1] === QUESTION) return instructionEnd(bytes, start, last);
  if (startsWith(bytes, start, COMMENT)) return commentEnd(bytes, start, last);
  if (start + COMMENT.length > last) throw cutOff();
  // A document type could change what text means. No answer has one, but HTML does.
  throw broken(bytes[start + 1] === BANG ? "a document type" : "a '<' that begins no tag", start);
}

function commentEnd(bytes: Uint8Array, start: number, last: number): number {
  const from = start + COMMENT.length;
  for (let at = from;; at++) {
    at = find(bytes, HYPHEN, at, last);
    if (bytes[at + 1] !== HYPHEN) continue;
    if (at + 2 > last) throw cutOff();
    if (bytes[at + 2] !== GT) throw broken("a '--' in a comment", at);
    checkContent(bytes, from, at);
    return at + 3;
  }
}

function instructionEnd(bytes: Uint8Array, start: number, last: number): number {
  const end = nameEnd(bytes, start + 2, last + 1);
  const target = readText(bytes, start + 2, Math.min(end, start + 6));
  if (target.toLowerCase() === "xml") throw broken("an invalid XML declaration", start);
  for (let at = end;; at++) {
    at = find(bytes, GT, at, last);
    if (bytes[at - 1] !== QUESTION || at === end) continue;
    if (at - 1 > end && !isBlank(bytes[end])) break;
    checkContent(bytes, end, at - 1);
    return at + 1;
  }
  throw broken("an invalid processing instruction", start);
}

/** The end of the XML declaration; `start` if there is none. */
export function declarationEnd(bytes: Uint8Array, start: number, last: number): number {
  if (!startsWith(bytes, start, DECLARATION) || !isBlank(bytes[start + DECLARATION.length])) {
    return start;
  }
  const end = find(bytes, GT, start, last) + 1;
  checkContent(bytes, start + 1, end - 1);
  const text = readText(bytes, start, Math.min(end, start + DECLARATION_LENGTH));
  const version = VERSION.exec(text);
  if (version === null) throw broken("an XML declaration of another version than 1.0", start);
  let rest = text.slice(version[0].length);
  const encoding = ENCODING.exec(rest);
  if (encoding !== null) rest = rest.slice(encoding[0].length);
  else if (/^\s+encoding/.test(rest)) throw broken("another encoding than UTF-8", start);
  rest = rest.slice(STANDALONE.exec(rest)?.[0].length ?? 0);
  if (!/^[ \t\r\n]*\?>$/.test(rest)) throw broken("an invalid XML declaration", start);
  return end;
}

function find(bytes: Uint8Array, byte: number, from: number, last: number): number {
  const at = from > last ? -1 : bytes.indexOf(byte, from);
  if (at < 0 || at > last) throw cutOff();
  return at;
}

/** Throws if there is a character that XML does not allow. */
function checkContent(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    const what = TEXT_CLASS[bytes[at] as number] as number;
    if (what === WIDE || what > TAG) return checkCharacters(bytes, at, end);
  }
}
