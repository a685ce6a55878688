/**
 * The line that stores put before a state to tell whose it is: `koprs-checkpoint`, a space, and
 * JSON.
 *
 * A state without that line was saved by release 0.1.
 */
import { readText, textBytes } from "../_bytes/exact_text.ts";

const MAGIC = textBytes("koprs-checkpoint ");
/** The newline that ends the line. The line contains no other. */
export const END_OF_HEAD = 10;
/** The longest such line, in bytes. A longer one is not taken for such a line. */
const MAX_HEAD = 1024 * 1024;

/** What the line says. */
export interface Head {
  /** The name of the source. */
  readonly key: string;
  /** The writer and the number of its write, in stores that several processes may write. */
  readonly mark?: string;
  /** True: there is no state, as the key was claimed before the first save, or deleted. */
  readonly empty?: true;
}

/** A state, taken apart. */
export interface Unframed {
  /** Missing if there is no such line: then all bytes are the state. */
  readonly head?: Head;
  /** A view of the same memory. */
  readonly state: Uint8Array;
}

/** The line, as bytes. */
export function frame(head: Head): Uint8Array {
  const { key, mark, empty } = head; // JSON leaves out what is undefined.
  const line = textBytes(`${JSON.stringify({ key, mark, empty })}\n`);
  return join(MAGIC, line);
}

export function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}

/**
 * Separates the line from a state, or from the first bytes of one.
 *
 * @param key Whose state it must be, if that is known. A line with another key is damaged: it is
 * left in the state, for the source to refuse.
 */
export function unframe(bytes: Uint8Array, key?: string): Unframed {
  const end = endOf(bytes);
  const head = end === undefined ? undefined : headOf(readText(bytes, MAGIC.length, end));
  return end === undefined || head === undefined || head.key !== (key ?? head.key)
    ? { state: bytes }
    : { head, state: bytes.subarray(end + 1) };
}

/** Whether bytes without a newline may be the beginning of such a line. */
export function mayBeHead(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, MAGIC.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== MAGIC[i]) return false;
  return bytes.length < MAX_HEAD;
}

function endOf(bytes: Uint8Array): number | undefined {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const end = bytes.subarray(0, MAX_HEAD).indexOf(END_OF_HEAD);
  return end === -1 ? undefined : end;
}

function headOf(text: string): Head | undefined {
  let head: Partial<Record<keyof Head, unknown>> | null;
  try {
    head = JSON.parse(text);
  } catch {
    return undefined; // Damaged: the source will refuse it.
  }
  const { key, mark, empty } = head ?? {};
  if (typeof key !== "string") return undefined;
  return {
    key,
    ...(typeof mark === "string" && { mark }),
    ...(empty === true && { empty }),
  };
}
