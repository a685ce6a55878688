/**
 * Reads times in listings from their bytes: a `Date` for each object would make a listing slow, and `Date.parse`
 * accepts much that is not a time.
 *
 * @module
 */
import { readText } from "../_bytes/exact_text.ts";
import { parseHttpDate } from "../_http/http_date.ts";

const HYPHEN = 0x2d, COLON = 0x3a, DOT = 0x2e, PLUS = 0x2b, BLANK = 0x20, COMMA = 0x2c;
const LETTER_T = 0x54, LETTER_Z = 0x5a;

/** Days of each month, in leap years. */
const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const DAYS_TO_1970 = 719_468;
const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS = "MonTueWedThuFriSatSun";

/**
 * The time in ms of a text such as 2026-11-23T04:05:06.789Z (RFC 3339), with any fraction and zone; NaN for any
 * other. Fractions of a millisecond are dropped.
 */
export function isoTime(bytes: Uint8Array, start: number, end: number): number {
  const seconds = start + 17;
  const time = dayTime(
    digits(bytes, start, 4),
    digits(bytes, start + 5, 2),
    digits(bytes, start + 8, 2),
    bytes[start + 4] === HYPHEN && bytes[start + 7] === HYPHEN && bytes[start + 10] === LETTER_T,
  ) + clockTime(bytes, start + 11);
  let at = seconds + 2;
  let milli = 0;
  if (bytes[at] === DOT) {
    const from = ++at;
    for (let unit = 100; at < end; at++, unit /= 10) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      if (unit >= 1) milli += digit * unit;
    }
    if (at === from) return NaN;
  }
  if (bytes[at] === LETTER_Z && at + 1 === end) return time + milli;
  return at + 6 === end ? time + milli - zone(bytes, at) : NaN;
}

/** The ms by which a zone such as +01:00 is ahead. */
function zone(bytes: Uint8Array, at: number): number {
  const hours = digits(bytes, at + 1, 2), minutes = digits(bytes, at + 4, 2);
  const sign = bytes[at] === PLUS ? 1 : bytes[at] === HYPHEN ? -1 : NaN;
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || bytes[at + 3] !== COLON) return NaN;
  return sign * (hours * 60 + minutes) * 60_000;
}

/** The time in ms of a date of HTTP, such as Mon, 23 Nov 2026 04:05:06 GMT; NaN for any other text. */
export function httpTime(bytes: Uint8Array, start: number, end: number): number {
  const usual = end - start === 29 && bytes[start + 3] === COMMA && bytes[start + 4] === BLANK &&
    bytes[start + 7] === BLANK && bytes[start + 11] === BLANK && bytes[start + 16] === BLANK &&
    bytes[start + 25] === BLANK && nameAt(bytes, start, WEEKDAYS) > 0;
  if (
    usual && bytes[start + 26] === 0x47 && bytes[start + 27] === 0x4d &&
    bytes[start + 28] === LETTER_T
  ) {
    const month = nameAt(bytes, start + 8, MONTHS);
    const time = dayTime(digits(bytes, start + 12, 4), month, digits(bytes, start + 5, 2), true) +
      clockTime(bytes, start + 17);
    if (time === time) return time;
  }
  return parseHttpDate(readText(bytes, start, end)) ?? NaN;
}

/** The number of the three-letter name at an offset, from 1; 0 if it is none of these. */
function nameAt(bytes: Uint8Array, at: number, names: string): number {
  for (let i = 0; i < names.length; i += 3) {
    if (
      bytes[at] === names.charCodeAt(i) && bytes[at + 1] === names.charCodeAt(i + 1) &&
      bytes[at + 2] === names.charCodeAt(i + 2)
    ) return i / 3 + 1;
  }
  return 0;
}

/** Midnight of a day, in ms; NaN if there is no such day. A part that is not a number is given as -1. */
function dayTime(year: number, month: number, day: number, punctuated: boolean): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && !leap ? 28 : MONTH_DAYS[month - 1] ?? 0;
  if (!punctuated || year < 0 || day < 1 || day > days) return NaN;
  // Years are counted from March, so that the leap day is the last one.
  const from = month > 2 ? year : year - 1;
  const leaps = Math.floor(from / 4) - Math.floor(from / 100) + Math.floor(from / 400);
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  return (from * 365 + leaps + dayOfYear - DAYS_TO_1970) * 86_400_000;
}

/** The ms since midnight of a text such as 04:05:06; NaN for any other. */
function clockTime(bytes: Uint8Array, at: number): number {
  const hours = digits(bytes, at, 2);
  const minutes = digits(bytes, at + 3, 2);
  const seconds = digits(bytes, at + 6, 2);
  if (
    hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59 ||
    bytes[at + 2] !== COLON || bytes[at + 5] !== COLON
  ) return NaN;
  return ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

/** The number that so many digits stand for, or -1. */
function digits(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const digit = (bytes[i] as number) - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}
