/** Reading a whole body, bounded in time, in bytes, and in the memory that its chunks take. */
import type { Gatherer } from "../_bytes/gather.ts";
import type { Limits } from "./limits.ts";

/** Bytes of buffers that came with chunks much smaller than they are. */
const MOST_WASTE = 4 * 1024 * 1024;
const ROOM = 64 * 1024;

/** Gives the next bytes, good until it is called again; undefined behind the last. */
type Read = () => Promise<Uint8Array | undefined>;

/**
 * Adds a body to what is gathered. On Deno each chunk, be it one byte, comes on a buffer of 64 KiB, and many of them come
 * faster than they are collected: after a number of such chunks the rest is read into one buffer.
 *
 * @returns False if it is longer than what `gathered` takes: then it is cancelled.
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

/** Reads into one buffer, again and again, where the runtime can. */
function reuse(body: ReadableStream<Uint8Array>) {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = body.getReader({ mode: "byob" });
  } catch {
    // Not a stream of bytes: on Bun, whose chunks are of their own size.
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
