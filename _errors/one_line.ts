/** Text that cannot forge a line of a log: one line, without control characters, of bounded length. */

const LONGEST = 2_000;

// C0 and C1 controls, the separators of lines and paragraphs, what turns the direction of text, and lone surrogates.
const CONTROLS = /[\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]/u;
const EVERY_CONTROL = new RegExp(CONTROLS, "gu");
const LINE_BREAK = /[\n\v\f\r\x85\u2028\u2029]/;

/**
 * The text with control characters escaped as JavaScript writes them. Where it is longer than a log can bear, its middle
 * is left out: what failed stands at the beginning, and why at the end.
 *
 * @param longest The most UTF-16 code units, without the `…` that stands for what was left out.
 */
export function oneLine(text: string, longest: number = LONGEST): string {
  if (text.length <= longest && !CONTROLS.test(text)) return text;
  const shown = cut(text, longest).replace(EVERY_CONTROL, escape);
  // Escapes take room as well.
  return shown.length <= longest + 1 ? shown : cut(shown, longest);
}

/** The text on one line as far as that can be had without escapes: a run of white space that breaks the line is one blank. */
export function foldLines(text: string): string {
  // By runs: `\s*\n\s*` takes quadratic time on a run of blanks.
  return text.replace(/\s+/g, (run) => LINE_BREAK.test(run) ? " " : run).trim();
}

function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  let head = Math.ceil(longest / 2);
  let tail = text.length - (longest - head);
  // Not between the two halves of a character.
  if (head > 0 && isLead(text.charCodeAt(head - 1))) head--;
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
