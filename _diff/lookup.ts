/** Finding many keys in one snapshot. */
import { compareBytes, copyBytes, withRoom } from "../_bytes/bytes.ts";
import { Cursor } from "./cursor.ts";
import type { Snapshot } from "./snapshot.ts";

/** Finds keys in a snapshot. Keys that are asked for in order cost one pass through it. */
export class Lookup {
  readonly #snapshot: Snapshot;
  #cursor: Cursor | undefined;
  /** The key asked for last. */
  #asked: Uint8Array = new Uint8Array(256);
  #askedLength = 0;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
  }

  /** The entry of a key, as a cursor that is valid until the next call; undefined if there is none. */
  find(key: Uint8Array, start: number, end: number): Cursor | undefined {
    const isBehind = compareBytes(this.#asked, 0, this.#askedLength, key, start, end) <= 0;
    // A cursor moves only forward.
    const cursor = this.#cursor = isBehind && this.#cursor || new Cursor(this.#snapshot.chunks);
    cursor.seek(key, start, end);
    this.#askedLength = end - start;
    this.#asked = withRoom(this.#asked, 0, this.#askedLength);
    copyBytes(key, start, end, this.#asked, 0);
    return !cursor.done && cursor.compare(key, start, end) === 0 ? cursor : undefined;
  }
}
