/**
 * Decodes the texts of an XML document: references become characters, and each line end becomes a line feed.
 *
 * @module
 */
import { writePoint } from "./utf8.ts";
import {
  BLANK,
  ESCAPE,
  isXmlText,
  REFERENCE,
  referredPoint,
  RETURN,
  TEXT_CLASS,
  WIDE,
} from "./xml_characters.ts";
import { broken } from "./xml_errors.ts";

const AMP = 0x26, SEMICOLON = 0x3b, RETURN_BYTE = 0x0d, LINE_FEED = 0x0a;

/**
 * Decodes a run of text, writes it to `to`, which is at its start or before it, and returns the end.
 *
 * @param seen The classes of the bytes of the run.
 */
export function undoText(
  bytes: Uint8Array,
  start: number,
  end: number,
  to: number,
  seen: number,
): number {
  if ((seen & (REFERENCE | RETURN)) === 0) {
    if (to === start) return end;
    bytes.copyWithin(to, start, end);
    return to + end - start;
  }
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === RETURN_BYTE) {
      bytes[to++] = LINE_FEED;
      if (bytes[at + 1] === LINE_FEED && at + 1 < end) at++;
    } else if (byte !== AMP) {
      bytes[to++] = byte;
    } else {
      const stop = referenceEnd(bytes, at, end);
      to = writePoint(referredPoint(bytes, at + 1, stop), bytes, to);
      at = stop;
    }
  }
  return to;
}

/** The same for a run in which references have no meaning. */
export function undoLineEnds(bytes: Uint8Array, start: number, end: number, to: number): number {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === RETURN_BYTE && at + 1 < end && bytes[at + 1] === LINE_FEED) continue;
    bytes[to++] = byte === RETURN_BYTE ? LINE_FEED : byte;
  }
  return to;
}

/** Throws unless every `&` in a run of bytes begins a reference to a character. */
export function checkReferences(bytes: Uint8Array, start: number, end: number): void {
  for (let at = start; at < end; at++) {
    if (bytes[at] === AMP) at = referenceEnd(bytes, at, end);
  }
}

/** The offset of the `;` of a reference that begins at `at`. */
function referenceEnd(bytes: Uint8Array, at: number, end: number): number {
  let stop = at + 1;
  while (stop < end && bytes[stop] !== SEMICOLON && bytes[stop] !== AMP) stop++;
  if (stop === end || bytes[stop] === AMP || referredPoint(bytes, at + 1, stop) < 0) {
    throw broken("a '&' that begins no known entity", at);
  }
  return stop;
}

/** Throws unless a run of bytes is UTF-8 with only characters that XML allows. */
export function checkCharacters(bytes: Uint8Array, start: number, end: number): void {
  if (!isXmlText(bytes, start, end)) {
    throw broken("bytes that are not UTF-8, or a character that XML does not have", start);
  }
}

/** Which of the classes `ESCAPE`, `BLANK` and `WIDE` there are in a run of bytes. */
export function classesIn(bytes: Uint8Array, start: number, end: number): number {
  let seen = 0;
  for (let at = start; at < end; at++) seen |= TEXT_CLASS[bytes[at] as number] as number;
  return seen & (ESCAPE | BLANK | WIDE);
}
