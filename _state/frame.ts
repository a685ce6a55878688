/**
 * What stores put before a state, so that it can be told whose it is: one line of text, `koprs-checkpoint`, a blank, and JSON.
 *
 * A state without that line was saved by release 0.1.
 */
import { readText, textBytes } from "../_bytes/bytes.ts";

const MAGIC = textBytes("koprs-checkpoint ");
/** The byte behind the line. It has no other one of them. */
export const END_OF_HEAD = 10;
/** The longest line: what is longer is none. */
const MAX_HEAD = 1024 * 1024;

/** The line. */
export interface Head {
  /** The name of the source. */
  readonly key: string;
  /** Who wrote it, and which of its writes it is, where others may write, too. */
  readonly mark?: string;
  /** True: there is no state, as the key was claimed before the first save, or deleted. */
  readonly empty?: true;
}

/** What was found. */
export interface Unframed {
  /** Missing where there is no such line: then all is the state. */
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
 * Takes the line off a state, or off the first bytes of one.
 *
 * @param key Whose state it must be, if that is known: a line that says otherwise is damaged, so it is left for the source to
 * refuse.
 */
export function unframe(bytes: Uint8Array, key?: string): Unframed {
  const end = endOf(bytes);
  const head = end === undefined ? undefined : headOf(readText(bytes, MAGIC.length, end));
  return end === undefined || head === undefined || head.key !== (key ?? head.key)
    ? { state: bytes }
    : { head, state: bytes.subarray(end + 1) };
}

/** Whether bytes that hold no end of a line may be the beginning of one. */
export function mayBeHead(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, MAGIC.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== MAGIC[i]) return false;
  return bytes.length < MAX_HEAD;
}

function endOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) return undefined;
  const end = bytes.subarray(0, MAX_HEAD).indexOf(END_OF_HEAD);
  return end === -1 ? undefined : end;
}

function headOf(text: string): Head | undefined {
  let head: Partial<Record<keyof Head, unknown>> | null;
  try {
    head = JSON.parse(text);
  } catch {
    return undefined; // Damaged: the source says so of what it is given.
  }
  const { key, mark, empty } = head ?? {};
  if (typeof key !== "string") return undefined;
  return {
    key,
    ...(typeof mark === "string" && { mark }),
    ...(empty === true && { empty }),
  };
}
