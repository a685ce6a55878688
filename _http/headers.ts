/** Header fields: which of the caller's may be sent where, and how those of answers are read. */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * By lower-case names. No `Headers`: a fetch that is not the runtime's own may not know that class, and making one for each
 * request takes a tenth of the time of a poll.
 */
export type PlainHeaders = Record<string, string>;

/** What every request has unless the caller says otherwise. */
const DEFAULT_HEADERS: PlainHeaders = {
  // Node's fetch would add `no-cache` to a conditional request, which Express never answers with 304.
  "cache-control": "max-age=0",
  // Node's fetch takes a compressed body that was cut short for whole.
  "accept-encoding": "identity",
};

// Set by this package from what it knows; a fixed value would freeze what is seen.
const RESERVED_HEADERS = [
  "if-none-match",
  "if-modified-since",
  "if-match",
  "if-unmodified-since",
  "if-range",
  "range",
];

/** Say what answer is wanted, and nothing of who asks: these go to another origin, too. */
const PORTABLE = /^(accept(-charset|-encoding|-language)?|cache-control|pragma|prefer|user-agent)$/;
/** No secrets either, but good for the caller's origin alone. All others may be keys, whatever they are called. */
const OPEN = /^(content-type|depth|host)$/;

/**
 * Whether a text can be sent as the value of a field. `Headers` takes control characters, which Node's `fetch` then refuses
 * to send. Blanks and line ends around a value are none of it, as for `Headers`.
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

/** What is sent to the caller's origin. */
export function ownHeaders(headers: Headers): PlainHeaders {
  return { ...DEFAULT_HEADERS, ...Object.fromEntries(headers) };
}

/** What of these is sent to any other origin. */
export function portableHeaders(own: PlainHeaders): PlainHeaders {
  return Object.fromEntries(Object.entries(own).filter(([name]) => PORTABLE.test(name)));
}

/** Whether the value of a field may be a key, a token or a cookie. */
export function mayBeSecret(name: string): boolean {
  return !PORTABLE.test(name) && !OPEN.test(name);
}

/**
 * The text of a field that holds URLs, such as `Location` or `Link`. `fetch` takes each byte of a field for a
 * character of Latin-1; servers write UTF-8. Bytes that are no UTF-8 are percent-encoded one by one, so that a URL
 * asks for the very bytes the server named.
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

/** The `Content-Length`, where it is one number. */
export function lengthOf(headers: Headers): number | undefined {
  const text = headers.get("content-length");
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined;
}
