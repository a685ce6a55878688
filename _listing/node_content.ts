/** The content of an object as a web stream, from the Node stream of a client. */
import { closedEarly, type NodeReadable, toBytes } from "./node_stream.ts";

/**
 * The bytes of a stream, which is read only on demand. There is no timeout: see `boundedStream`.
 *
 * @param drop Frees the connection of a content that is not read to its end.
 * @param length How many bytes there must be, where that is known: not every runtime reports a body that is cut short.
 */
export function toWebStream(
  stream: NodeReadable,
  drop: () => void,
  length?: number,
): ReadableStream<Uint8Array> {
  // By the events of the stream and not its async iterator: that of a `duplexify` never ends on some runtimes.
  let read = 0;
  let over = false;
  let wake: (() => void) | undefined;
  return new ReadableStream({
    start(controller) {
      const fail = (thrown: unknown): void => {
        if (over) return;
        over = true;
        controller.error(thrown);
        drop();
      };
      stream.pause();
      stream.on("data", (chunk: unknown) => {
        if (over) return;
        try {
          const bytes = toBytes(chunk);
          if (bytes.length === 0) return;
          read += bytes.length;
          stream.pause();
          controller.enqueue(bytes);
          wake?.();
        } catch (thrown) {
          fail(thrown); // An error thrown here would end the process.
        }
      });
      stream.on("end", () => {
        if (over) return;
        if (length !== undefined && read !== length) {
          return fail(closedEarly(`the connection was closed after ${read} of ${length} bytes`));
        }
        over = true;
        controller.close();
        wake?.();
      });
      stream.on("error", fail);
      stream.on("close", () => fail(closedEarly()));
    },
    pull() {
      return new Promise((resolve) => {
        wake = resolve;
        stream.resume();
      });
    },
    cancel() {
      over = true;
      drop();
    },
  }, { highWaterMark: 0 });
}
