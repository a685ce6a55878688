/** Places in a listing of S3: the keys and tokens after which a page begins. */
import { compareBytes } from "../_bytes/bytes.ts";
import { readText, textBytes } from "../_bytes/exact_text.ts";
import type { S3ListInput } from "./s3_client.ts";
import { decodeUrl } from "./url_encoding.ts";

/** Where a page begins. */
export type Place = Pick<S3ListInput, "StartAfter" | "ContinuationToken">;

/** The place after a page, by its token and its last key. */
export function placeBehind(token: string, lastKey: Uint8Array | undefined): Place {
  const key = lastKey === undefined ? undefined : textOf(lastKey);
  return key?.isWellFormed() && isTokenOfKey(token, key)
    ? { StartAfter: key }
    : { ContinuationToken: token };
}

/** The last character before the halves of surrogate pairs. */
const BEFORE_SURROGATES = "\ud7ff";
const LONE_SURROGATE = /\p{Cs}/u;

/**
 * The key itself, or one before it that a request can name. A key, or a cut between keys, may have half of a
 * surrogate pair, which no request can name. Hardly any key lies between the two.
 */
export function askableKey(key: string): string {
  const at = key.search(LONE_SURROGATE);
  return at < 0 ? key : key.slice(0, at) + BEFORE_SURROGATES;
}

/**
 * Whether a page token is only the URL encoding of the last key of the page. Some servers encode their tokens along
 * with the keys, and do not decode the tokens of requests: then keys are left out, or come again. The place after
 * that key is the same.
 */
function isTokenOfKey(token: string, lastKey: string): boolean {
  if (token === lastKey || !/[%+]/.test(token)) return false;
  const key = textBytes(lastKey);
  // Some servers read a plus as a blank, others as a plus.
  return [token, token.replaceAll("+", "%2B")].some((text) => {
    const bytes = textBytes(text);
    const end = decodeUrl(bytes, 0, bytes.length);
    return end === key.length && key.every((byte, i) => byte === bytes[i]);
  });
}

export function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}

export function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && compare(a, b) === 0;
}

export function textOf(key: Uint8Array | undefined): string {
  return key === undefined ? "" : readText(key, 0, key.length);
}
