/** Keeps secrets out of names, messages, causes, logs and spans. */
import { foldLines, oneLine } from "./one_line.ts";
import { decodePart, isSecretName } from "./secret_names.ts";

const MASK = "***";
/** How deep URLs inside parameters of URLs are searched for secrets; deeper ones are masked. */
const DEEPEST_URL = 3;

/** The URL without user info and fragment, and with the values of secret query parameters masked. */
export function redactUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = shown.password = shown.hash = "";
  return redactText(shown.href);
}

/**
 * What may be shown of a text that should have been a URL. Its parts cannot be told apart, so nothing is shown that
 * might belong to a user name or a password: at most the scheme and the plain characters after it.
 */
export function redactInvalidUrl(text: string): string {
  // The URL parser removes these, too.
  const plain = text.replace(/[\t\n\r]/g, "").trim();
  const scheme = /^https?:[\\/]*/i.exec(plain)?.[0] ?? "";
  const rest = plain.slice(scheme.length);
  // An "@" may also be `%40`, or a full-width character that the parser takes for "@".
  const hasUserInfo = [rest, decodePart(rest)].some((form) => form.normalize("NFKC").includes("@"));
  const shown = hasUserInfo ? "" : /^[\w.~\/ -]*/.exec(rest)?.[0] ?? "";
  return shown === rest ? plain : `${scheme}${shown}…`;
}

/** The values of the secret query parameters, as written and decoded. */
export function secretsOf(url: URL): string[] {
  return url.search.slice(1).split(/[&;]/).flatMap((parameter) => {
    const [name = "", ...value] = parameter.split("=");
    const text = value.join("=");
    if (!isSecretName(name)) return [];
    return [text, decodePart(text), decodePart(text.replaceAll("+", " "))];
  });
}

/**
 * The text with everything masked that looks like a credential: user info and secret query values of any URL in it,
 * the credentials of an `Authorization`, and `secrets`, the values that the caller knows to be secret, if they have
 * at least 4 characters.
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  return redactUrls(withoutKnown(text, secrets), 0);
}

function withoutKnown(text: string, secrets: readonly string[]): string {
  // The longest first: if a secret inside another were masked first, the rest of the longer one would stay.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // Masking a very short secret would break up ordinary words, and so reveal it.
    if (secret.length >= 4) text = text.replaceAll(secret, MASK);
  }
  return text;
}

function redactUrls(text: string, depth: number): string {
  const shown = text
    .replace(/:[\\/]{2,}[^\s\\/?#"<>]*@/g, "://")
    .replace(/\b(bearer|basic) +[\w.~+\/=-]{8,}/gi, (found, scheme) =>
      // Words such as "Basic authentication" are no credentials.
      /\d/.test(found) ? `${scheme} ${MASK}` : found);
  return redactParameters(shown, depth);
}

/** Masks the secret values of every query in the text, in time linear in its length. */
function redactParameters(text: string, depth: number): string {
  const start = /[?&;#]([^\s=&;?#"'<>]+)=/g;
  let shown = "";
  let at = 0;
  for (let found = start.exec(text); found !== null; found = start.exec(text)) {
    const secret = isSecretName(found[1] ?? "");
    // A semicolon may separate parameters or belong to a value: each pattern reads it so that more is masked.
    const value = secret ? /[^\s&#"'<>]*/y : /[^\s&;?#"'<>]*/y;
    value.lastIndex = start.lastIndex;
    const [given = ""] = value.exec(text) ?? [];
    if (!secret && !holdsSecret(given, depth)) continue;
    // Messages put a URL in brackets: the closing one is not part of the value.
    shown += text.slice(at, start.lastIndex) + MASK + (/\)[.,:;]*$/.exec(given)?.[0] ?? "");
    at = start.lastIndex += given.length;
  }
  return shown + text.slice(at);
}

/** Whether a value is itself an encoded URL that holds a credential, such as the target that a proxy is given. */
function holdsSecret(value: string, depth: number): boolean {
  const decoded = decodePart(value);
  if (decoded === value) return false;
  return depth >= DEEPEST_URL || redactUrls(decoded, depth + 1) !== decoded;
}

/** Short enough for `oneLine` to keep all of a reason that stands at the end of a message. */
const LONGEST_MESSAGE = 800;
const LONGEST_NAME = 100;
/** The most causes in a chain, and frames of a stack, that are kept. */
const DEEPEST_CAUSE = 5;
const MOST_FRAMES = 20;

/** A copy has the same class as the original, if that is one of these. */
const CLASSES = [TypeError, RangeError, SyntaxError, ReferenceError, URIError, EvalError] as const;

/** The copies made here, which need not be copied again. */
const clean = new WeakSet<object>();

/**
 * A copy of what was thrown, with only its name, message, code, stack and causes: each without secrets, and
 * messages on one line. The original is never passed on: clients attach requests with all their headers to their
 * errors, and printing an error shows them.
 */
export function redactError(thrown: unknown, secrets: readonly string[] = []): unknown {
  if (typeof thrown === "object" && thrown !== null && clean.has(thrown) && secrets.length === 0) {
    return thrown;
  }
  return copyOf(thrown, secrets, []);
}

function copyOf(thrown: unknown, secrets: readonly string[], above: readonly unknown[]): unknown {
  if (!isErrorLike(thrown)) return messageOf(thrown, secrets);
  const message = messageOf(thrown, secrets);
  const Class = CLASSES.find((known) => isInstance(thrown, known)) ?? Error;
  const copy: Error & { code?: unknown } = new Class(message);
  const name = textOf(thrown, "name", LONGEST_NAME, secrets) ?? "Error";
  Object.defineProperty(copy, "name", { value: name, configurable: true, writable: true });
  Object.defineProperty(copy, "stack", {
    value: [`${name}: ${message}`, ...framesOf(thrown, secrets)].join("\n"),
    configurable: true,
    writable: true,
  });
  const code = read(thrown, "code");
  if (typeof code === "number") copy.code = code;
  if (typeof code === "string") copy.code = textOf(thrown, "code", LONGEST_NAME, secrets);
  const cause = causeOf(thrown);
  const path = [...above, thrown];
  if (cause !== undefined && path.length <= DEEPEST_CAUSE && !path.includes(cause)) {
    const inner = copyOf(cause, secrets, path);
    Object.defineProperty(copy, "cause", { value: inner, configurable: true, writable: true });
  }
  clean.add(copy);
  return copy;
}

/** The message of whatever was thrown, redacted, followed by the messages of its causes that add something. */
export function reasonOf(thrown: unknown, secrets: readonly string[] = []): string {
  const messages: string[] = [];
  for (let at = thrown, depth = 0; at !== undefined && at !== null && depth < 6; depth++) {
    const message = messageOf(at, secrets);
    if (message !== "" && !messages.some((known) => known.includes(message))) {
      messages.push(message);
    }
    at = causeOf(at);
  }
  return oneLine(messages.join(": "), LONGEST_MESSAGE);
}

/** The message of whatever was thrown, or its name if there is no message; on one line. */
function messageOf(thrown: unknown, secrets: readonly string[]): string {
  if (isErrorLike(thrown)) {
    return textOf(thrown, "message", LONGEST_MESSAGE, secrets) ||
      (textOf(thrown, "name", LONGEST_NAME, secrets) ?? "Error");
  }
  // Not its text, which is its code.
  if (typeof thrown === "function") return "a function";
  return shownText(thrown, LONGEST_MESSAGE, secrets);
}

/** The lines of an error's stack that name calls. The lines before them repeat its message. */
function framesOf(thrown: object, secrets: readonly string[]): string[] {
  const stack = read(thrown, "stack");
  if (typeof stack !== "string") return [];
  return stack.split("\n").filter((line) => /^\s+at |^[^\s@]*@\S+:\d+$/.test(line))
    .slice(0, MOST_FRAMES)
    .map((line) => `    ${shownText(line, LONGEST_MESSAGE, secrets)}`);
}

/**
 * The cause of an error. Node reports a refused connection as an aggregate with one error per address: the first
 * counts.
 */
function causeOf(thrown: unknown): unknown {
  if (!isErrorLike(thrown)) return undefined;
  const errors = read(thrown, "errors");
  const first = typeof errors === "object" && errors !== null ? read(errors, "0") : undefined;
  return read(thrown, "cause") ?? first;
}

/** Errors of this realm or another, and objects with a message that clients throw instead. */
function isErrorLike(thrown: unknown): thrown is object {
  return typeof thrown === "object" && thrown !== null &&
    (isInstance(thrown, Error) || typeof read(thrown, "message") === "string");
}

/** A property, as text that may be shown. */
function textOf(
  of: object,
  property: string,
  longest: number,
  secrets: readonly string[],
): string | undefined {
  const value = read(of, property);
  return value === undefined ? undefined : shownText(value, longest, secrets);
}

function shownText(value: unknown, longest: number, secrets: readonly string[]): string {
  let text: string;
  try {
    text = String(value);
  } catch {
    // An object without a prototype, or with a toString that throws.
    text = "an unprintable value";
  }
  return oneLine(foldLines(redactText(text, secrets)), longest);
}

/** A property, or undefined if reading it throws, as a getter or a proxy may. */
function read(of: object, property: string): unknown {
  try {
    return (of as Record<string, unknown>)[property];
  } catch {
    return undefined;
  }
}

function isInstance<T>(value: unknown, of: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof of;
  } catch {
    return false;
  }
}
