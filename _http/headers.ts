/** Header fields as text. */

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
