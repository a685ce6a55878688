/** What a poller of one URL remembers between polls, and how it is saved. The content is saved only on request. */
import { fromBase64, toBase64 } from "../_bytes/base64.ts";
import { redactUrl } from "../_errors/redact.ts";
import { damaged, seal, unseal } from "../_state/sealed_state.ts";
import { isSha256 } from "../_bytes/sha256.ts";
import type { Fingerprint } from "./url_fingerprint.ts";
import { isEntityTag, isTime, type Validators } from "./validators.ts";

/** One version of the resource. If its URL held a secret, it has an empty URL and no validators after a restore. */
export interface Seen extends Validators {
  /** SHA-256 of the body, or of what `version` made of it, as base64. */
  readonly digest: string;
}

/** The last good answer, if the body is remembered as well. */
export interface Kept {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Uint8Array;
}

export interface HttpState {
  /** What was reported last. */
  readonly seen: Seen | undefined;
  /** The version that an unfinished delivery may have reported, or not: the next poll reports again. */
  readonly doubt: Seen | undefined;
  /** The fingerprint of the polled URL, if a part of it is masked in the identity. */
  readonly fingerprint: Fingerprint | undefined;
  /** The answer that `seen` was made from. */
  readonly kept: Kept | undefined;
}

/** The state as bytes. */
export function saveState(identity: string, state: HttpState): Uint8Array {
  const { seen, doubt, fingerprint, kept } = state;
  const fields = {
    seen: withoutSecretUrl(seen),
    doubt: withoutSecretUrl(doubt),
    fingerprint,
    kept: kept && { ...kept, body: toBase64(kept.body) },
  };
  return seal(identity, [new TextEncoder().encode(JSON.stringify(fields))]);
}

/** @throws {ExternalError} With code `checkpoint` if {@linkcode saveState} did not make the bytes for this identity. */
export function restoreState(bytes: Uint8Array, identity: string): HttpState {
  const state = parse(unseal(bytes, identity), identity);
  const read = (field: "seen" | "doubt") => {
    const value = state[field];
    if (value === undefined || isSeen(value)) return value;
    throw damaged(identity, `its '${field}' is not what is kept of a resource`);
  };
  const { fingerprint } = state;
  if (fingerprint !== undefined && !isFingerprint(fingerprint)) {
    throw damaged(identity, "its 'fingerprint' is invalid");
  }
  return { seen: read("seen"), doubt: read("doubt"), fingerprint, kept: keptIn(state, identity) };
}

function keptIn({ kept, seen }: Record<string, unknown>, identity: string): Kept | undefined {
  if (kept === undefined) return undefined;
  if (isRecord(kept) && seen !== undefined) {
    const { status, contentType, body } = kept;
    const bytes = typeof body === "string" ? fromBase64(body) : undefined;
    if (
      (status === 200 || status === 203 || status === 204) && bytes !== undefined &&
      (contentType === undefined || typeof contentType === "string")
    ) return { status, contentType, body: bytes };
  }
  throw damaged(identity, "its 'kept' is not a valid answer");
}

function parse(bytes: Uint8Array, identity: string): Record<string, unknown> {
  let state: unknown;
  try {
    state = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged(identity, "it is not JSON");
  }
  if (!isRecord(state)) throw damaged(identity, "it is not an object");
  return state;
}

function isSeen(value: unknown): value is Seen {
  if (!isRecord(value)) return false;
  const { url, digest, settled, etag, lastModified } = value;
  return typeof url === "string" && (url === "" || isHttpUrl(url)) &&
    isSha256(digest) && typeof settled === "boolean" &&
    (etag === undefined || typeof etag === "string" && isEntityTag(etag)) &&
    (lastModified === undefined || typeof lastModified === "string" && isTime(lastModified));
}

function isFingerprint(value: unknown): value is Fingerprint {
  return isRecord(value) && typeof value["salt"] === "string" && isSha256(value["digest"]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

/**
 * The part that is saved. If the URL holds a secret, it is left out, and so are its validators, which hold for no
 * other URL.
 */
function withoutSecretUrl(known: Seen | undefined): Seen | undefined {
  if (known === undefined) return undefined;
  const { url, digest, settled, etag, lastModified } = known;
  if (url !== "" && redactUrl(new URL(url)) !== url) return { url: "", digest, settled };
  return { url, digest, settled, ...(etag && { etag }), ...(lastModified && { lastModified }) };
}
