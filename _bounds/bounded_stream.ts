/** A body as a stream in which every read has a timeout. */
import type { Limits } from "./limits.ts";

/**
 * Gives the same bytes as `body`. A read that waits longer than the timeout of `limits` aborts the request and
 * errors the stream; the time that the consumer takes between two reads does not matter. `limits` are released when
 * the body was read to its end, was cancelled or failed.
 *
 * @param body The body of the answer. The timer of `limits` must have been stopped before.
 * @param limits The limits of the request.
 * @param presentable Turns a thrown error into the one that the consumer sees. Not called after an abort, whose
 * reason is thrown as it is.
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
        // Frees the connection even if the client ignores the signal. Errors of `cancel` do not matter: the reason
        // is thrown below.
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
