/** The content of a file as a stream. */
import type { FileHandle } from "node:fs/promises";

/** Bytes read from a file at once. */
const CHUNK = 64 * 1024;

export interface ContentOptions {
  readonly signal: AbortSignal | undefined;
  /** Called when the file was read to its end. What it throws fails the stream. */
  checkEnd(): Promise<void>;
  /** Turns what was thrown into the error of the stream. */
  failed(thrown: unknown): unknown;
}

/** Streams a file, and closes it when the stream ends, fails, is cancelled or is aborted. */
export function streamOf(
  file: FileHandle,
  { signal, checkEnd, failed }: ContentOptions,
): ReadableStream<Uint8Array> {
  let closed: Promise<void> | undefined;
  let onAbort = () => {};
  const close = () => {
    signal?.removeEventListener("abort", onAbort);
    return closed ??= file.close();
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      onAbort = () => {
        controller.error(signal?.reason);
        close().catch(() => {}); // The reader gets the reason of the abort.
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted) onAbort();
    },
    async pull(controller) {
      try {
        const { bytesRead, buffer } = await file.read(new Uint8Array(CHUNK), 0, CHUNK);
        if (signal?.aborted) return;
        if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
        await checkEnd();
        await close();
        controller.close();
      } catch (thrown) {
        await close().catch(() => {}); // The first error is the one to report.
        if (signal?.aborted) return;
        throw failed(thrown);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
