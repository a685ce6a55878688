/**
 * The envelope of saved state: it tells the format, what the state belongs to, and whether it is
 * complete.
 *
 * | offset | bytes | what                                        |
 * | ------ | ----- | ------------------------------------------- |
 * | 0      | 8     | `koprsext`                                  |
 * | 8      | 4     | version of the format                       |
 * | 12     | 8     | length of the whole, a float64              |
 * | 20     | 4     | length of the identity                      |
 * | 24     |       | identity, then the state                    |
 * | −16    | 16    | checksum of all before                      |
 *
 * Numbers are little-endian.
 *
 * @module
 */

import { readText, textBytes } from "../_bytes/exact_text.ts";
import { ExternalError } from "../_errors/external_error.ts";

const MAGIC = textBytes("koprsext");
// Version 1 did not pack the keys of a snapshot.
const VERSION = 2;
const HEAD = 24;
const CHECKSUM = 16;
/** The longest envelope, in bytes: Node cannot read a file of 2 GiB, and a store may add some bytes of its own. */
export const MAX_STATE_BYTES: number = 2 ** 31 - 2 ** 16;

/**
 * Puts parts of a state into one envelope.
 *
 * @param identity What is watched: a store and prefix, a URL. It is stored as it is, so it must
 * hold no secret.
 * @param parts The state.
 * @throws {ExternalError} with code `"checkpoint"` if it is longer than
 * {@linkcode MAX_STATE_BYTES}: it could be written, but not read again.
 */
export function seal(identity: string, parts: readonly Uint8Array[]): Uint8Array {
  const name = textBytes(identity);
  let length = HEAD + name.length + CHECKSUM;
  for (const part of parts) length += part.length;
  if (length > MAX_STATE_BYTES) throw tooLong(identity, length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, VERSION, true);
  view.setFloat64(12, length, true);
  view.setUint32(20, name.length, true);
  bytes.set(name, HEAD);
  let at = HEAD + name.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes.set(checksum(bytes, at), at);
  return bytes;
}

/** What was found in an envelope. */
export interface Opened {
  /** What the state belongs to. */
  readonly identity: string;
  /** The state, as a view of the same memory. */
  readonly state: Uint8Array;
}

/**
 * The state in an envelope, as a view of the same memory.
 *
 * @throws {ExternalError} with code `"checkpoint"` if it is not an envelope, has another version,
 * is cut short or damaged, or belongs to something else than `identity`; the message says which.
 */
export function unseal(bytes: Uint8Array, identity: string): Uint8Array {
  const opened = openSealed(bytes, identity);
  if (opened.identity !== identity) throw foreign(identity, opened.identity);
  return opened.state;
}

/**
 * Like `unseal`, for callers that compare the identity by rules of their own.
 *
 * @param identity The name of the state in errors.
 */
export function openSealed(bytes: Uint8Array, identity: string): Opened {
  for (let i = 0; i < MAGIC.length && i < bytes.length; i++) {
    if (bytes[i] !== MAGIC[i]) {
      throw refused(identity, "these bytes are not a checkpoint: pass what 'save' returned");
    }
  }
  if (bytes.length < HEAD + CHECKSUM) throw cut(identity, bytes.length, "at least 40");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // Checked first, as all that follows may be laid out differently in another version.
  const version = view.getUint32(8, true);
  if (version > VERSION) {
    throw refused(
      identity,
      `it has version ${version} and this release knows version ${VERSION}: ` +
        `use the release that wrote it or a newer one`,
    );
  }
  const length = view.getFloat64(12, true);
  if (length > bytes.length) throw cut(identity, bytes.length, String(length));
  const end = bytes.length - CHECKSUM;
  const sum = checksum(bytes, end);
  if (length !== bytes.length || sum.some((byte, i) => byte !== bytes[end + i])) {
    throw damaged(identity, "the checksum does not match");
  }
  // Checked after the checksum: damage may also make the version 0 or 1.
  if (version < VERSION) {
    throw refused(
      identity,
      `it has version ${version}, which this release can no longer read: use the release that wrote it, or ` +
        `delete it to start afresh, which reports everything as added and nothing as removed`,
    );
  }
  const start = HEAD + view.getUint32(20, true);
  if (start > end) throw damaged(identity, "its identity does not fit");
  return { identity: readText(bytes, HEAD, start), state: bytes.subarray(start, end) };
}

/** The error for a state that belongs to something else. */
export function foreign(identity: string, found: string): ExternalError {
  return refused(
    identity,
    `it belongs to '${found}': use another key or folder for it, or delete it to start afresh`,
  );
}

/** The error for a state that was damaged since it was written. */
export function damaged(identity: string, how: string): ExternalError {
  return refused(
    identity,
    `it is damaged, ${how}: put back a copy, or delete it to start afresh, ` +
      `which reports everything as added and nothing as removed`,
  );
}

function cut(identity: string, length: number, expected: string): ExternalError {
  return refused(
    identity,
    `it is cut short, ${length} of ${expected} bytes: put back a copy, or delete it to start ` +
      `afresh, which reports everything as added and nothing as removed`,
  );
}

function tooLong(identity: string, length: number): ExternalError {
  return new ExternalError(
    "checkpoint",
    `Cannot save the state of '${identity}' as it has ${length} bytes, and more than ` +
      `${MAX_STATE_BYTES} could not be read again: share it among several sources, such as one a prefix`,
  );
}

function refused(identity: string, why: string): ExternalError {
  return new ExternalError("checkpoint", `Cannot restore the state of '${identity}' as ${why}`);
}

/**
 * 128 bits over the first `length` bytes: four lanes of 32 bits, each taking every fourth word.
 *
 * A step of a lane is a bijection both of the lane and of the word, so a change within one word always changes
 * the result; a change that touches all lanes, such as a torn or zeroed block, goes undetected once in 2¹²⁸.
 * A CRC-32 has 32 bits, and 64-bit hashes need BigInt for their arithmetic.
 * It guards against accidents, not against someone who forges a checkpoint.
 */
export function checksum(bytes: Uint8Array, length: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let a = 0x243f6a88, b = 0x85a308d3 | 0, c = 0x13198a2e, d = 0x03707344;
  const whole = length - length % 16;
  for (let i = 0; i < whole; i += 16) {
    a = step(a, view.getInt32(i, true));
    b = step(b, view.getInt32(i + 4, true));
    c = step(c, view.getInt32(i + 8, true));
    d = step(d, view.getInt32(i + 12, true));
  }
  // The length is in the envelope, so padding with zeros is unambiguous.
  const rest = new DataView(new ArrayBuffer(16));
  for (let i = whole; i < length; i++) rest.setUint8(i - whole, bytes[i] as number);
  const sum = new DataView(new ArrayBuffer(16));
  sum.setInt32(0, step(a, rest.getInt32(0, true)), true);
  sum.setInt32(4, step(b, rest.getInt32(4, true)), true);
  sum.setInt32(8, step(c, rest.getInt32(8, true)), true);
  sum.setInt32(12, step(d, rest.getInt32(12, true)), true);
  return new Uint8Array(sum.buffer);
}

function step(lane: number, word: number): number {
  const mixed = (lane + Math.imul(word, 0x85ebca77)) | 0;
  return Math.imul(mixed << 13 | mixed >>> 19, 0x9e3779b1);
}
