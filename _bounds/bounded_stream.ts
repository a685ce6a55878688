/** A body handed over as a stream, each read of it bounded in time. */
import type { Limits } from "./limits.ts";

/**
 * The same bytes. A read that waits longer than the timeout of `limits` aborts the request and errors the stream; how
 * long the reader itself takes between two reads does not matter. `limits` are released when the body was read to its
 * end, was cancelled or broke.
 *
 * @param body What was answered. The timer of `limits` is to be stopped by now.
 * @param limits What bounds the request.
 * @param presentable Makes what the reader is to see of what was thrown; not of an abort, whose reason is seen as it is.
 */
export function boundedStream(
  body: ReadableStream<Uint8Array>,
  limits: Limits,
  presentable: (thrown: unknown) => unknown,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      limits.startTimer();
      try {
        const { done, value } = await limits.orAborted(reader.read());
        limits.stopTimer();
        if (!done) return controller.enqueue(value);
        limits.release();
        controller.close();
      } catch (thrown) {
        limits.release();
        // Frees the connection also where the client does not heed the signal. It failed already, for a reason that is thrown.
        reader.cancel(thrown).catch(() => {});
        throw limits.signal.aborted ? limits.signal.reason : presentable(thrown);
      }
    },
    cancel(reason) {
      limits.release();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
