/** The streams of clients that were written for Node, read without importing anything of Node. */
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
 * @param maxBytes The most bytes that are taken. A longer stream is given up.
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
        reject(thrown); // Thrown from here it would end the process.
      }
      over = true;
      dropNodeStream(stream);
    });
    stream.on("end", () => {
      over = true;
      resolve(gathered);
    });
    stream.on("error", (error: unknown) => reject(error));
    // A stream that is destroyed without an error neither ends nor fails. After the end this changes nothing.
    stream.on("close", () => over || reject(closedEarly()));
  });
}

/** Gives up a stream that nobody will read on. */
export function dropNodeStream(stream: NodeReadable): void {
  stream.on("error", () => {}); // On purpose: without a listener the process would end.
  // Streams around a request free its connection by `abort`; `destroy` alone ends only themselves.
  stream.abort?.();
  stream.destroy?.();
}

/** An error with the code of a connection that was reset, as which clients and `isNetworkFailure` know it. */
export function closedEarly(what = "the connection was closed early"): Error {
  return Object.assign(new Error(what), { code: "ECONNRESET" });
}

const encoder = new TextEncoder();

/** The bytes of a chunk of a stream. */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (!(chunk instanceof Uint8Array)) throw new TypeError("a chunk that is not bytes");
  // A plain array, as a Buffer would surprise with its own `slice` and `toString`.
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
