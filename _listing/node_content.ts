/** The content of an object as a web stream, out of a Node stream that a client gave. */
import { startTimer } from "../_bounds/timer.ts";
import { closedEarly, type NodeReadable, toBytes } from "./node_stream.ts";

/** What bounds a content, and what its reader sees of a failure. */
export interface ContentBounds {
  /** Ends the content with its reason. Not aborted yet. */
  readonly signal: AbortSignal;
  /** Milliseconds to wait for the next bytes, once they are asked for. */
  readonly idle: number;
  /** The error for bytes that do not come in that time. */
  readonly timedOut: () => Error;
  /** What the reader is to see of a failure. */
  readonly presentable: (thrown: unknown) => unknown;
  /** How many bytes there must be, where that is known: not every runtime reports a body that is cut short. */
  readonly length?: number | undefined;
  /** Frees the connection of a content that is given up. */
  readonly drop: () => void;
  /** Called once, when the content was read, given up or broken. */
  readonly done: () => void;
}

/** The bytes of `stream` as a web stream that reads only when it is read. */
export function toWebStream(
  stream: NodeReadable,
  bounds: ContentBounds,
): ReadableStream<Uint8Array> {
  return new ReadableStream(new Content(stream, bounds), { highWaterMark: 0 });
}

// By the events of the stream and not as an async iterator: that of a `duplexify` never ends on some runtimes.
class Content implements UnderlyingDefaultSource<Uint8Array> {
  readonly #stream: NodeReadable;
  readonly #bounds: ContentBounds;
  #read = 0;
  #over = false;
  /** Ends the wait of a reader. */
  #wake: (() => void) | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(stream: NodeReadable, bounds: ContentBounds) {
    this.#stream = stream;
    this.#bounds = bounds;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const { signal, presentable, length } = this.#bounds;
    const stream = this.#stream;
    const broken = (thrown: unknown) => {
      if (!this.#over) this.#fail(controller, presentable(thrown));
    };
    signal.addEventListener("abort", () => this.#fail(controller, signal.reason), { once: true });
    stream.pause();
    stream.on("data", (chunk: unknown) => {
      if (this.#over) return;
      try {
        this.#take(controller, toBytes(chunk));
      } catch (thrown) {
        broken(thrown); // Thrown from here it would end the process.
      }
    });
    stream.on("end", () => {
      if (this.#over) return;
      if (length !== undefined && this.#read !== length) {
        return broken(
          closedEarly(`the connection was closed after ${this.#read} of ${length} bytes`),
        );
      }
      this.#end();
      controller.close();
    });
    stream.on("error", broken);
    stream.on("close", () => broken(closedEarly()));
  }

  pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> | undefined {
    if (this.#over) return undefined;
    const { idle, timedOut } = this.#bounds;
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#stopTimer = startTimer(idle, () => this.#fail(controller, timedOut()));
      this.#stream.resume();
    });
  }

  cancel(): void {
    this.#end();
    this.#bounds.drop();
  }

  #take(controller: ReadableStreamDefaultController<Uint8Array>, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#read += bytes.length;
    this.#stream.pause();
    controller.enqueue(bytes);
    this.#endWait();
  }

  #fail(controller: ReadableStreamDefaultController<Uint8Array>, reason: unknown): void {
    if (this.#over) return;
    this.#end();
    controller.error(reason);
    this.#bounds.drop();
  }

  #end(): void {
    this.#over = true;
    this.#endWait();
    this.#bounds.done();
  }

  #endWait(): void {
    this.#stopTimer?.();
    this.#wake?.();
    this.#stopTimer = this.#wake = undefined;
  }
}
