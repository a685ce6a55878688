/** Bytes as base64, as the API server takes and gives them. */

/** How many bytes become one string at once: more arguments than that no runtime takes. */
const CHUNK = 0x8000;

export function encodeBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += CHUNK) {
    parts.push(String.fromCharCode(...bytes.subarray(i, i + CHUNK)));
  }
  return btoa(parts.join(""));
}

/** The bytes, or undefined if it is no base64. */
export function decodeBase64(text: unknown): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(String(text)), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
