/** The streams of clients that were written for Node, read without importing anything of Node. */

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

/** All bytes of a stream, in an array of their own. */
export function readNodeStream(stream: NodeReadable): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let ended = false;
    stream.on("data", (chunk: unknown) => {
      const bytes = toBytes(chunk);
      chunks.push(bytes);
      size += bytes.length;
    });
    stream.on("end", () => {
      ended = true;
      resolve(joinChunks(chunks, size));
    });
    stream.on("error", (error: unknown) => reject(error));
    // A stream that is destroyed without an error neither ends nor fails.
    stream.on("close", () => ended || reject(new Error("the connection was closed early")));
  });
}

/**
 * The same bytes as a web stream that reads only when it is read.
 *
 * @param done Called once, when the stream was read, cancelled or broken.
 * @param presentable What its reader is to see of a failure.
 * @param length How many bytes there must be, where that is known: not every runtime reports a body cut short.
 */
export function toWebStream(
  stream: NodeReadable,
  done: () => void,
  presentable: (thrown: unknown) => unknown,
  length?: number,
): ReadableStream<Uint8Array> {
  // By its events and not as an async iterator: that of a `duplexify` never ends on some runtimes.
  let read = 0;
  let over = false;
  let wake: (() => void) | undefined;
  const end = (): void => {
    over = true;
    done();
    wake?.();
  };
  return new ReadableStream({
    start(controller) {
      const fail = (thrown: unknown): void => {
        if (over) return;
        controller.error(presentable(thrown));
        end();
      };
      stream.pause();
      stream.on("data", (chunk: unknown) => {
        if (over) return;
        const bytes = toBytes(chunk);
        if (bytes.length === 0) return;
        read += bytes.length;
        stream.pause();
        controller.enqueue(bytes);
        wake?.();
      });
      stream.on("end", () => {
        if (over) return;
        if (length !== undefined && read !== length) {
          return fail(new Error(`a body of ${read} bytes where Content-Length says ${length}`));
        }
        controller.close();
        end();
      });
      stream.on("error", fail);
      stream.on("close", () => fail(new Error("the connection was closed early")));
    },
    pull() {
      if (over) return;
      return new Promise<void>((resolve) => {
        wake = resolve;
        stream.resume();
      });
    },
    cancel() {
      end();
      dropNodeStream(stream);
    },
  }, { highWaterMark: 0 });
}

/** Gives up a stream that nobody will read on. */
export function dropNodeStream(stream: NodeReadable): void {
  stream.on("error", () => {}); // On purpose: without a listener the process would end.
  // Streams around a request free its connection by `abort`; `destroy` alone ends only themselves.
  stream.abort?.();
  stream.destroy?.();
}

const encoder = new TextEncoder();

function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === "string") return encoder.encode(chunk);
  if (!(chunk instanceof Uint8Array)) throw new TypeError("a chunk that is not bytes");
  // A plain array, as a Buffer would surprise with its own `slice` and `toString`.
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}

function joinChunks(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
