/** Header fields: which of the caller's may be sent where, and how those of answers are read. */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * By lower-case names. Not a `Headers`: a custom fetch may not know that class, and making one for each request
 * takes a tenth of the time of a poll.
 */
export type PlainHeaders = Record<string, string>;

/** Sent with every request unless the caller sets them. */
const DEFAULT_HEADERS: PlainHeaders = {
  // Node's fetch would add `no-cache` to a conditional request, which Express never answers with 304.
  "cache-control": "max-age=0",
  // Node's fetch takes a compressed body that was cut short for a whole one.
  "accept-encoding": "identity",
};

// Only this package sets these, from what it knows; a fixed value could hide every change.
const RESERVED_HEADERS = [
  "if-none-match",
  "if-modified-since",
  "if-match",
  "if-unmodified-since",
  "if-range",
  "range",
];

/** These say which answer is wanted and nothing about the caller: they are sent to other origins as well. */
const PORTABLE = /^(accept(-charset|-encoding|-language)?|cache-control|pragma|prefer|user-agent)$/;
/** No secrets either, but sent to the caller's origin only. Any other header may hold a key, whatever its name. */
const OPEN = /^(content-type|depth|host)$/;

/**
 * Whether a text can be sent as the value of a header. `Headers` accepts control characters, which Node's `fetch`
 * then refuses to send. As for `Headers`, blanks and line ends around a value do not belong to it.
 */
export function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, ""));
}

/** The caller's header fields, copied. */
export function copyHeaders(init: RequestInit["headers"]): Headers {
  let headers: Headers | undefined;
  try {
    headers = new Headers(init);
  } catch {
    // The runtime's message repeats the value, which may be a key.
  }
  if (headers === undefined || ![...headers.values()].every(isFieldValue)) {
    throw new TypeError("Cannot poll as 'headers' has an invalid name or value");
  }
  for (const name of RESERVED_HEADERS) {
    if (headers.has(name)) {
      throw new TypeError(`Cannot poll with a header '${name}': the poller sets it itself`);
    }
  }
  return headers;
}

/** The headers that are sent to the caller's origin. */
export function ownHeaders(headers: Headers): PlainHeaders {
  return { ...DEFAULT_HEADERS, ...Object.fromEntries(headers) };
}

/** Those of the headers that are sent to any other origin. */
export function portableHeaders(own: PlainHeaders): PlainHeaders {
  return Object.fromEntries(Object.entries(own).filter(([name]) => PORTABLE.test(name)));
}

/** Whether the value of a field may be a key, a token or a cookie. */
export function mayBeSecret(name: string): boolean {
  return !PORTABLE.test(name) && !OPEN.test(name);
}

/**
 * The text of a header that holds URLs, such as `Location` or `Link`. `fetch` reads each byte of a header as a
 * character of Latin-1, but servers write UTF-8. Bytes that are not UTF-8 are percent-encoded one by one, so that a
 * URL names exactly the bytes that the server sent.
 */
export function headerText(value: string): string {
  // Plain ASCII, or decoded by the runtime already.
  if (!/[\x80-\xff]/.test(value) || /[^\0-\xff]/.test(value)) return value;
  try {
    return utf8.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)));
  } catch {
    return value.replace(
      /[\x80-\xff]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  }
}

/** The `Content-Length`, if it is one number. */
export function lengthOf(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
