/** The content of a file as a stream. */
import type { FileHandle } from "node:fs/promises";

/** Bytes read from a file at once. */
const CHUNK = 64 * 1024;

export interface ContentOptions {
  readonly signal: AbortSignal | undefined;
  /** Called when the file was read to its end. What it throws fails the stream. */
  checkEnd(): Promise<void>;
  /** From what was thrown to the error of the stream. */
  failed(thrown: unknown): unknown;
}

/** Streams a file. It is closed when it was read to its end, cancelled or aborted, or cannot be read. */
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
        close().catch(() => {}); // The reader is told of the abort.
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
        await close().catch(() => {}); // It failed already.
        if (signal?.aborted) return;
        throw failed(thrown);
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
}
