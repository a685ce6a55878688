/** Digests of content. */
import { toBase64 } from "./base64.ts";

/** SHA-256 as base64. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return toBase64(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
}

/** Whether this is what {@linkcode sha256} gives. */
export function isSha256(text: unknown): text is string {
  return typeof text === "string" && /^[A-Za-z0-9+/]{43}=$/.test(text);
}
