/** Integers of a JSON text that a JavaScript number cannot hold: two different ones may become the same number. */

const QUOTE = 0x22, BACKSLASH = 0x5c, POINT = 0x2e, ZERO = 0x30, NINE = 0x39;
const PLUS = 0x2b, MINUS = 0x2d, UPPER_E = 0x45, LOWER_E = 0x65;

/** Up to 2⁵³ every integer is exact, and all below 10¹⁵ are less than that: fewer digits need no look. */
const DIGITS = 16;

/**
 * Where the first integer stands that does not read back as it was written, or undefined if all do. Numbers with a
 * fraction or an exponent are measurements, which are rounded anyway.
 *
 * Ordinary JSON has few runs of 16 digits: one byte of 16 is looked at.
 *
 * @param json Valid JSON in UTF-8.
 */
export function findLostInteger(json: Uint8Array): number | undefined {
  /** Behind a whole token, outside of strings. */
  let known = 0;
  for (let at = DIGITS - 1; at < json.length;) {
    if (!isDigit(json[at])) {
      at += DIGITS;
      continue;
    }
    let start = at;
    let end = at + 1;
    while (start > known && isDigit(json[start - 1])) start--;
    while (isDigit(json[end])) end++;
    // The next run of digits cannot begin before the byte behind this one.
    at = end + DIGITS;
    if (end - start < DIGITS) continue;
    const behind = behindStrings(json, known, start);
    if (behind > start) {
      known = behind;
      at = Math.max(at, known + DIGITS - 1);
      continue;
    }
    known = end;
    if (isInteger(json, start, end) && isLost(json, start, end)) return start;
  }
  return undefined;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE;
}

/** From outside of strings at `at`, the first place from `place` on that is outside of strings, too. */
function behindStrings(json: Uint8Array, at: number, place: number): number {
  while (at < place) at = json[at] === QUOTE ? behindString(json, at) : at + 1;
  return at;
}

function behindString(json: Uint8Array, open: number): number {
  let at = open + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Whether these digits are a whole number: no part of a fraction or an exponent, and with none but zeros behind a point. */
function isInteger(json: Uint8Array, start: number, end: number): boolean {
  let before = json[start - 1];
  if (before === MINUS || before === PLUS) before = json[start - 2];
  if (before === POINT || before === LOWER_E || before === UPPER_E) return false;
  if (json[end] === POINT) {
    do end++; while (json[end] === ZERO);
    if (isDigit(json[end])) return false;
  }
  return json[end] !== LOWER_E && json[end] !== UPPER_E;
}

function isLost(json: Uint8Array, start: number, end: number): boolean {
  if (end - start === DIGITS && leading(json, start) < 9_007_199) return false;
  const digits = new TextDecoder().decode(json.subarray(start, end));
  // The fewest digits that stand for this number and no other; of the integer they may lack zeros.
  const [mantissa = "", exponent] = Number(digits).toExponential().split("e");
  const shortest = mantissa.replace(".", "");
  return Number(exponent) !== digits.length - 1 ||
    shortest !== digits.slice(0, shortest.length) ||
    !isZeros(digits, shortest.length);
}

/** The first seven digits: of 2⁵³ they are 9007199. */
function leading(json: Uint8Array, start: number): number {
  let value = 0;
  for (let i = start; i < start + 7; i++) value = value * 10 + (json[i] as number) - ZERO;
  return value;
}

function isZeros(digits: string, from: number): boolean {
  for (let i = from; i < digits.length; i++) if (digits[i] !== "0") return false;
  return true;
}
