/** Gathers the chunks of a body into one array. */
import { withRoom } from "./bytes.ts";

const FIRST_ROOM = 16 * 1024;

/**
 * Gathers chunks by copying them. Never keeps a chunk: on Deno each is a small view on a buffer of 64 KiB, so that a
 * body of 20,000 chunks of one byte, kept as they are, would take 1 GB.
 *
 * @example
 * ```ts ignore
 * const gathered = new Gatherer(maxBytes);
 * for await (const chunk of body) if (!gathered.add(chunk)) throw tooLarge();
 * return gathered.take();
 * ```
 */
export class Gatherer {
  /** Bytes gathered so far. */
  length = 0;
  readonly #max: number;
  readonly #given: Uint8Array | undefined;
  #room: Uint8Array<ArrayBufferLike>;

  /**
   * @param max The most bytes that are accepted.
   * @param room An array to write to, such as the one of the previous answer; a larger one replaces it where
   * needed. Or the number of bytes to expect.
   */
  constructor(max: number, room: Uint8Array | number = FIRST_ROOM) {
    this.#max = max;
    this.#given = typeof room === "number" ? undefined : room;
    this.#room = typeof room === "number" ? new Uint8Array(room) : room;
  }

  /** Copies a chunk. Returns false if there would be more bytes than `max`: then stop reading. */
  add(chunk: Uint8Array): boolean {
    const length = this.length + chunk.length;
    if (length > this.#max) return false;
    this.#room = withRoom(this.#room, this.length, length);
    this.#room.set(chunk, this.length);
    this.length = length;
    return true;
  }

  /** The array that holds the bytes in its first `length` places; the rest of it is arbitrary. */
  get room(): Uint8Array {
    return this.#room;
  }

  /** The bytes, in an array of exactly their length. Add nothing afterwards. */
  take(): Uint8Array<ArrayBuffer> {
    const room = this.#room;
    return room.length === this.length && room !== this.#given && room.buffer instanceof ArrayBuffer
      ? room as Uint8Array<ArrayBuffer>
      : new Uint8Array(room.subarray(0, this.length));
  }
}
