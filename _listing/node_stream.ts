/** Reads the streams of clients that were written for Node, without importing anything from Node. */
import { Gatherer } from "../_bytes/gather.ts";

/** What is needed of a Node stream that is read. */
export interface NodeReadable {
  on(event: string, listener: (...values: never[]) => void): unknown;
  pause(): unknown;
  resume(): unknown;
  abort?(): unknown;
  destroy?(error?: Error): unknown;
}

export function isNodeReadable(value: unknown): value is NodeReadable {
  const stream = value as Partial<NodeReadable> | null | undefined;
  return typeof stream?.on === "function" && typeof stream.pause === "function" &&
    typeof stream.resume === "function";
}

/**
 * Reads a stream to its end.
 *
 * @param maxBytes The most bytes that are accepted. A longer stream is dropped.
 * @param room An array to write to; see `Gatherer`.
 * @returns The bytes, or undefined if there are more than `maxBytes`.
 */
export function readNodeStream(
  stream: NodeReadable,
  maxBytes: number,
  room?: Uint8Array,
): Promise<Gatherer | undefined> {
  return new Promise((resolve, reject) => {
    const gathered = new Gatherer(maxBytes, room);
    let over = false;
    stream.on("data", (chunk: unknown) => {
      if (over) return;
      try {
        if (gathered.add(toBytes(chunk))) return;
        resolve(undefined);
      } catch (thrown) {
        reject(thrown); // An error thrown here would end the process.
      }
      over = true;
      dropNodeStream(stream);
    });
    stream.on("end", () => {
      over = true;
      resolve(gathered);
    });
    stream.on("error", (error: unknown) => reject(error));
    // A stream that is destroyed without an error emits neither `end` nor `error`. After the end this changes
    // nothing.
    stream.on("close", () => over || reject(closedEarly()));
  });
}

/** Closes a stream that nobody reads any more. */
export function dropNodeStream(stream: NodeReadable): void {
  stream.on("error", () => {}); // On purpose: without a listener the process would end.
  // Streams that wrap a request free its connection by `abort`; `destroy` ends only the stream itself.
  stream.abort?.();
  stream.destroy?.();
}

/** An error with the code of a connection that was reset, which clients and `isNetworkFailure` recognize. */
export function closedEarly(what = "the connection was closed early"): Error {
  return Object.assign(new Error(what), { code: "ECONNRESET" });
}

const encoder = new TextEncoder();

/** The bytes of a chunk of a stream. */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (!(chunk instanceof Uint8Array)) throw new TypeError("a chunk that is not bytes");
  // A plain array, as a Buffer has another `slice` and `toString`.
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
