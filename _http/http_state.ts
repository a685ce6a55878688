/** What a poller of one URL remembers between polls, and how it is saved. Never the content. */
import { redactUrl } from "../_errors/redact.ts";
import { damaged, seal, unseal } from "../_state/seal.ts";
import { type Fingerprint, isSha256 } from "./fingerprint.ts";
import { isEntityTag, isTime, type Validators } from "./validators.ts";

/** One version of the resource. Restored, it has an empty URL and no validators if the URL holds a secret. */
export interface Seen extends Validators {
  /** SHA-256 of the body, as base64. */
  readonly digest: string;
}

export interface HttpState {
  /** What was reported last. */
  readonly seen: Seen | undefined;
  /** What an unfinished delivery may or may not have reported: the next poll reports once more. */
  readonly doubt: Seen | undefined;
  /** Of the polled URL, if a part of it is masked in the identity. */
  readonly fingerprint: Fingerprint | undefined;
}

/** The state as bytes. */
export function saveState(identity: string, { seen, doubt, fingerprint }: HttpState): Uint8Array {
  const state = { seen: withoutSecretUrl(seen), doubt: withoutSecretUrl(doubt), fingerprint };
  return seal(identity, [new TextEncoder().encode(JSON.stringify(state))]);
}

/** @throws {ExternalError} With code `checkpoint` if the bytes are not what {@linkcode saveState} gives for this identity. */
export function restoreState(bytes: Uint8Array, identity: string): HttpState {
  const state = parse(unseal(bytes, identity), identity);
  const read = (field: "seen" | "doubt") => {
    const value = state[field];
    if (value === undefined || isSeen(value)) return value;
    throw damaged(identity, `its '${field}' is not what is kept of a resource`);
  };
  const { fingerprint } = state;
  if (fingerprint !== undefined && !isFingerprint(fingerprint)) {
    throw damaged(identity, "its 'fingerprint' is none");
  }
  return { seen: read("seen"), doubt: read("doubt"), fingerprint };
}

function parse(bytes: Uint8Array, identity: string): Record<string, unknown> {
  let state: unknown;
  try {
    state = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw damaged(identity, "it is no JSON");
  }
  if (!isRecord(state)) throw damaged(identity, "it is no object");
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

/** Where the URL holds a secret, neither it nor its validators, which are good for no other, are kept. */
function withoutSecretUrl(known: Seen | undefined): Seen | undefined {
  if (!known?.url || redactUrl(new URL(known.url)) === known.url) return known;
  return { url: "", digest: known.digest, settled: known.settled };
}
