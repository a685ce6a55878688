/** Keeps secrets out of names, messages, causes, logs and spans. */

const MASK = "***";

// Signed URLs of the clouds, API keys, OAuth parameters. Matched on the decoded name without its
// separators, so that `api_key`, `api-key` and `apiKey` are one.
const SECRET_NAME =
  /token|secret|passw|passphrase|signature|credential|session|authorization|bearer|assertion|key$|keyid$|accessid$|^(sig|sign|code|auth|pwd|pass|jwt|sas|sid|nonce|otp|hmac|ticket)$/;

/** Whether a query parameter of this name carries a credential. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(decode(name).toLowerCase().replace(/[^a-z0-9]/g, ""));
}

/** The URL without user info and fragment, the values of secret query parameters masked. */
export function redactUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = shown.password = shown.hash = "";
  return redactText(shown.href);
}

/** What may be shown of a text that should have been a URL: where its parts begin is anybody's guess. */
export function redactInvalidUrl(text: string): string {
  return redactText(
    text.replace(/[?#].*$/s, "?…").replace(/^([a-z][a-z0-9+.-]*:)?(\/*).*@/is, "$1$2"),
  );
}

/** The secret values of the query, as they stand there and decoded. */
export function secretsOf(url: URL): string[] {
  return url.search.slice(1).split(/[&;]/).flatMap((parameter) => {
    const [name = "", ...value] = parameter.split("=");
    const text = value.join("=");
    return isSecretName(name) ? [text, decode(text), decode(text.replaceAll("+", " "))] : [];
  });
}

/**
 * The text with what looks like a credential taken out: user info and secret query values of any URL in
 * it, and every one of `secrets`, the values the caller knows to be secret.
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  // The longest first: a secret inside another would leave the rest of that one.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    // A very short "secret" would punch holes into every word and give itself away by them.
    if (secret.length >= 4) text = text.replaceAll(secret, MASK);
  }
  return redactParameters(text.replace(/:\/\/[^\s/?#"<>]*@/g, "://"));
}

/** Masks the secret values of every query in the text, in time linear in its length. */
function redactParameters(text: string): string {
  const start = /[?&;#]([^\s=&;?#"'<>]+)=/g;
  let shown = "";
  let at = 0;
  for (let found = start.exec(text); found !== null; found = start.exec(text)) {
    const secret = isSecretName(found[1] ?? "");
    // A semicolon may part parameters or be of the value: each time, more is masked for it.
    const value = secret ? /[^\s&#"'<>]*/y : /[^\s&;?#"'<>]*/y;
    value.lastIndex = start.lastIndex;
    const [given = ""] = value.exec(text) ?? [];
    if (!secret && !holdsSecret(given)) continue;
    // Texts put a URL in brackets: those that close it are not part of the value.
    shown += text.slice(at, start.lastIndex) + MASK + (/\)[.,:;]*$/.exec(given)?.[0] ?? "");
    at = start.lastIndex += given.length;
  }
  return shown + text.slice(at);
}

/** Whether a value is itself an encoded URL that carries a credential, as proxies are given one. */
function holdsSecret(value: string): boolean {
  const decoded = decode(value);
  return decoded !== value && redactText(decoded) !== decoded;
}

/**
 * A copy of what was thrown that holds only its name, code, message, stack and causes, each redacted.
 * Copied and not passed on, since clients hang requests with all their headers on their errors.
 */
export function redactError(thrown: unknown, secrets: readonly string[] = [], depth = 0): unknown {
  if (!(thrown instanceof Error)) return redactText(describe(thrown), secrets);
  const copy = new Error(redactText(String(thrown.message), secrets));
  copy.name = redactText(String(thrown.name), secrets);
  if (thrown.stack !== undefined) copy.stack = redactText(String(thrown.stack), secrets);
  const { code } = thrown as { code?: unknown };
  if (typeof code === "number") Object.assign(copy, { code });
  if (typeof code === "string") Object.assign(copy, { code: redactText(code, secrets) });
  // Node reports a refused connection as an aggregate, one error an address.
  const cause = thrown.cause ?? (thrown as Partial<AggregateError>).errors?.[0];
  if (cause !== undefined && depth < 5) copy.cause = redactError(cause, secrets, depth + 1);
  return copy;
}

/** What was thrown, untouched if nothing in it or its causes needs redacting, else a redacted copy. */
export function withoutSecrets(thrown: unknown, secrets: readonly string[] = []): unknown {
  return hasSecret(thrown, secrets) ? redactError(thrown, secrets) : thrown;
}

/** The message of whatever was thrown, redacted, with the message of its innermost cause. */
export function reasonOf(thrown: unknown, secrets: readonly string[] = []): string {
  const messages: string[] = [];
  for (let at = thrown, depth = 0; at !== undefined && at !== null && depth < 6; depth++) {
    const message = redactText(describe(at), secrets);
    if (message !== "" && !messages.some((known) => known.includes(message))) {
      messages.push(message);
    }
    at = at instanceof Error ? at.cause ?? (at as Partial<AggregateError>).errors?.[0] : undefined;
  }
  return messages.join(": ");
}

function hasSecret(thrown: unknown, secrets: readonly string[], depth = 0): boolean {
  if (thrown === undefined || depth > 5) return false;
  const texts = thrown instanceof Error ? [thrown.message, thrown.stack ?? ""] : [describe(thrown)];
  if (texts.some((text) => redactText(String(text), secrets) !== text)) return true;
  if (!(thrown instanceof Error)) return false;
  const { errors = [] } = thrown as Partial<AggregateError>;
  return [thrown.cause, ...errors].some((inner) => hasSecret(inner, secrets, depth + 1));
}

function describe(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message || thrown.name : thrown);
  } catch {
    // An object without a prototype, or with a toString that throws.
    return "an unprintable value";
  }
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
