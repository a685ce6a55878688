/**
 * Finds integers in a JSON text that a JavaScript number cannot hold: two different ones may become the same
 * number.
 */

const QUOTE = 0x22, BACKSLASH = 0x5c, POINT = 0x2e, ZERO = 0x30, NINE = 0x39;
const PLUS = 0x2b, MINUS = 0x2d, UPPER_E = 0x45, LOWER_E = 0x65;

/** Every integer up to 2⁵³ is exact, and so every one with fewer digits than this: those need no check. */
const DIGITS = 16;

/**
 * The offset of the first integer that a JavaScript number would change, or undefined if there is none. Numbers
 * with a fraction or an exponent do not count: they are measurements, which are rounded anyway.
 *
 * Ordinary JSON has few runs of 16 digits, so only every 16th byte is looked at first.
 *
 * @param json Valid JSON in UTF-8.
 */
export function findLostInteger(json: Uint8Array): number | undefined {
  /** The end of a whole token, outside of strings. */
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
    // The next run cannot begin before the byte after `end`, so its 16th digit is here or later.
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

/** The first offset at or after `place` that is outside of strings; `at` must be outside of strings, too. */
function behindStrings(json: Uint8Array, at: number, place: number): number {
  while (at < place) at = json[at] === QUOTE ? behindString(json, at) : at + 1;
  return at;
}

function behindString(json: Uint8Array, open: number): number {
  let at = open + 1;
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1;
  return at + 1;
}

/** Whether these digits are an integer: not part of a fraction or an exponent, and with only zeros after a point. */
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
  // The fewest digits that identify this number. Trailing zeros of the integer may be missing from them.
  const [mantissa = "", exponent] = Number(digits).toExponential().split("e");
  const shortest = mantissa.replace(".", "");
  return Number(exponent) !== digits.length - 1 ||
    shortest !== digits.slice(0, shortest.length) ||
    !isZeros(digits, shortest.length);
}

/** The first seven digits. Those of 2⁵³ are 9007199. */
function leading(json: Uint8Array, start: number): number {
  let value = 0;
  for (let i = start; i < start + 7; i++) value = value * 10 + (json[i] as number) - ZERO;
  return value;
}

function isZeros(digits: string, from: number): boolean {
  for (let i = from; i < digits.length; i++) if (digits[i] !== "0") return false;
  return true;
}
