/** Tells URLs apart whose secret parts are masked, without keeping those parts. */
import { toBase64 } from "../_bytes/base64.ts";
import { sha256 } from "../_bytes/sha256.ts";

/** Stands for a URL in saved state: a salted digest of it. */
export interface Fingerprint {
  /** 16 random bytes, as base64. */
  readonly salt: string;
  /** SHA-256 of the salt and the URL, as base64. */
  readonly digest: string;
}

/** The fingerprint of a URL. Fingerprints with the same salt are equal if their URLs are. */
export async function fingerprintOf(url: URL, salt: string = makeSalt()): Promise<Fingerprint> {
  return { salt, digest: await sha256(new TextEncoder().encode(`${salt} ${url.href}`)) };
}

function makeSalt(): string {
  return toBase64(crypto.getRandomValues(new Uint8Array(16)));
}
