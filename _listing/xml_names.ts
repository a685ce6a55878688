/** The names of an XML document. */
import { pointLength, readPoint } from "./utf8.ts";
import { beginsName, continuesName, NAME_CLASS } from "./xml_characters.ts";
import { broken } from "./xml_errors.ts";

/** The end of a name without a colon, which must begin at `start`. */
export function nameEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  for (;;) {
    const length = characterLength(bytes, at, end, at === start);
    if (length === 0) break;
    at += length;
  }
  if (at === start) throw broken("an invalid name", at);
  return at;
}

/** How many bytes the next character of a name takes; 0 if it is no such character. */
function characterLength(bytes: Uint8Array, at: number, end: number, first: boolean): number {
  const byte = bytes[at] as number;
  if (at >= end) return 0;
  if (byte < 0x80) return (NAME_CLASS[byte] as number) > (first ? 1 : 0) ? 1 : 0;
  const point = readPoint(bytes, at, end);
  if (point < 0 || !(first ? beginsName(point) : continuesName(point))) return 0;
  return pointLength(point);
}
