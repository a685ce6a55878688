/** Text that cannot forge a line of a log: one line, without control characters, of bounded length. */

const LONGEST = 2_000;

// C0 and C1 controls, line and paragraph separators, characters that change the text direction, and lone
// surrogates.
const CONTROLS = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u;
const EVERY_CONTROL = new RegExp(CONTROLS, "gu");
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

/**
 * The text with control characters escaped as in JavaScript. If it is longer than `longest`, its middle is left
 * out: a message says at its beginning what failed, and at its end why.
 *
 * @param longest The most UTF-16 code units, not counting the `…` that stands for the middle.
 */
export function oneLine(text: string, longest: number = LONGEST): string {
  if (text.length <= longest && !CONTROLS.test(text)) return text;
  const shown = cut(text, longest).replace(EVERY_CONTROL, escape);
  // Escapes make the text longer.
  return shown.length <= longest + 1 ? shown : cut(shown, longest);
}

/** The text trimmed and with its lines joined: each run of white space that has a line break becomes one blank. */
export function foldLines(text: string): string {
  // Run by run: `\s*\n\s*` takes quadratic time on a run of blanks.
  return text.replace(/\s+/g, (run) => LINE_BREAK.test(run) ? " " : run).trim();
}

function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  let head = Math.ceil(longest / 2);
  let tail = text.length - (longest - head);
  // Not between the two halves of a surrogate pair.
  if (isLead(text.charCodeAt(head - 1))) head--;
  if (isLead(text.charCodeAt(tail - 1))) tail++;
  return `${text.slice(0, head)}…${text.slice(tail)}`;
}

function isLead(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}

function escape(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  if (character === "\t") return "\\t";
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}
