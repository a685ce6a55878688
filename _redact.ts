/** Keeps secrets out of names, messages, causes, logs and spans. */

const MASK = "***";

// Signed URLs of the clouds, API keys, OAuth parameters. Matched on the decoded name without its
// separators, so that `api_key`, `api-key` and `apiKey` are one.
const SECRET_NAME =
  /token|secret|passw|passphrase|signature|credential|session|authorization|key$|keyid$|accessid$|^(sig|code|auth|pwd|pass|jwt|sas|sid|nonce)$/;

/** Whether a query parameter of this name carries a credential. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(decode(name).toLowerCase().replace(/[^a-z0-9]/g, ""));
}

/** The URL without user info and fragment, the values of secret query parameters masked. */
export function redactUrl(url: URL): string {
  const shown = new URL(url);
  shown.hash = "";
  return redactText(shown.href);
}

/**
 * The text with what looks like a credential taken out: user info and secret query values of any URL in
 * it, and every one of `secrets`, the values the caller knows to be secret.
 */
export function redactText(text: string, secrets: readonly string[] = []): string {
  for (const secret of secrets) {
    // A very short "secret" would punch holes into every word and give itself away by them.
    if (secret.length >= 4) text = text.replaceAll(secret, MASK);
  }
  return text
    .replace(/:\/\/[^\s/?#"'<>]*@/g, "://")
    .replace(
      /([?&;])([^\s=&;?#"'<>]+)=([^\s&;#"'<>)]*)/g,
      (whole, separator, name) => isSecretName(name) ? `${separator}${name}=${MASK}` : whole,
    );
}

/**
 * A copy of what was thrown that holds only its name, code, message, stack and causes, each redacted.
 * Copied and not passed on, since clients hang requests with all their headers on their errors.
 */
export function redactError(thrown: unknown, secrets: readonly string[] = [], depth = 0): unknown {
  if (!(thrown instanceof Error)) return redactText(describe(thrown), secrets);
  const copy = new Error(redactText(thrown.message, secrets));
  copy.name = thrown.name;
  if (thrown.stack !== undefined) copy.stack = redactText(thrown.stack, secrets);
  const { code } = thrown as { code?: unknown };
  if (typeof code === "string" || typeof code === "number") Object.assign(copy, { code });
  // Node reports a refused connection as an aggregate, one error an address.
  const cause = thrown.cause ?? (thrown as Partial<AggregateError>).errors?.[0];
  if (cause !== undefined && depth < 5) copy.cause = redactError(cause, secrets, depth + 1);
  return copy;
}

/** The error itself if nothing in it or its causes needs redacting, else a redacted copy. */
export function withoutSecrets(thrown: unknown): unknown {
  return hasSecret(thrown) ? redactError(thrown) : thrown;
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

function hasSecret(thrown: unknown, depth = 0): boolean {
  if (!(thrown instanceof Error) || depth > 5) return false;
  return [thrown.message, thrown.stack ?? ""].some((text) => redactText(text) !== text) ||
    hasSecret(thrown.cause, depth + 1);
}

function describe(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message || thrown.name;
  try {
    return String(thrown);
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
