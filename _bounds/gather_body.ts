/** Reads a whole body, with limits on its time, its bytes and the memory that its chunks take. */
import type { Gatherer } from "../_bytes/gather.ts";
import type { Limits } from "./limits.ts";

/** After so many bytes in buffers that are much larger than their chunks, the rest is read into one buffer. */
const MOST_WASTE = 4 * 1024 * 1024;
const ROOM = 64 * 1024;

/** Gives the next bytes, which are valid until the next call; undefined after the last. */
type Read = () => Promise<Uint8Array | undefined>;

/**
 * Adds a body to `gathered`. On Deno each chunk, even one of a single byte, has a buffer of 64 KiB, and such
 * buffers may come faster than they are garbage-collected: after a number of them the rest is read into one buffer.
 *
 * @returns False if the body is longer than `gathered` accepts; it is cancelled then.
 */
export async function gatherBody(
  body: ReadableStream<Uint8Array>,
  gathered: Gatherer,
  limits: Limits,
): Promise<boolean> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader = body.getReader();
  let read = readChunks(reader);
  let waste = 0;
  let ended = false;
  try {
    for (;;) {
      const bytes = await limits.orAborted(read());
      if (bytes === undefined) return ended = true;
      if (!gathered.add(bytes)) return false;
      if (waste > MOST_WASTE) continue;
      if (bytes.buffer.byteLength >= 8 * bytes.length) waste += bytes.buffer.byteLength;
      if (waste <= MOST_WASTE) continue;
      reader.releaseLock();
      ({ reader, read } = reuse(body));
    }
  } finally {
    // It failed, or nobody will read the rest.
    if (!ended) reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

function readChunks(reader: ReadableStreamDefaultReader<Uint8Array>): Read {
  return async () => (await reader.read()).value;
}

/** Reads into the same buffer again and again, where the runtime can. */
function reuse(body: ReadableStream<Uint8Array>) {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    // Not a byte stream, as on Bun, where the buffer of a chunk is as large as the chunk.
    const reader = body.getReader();
    return { reader, read: readChunks(reader) };
  }
  let room: ArrayBufferLike = new ArrayBuffer(ROOM);
  const read = async () => {
    const { done, value } = await reader.read(new Uint8Array(room));
    if (done) return undefined;
    room = value.buffer;
    return value;
  };
  return { reader, read };
}
