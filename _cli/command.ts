/** The command of `--exec`: words with placeholders that an event fills. No shell is involved. */
import { UsageError } from "./usage.ts";

/** The values of an event that a command can use. */
export interface Facts {
  readonly key: string;
  readonly type: string;
  readonly source: string;
  readonly size: string;
  readonly etag: string;
  readonly file: string;
}

/** An event that cannot be handled, however often it is tried: its key does not fit an argument or a file name. */
export class UnfitError extends Error {}

/** A command that was parsed and checked. */
export interface Command {
  readonly words: readonly string[];
  /** Whether it needs a file that `--download` made. */
  readonly needsFile: boolean;
}

const PLACE = /\{(key|type|source|size|etag|file)\}/g;
/** Programs that run one of their arguments as a program. */
const INTERPRETER =
  /^(?:sh|bash|dash|ash|zsh|ksh|fish|cmd|powershell|pwsh|eval|ssh|su|env|node|deno|bun|perl|ruby|php|awk|gawk|sed|python[\d.]*)(?:\.exe)?$/i;
const SCRIPT_FLAG = /^-[A-Za-z]*[cCeEpr]$|^--?(?:eval|print|command|exec|expression)$|^\/[ck]$/i;

/**
 * Splits a command into words as a shell does: at white space, with '…', "…" and backslashes, and
 * without any expansion. Refuses a command in which a key would be run as code.
 */
export function parseCommand(text: string): Command {
  const words = split(text);
  const [program = ""] = words;
  if (program === "") {
    throw new UsageError("Cannot run --exec as it names no program");
  }
  if (has(program)) {
    throw new UsageError(
      "Cannot run --exec as the program must not depend on a key",
    );
  }
  for (const [at, word] of words.entries()) {
    if (has(word) && isScript(words, at)) {
      throw new UsageError(
        `Cannot run --exec as a program would read the key within '${word}' as a part of itself: ` +
          `say "$KOPRS_KEY" there`,
      );
    }
  }
  return { words, needsFile: words.some((word) => word.includes("{file}")) };
}

/**
 * The words of the command for one event. Throws an {@linkcode UnfitError} for a key that cannot be
 * passed as an argument.
 */
export function fill({ words }: Command, facts: Facts): string[] {
  const options = words.indexOf("--");
  return words.map((word, at) => {
    const filled = word.replace(PLACE, (_, name: keyof Facts) => facts[name]);
    if (filled.includes("\0")) {
      throw new UnfitError("the key has a NUL, which no argument can hold");
    }
    // A key called `-rf` must not become an option, unless the command says where options end.
    if (
      filled.startsWith("-") && !word.startsWith("-") &&
      (options < 0 || options > at)
    ) {
      throw new UnfitError(
        "the key begins with '-': put '--' before it, or use KOPRS_KEY",
      );
    }
    return filled;
  });
}

/** The same facts as environment variables, for scripts. */
export function variables(facts: Facts): Record<string, string> {
  const entries = Object.entries(facts).filter(([, value]) => !value.includes("\0"));
  return Object.fromEntries(
    entries.map(([name, value]) => [`KOPRS_${name.toUpperCase()}`, value]),
  );
}

function has(word: string): boolean {
  return word.search(PLACE) >= 0;
}

/** Whether a word is run as code: it has characters that code has, or stands where an interpreter expects code. */
function isScript(words: readonly string[], at: number): boolean {
  const word = words[at] ?? "";
  const plain = word.replace(PLACE, "");
  if (/[\s'"`;|$()<>]/.test(plain)) return true;
  if (plain.includes("&") && !/^[a-z][a-z0-9+]*:\/\//i.test(word)) return true;
  const names = words.slice(0, at).map((word) => word.replace(/^.*[\\/]/, ""));
  const from = names.findIndex((name) => INTERPRETER.test(name));
  if (from < 0) return false;
  if (/^(?:eval|ssh|su|env)$/.test(names[from] ?? "")) return true;
  // The word after -c or the like, or the first word that is not an option.
  const between = names.slice(from + 1);
  return SCRIPT_FLAG.test(words[at - 1] ?? "") ||
    between.every((name) => name.startsWith("-"));
}

function split(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote !== "") {
      if (character === quote) quote = "";
      else if (
        character === "\\" && quote === '"' && /["\\]/.test(text.charAt(at + 1))
      ) {
        word = (word ?? "") + text.charAt(++at);
      } else word = (word ?? "") + character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (character === "\\" && at + 1 < text.length) {
      word = (word ?? "") + text.charAt(++at);
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== "") {
    throw new UsageError(`Cannot run --exec as a ${quote} in it is not closed`);
  }
  if (word !== undefined) words.push(word);
  return words;
}
