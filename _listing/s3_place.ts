/** Places in a listing of S3: the keys and tokens behind which a page begins. */
import { textBytes } from "../_bytes/bytes.ts";
import { decodeUrl } from "./s3_listing.ts";

/** The last character before the halves of surrogate pairs. */
const BEFORE_SURROGATES = "\ud7ff";
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * The key itself, or one before it that can be asked for: a request cannot name half of a surrogate pair, which a key may
 * have, or a cut between keys. Hardly any key lies between the two.
 */
export function askableKey(key: string): string {
  const at = key.search(LONE_SURROGATE);
  return at < 0 ? key : key.slice(0, at) + BEFORE_SURROGATES;
}

/**
 * Whether a page token is nothing but the URL encoding of the last key of the page. Some servers encode their tokens
 * along with the keys, and do not decode what they are asked with: then keys are left out, or come again. Behind that key is
 * the same place.
 */
export function isTokenOfKey(token: string, lastKey: string): boolean {
  if (token === lastKey || !/[%+]/.test(token)) return false;
  const key = textBytes(lastKey);
  // A plus is a blank to some, and itself to others.
  return [token, token.replaceAll("+", "%2B")].some((text) => {
    const bytes = textBytes(text);
    const end = decodeUrl(bytes, 0, bytes.length);
    return end === key.length && key.every((byte, i) => byte === bytes[i]);
  });
}
