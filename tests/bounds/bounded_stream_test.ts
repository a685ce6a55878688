// A body as a stream in which every read has a timeout.
import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { boundedStream } from "../../_bounds/bounded_stream.ts";
import { Limits } from "../../_bounds/limits.ts";
import { countListeners } from "./_listeners.ts";

const chunk = (n: number) => Uint8Array.of(n);

/** A body that the test feeds by hand, and the stream that is made of it. */
function fed(t: TestContext) {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const outer = new AbortController();
  const listeners = countListeners(outer.signal);
  const limits = new Limits(outer.signal, 100, () => new Error("timed out"));
  limits.stopTimer();
  const waits = Promise.withResolvers<void>();
  limits.startTimer = () => {
    Limits.prototype.startTimer.call(limits);
    waits.resolve();
  };
  let body!: ReadableStreamDefaultController<Uint8Array>;
  const cancelled: unknown[] = [];
  const source = new ReadableStream<Uint8Array>({
    start: (controller) => void (body = controller),
    cancel: (reason) => void cancelled.push(reason),
  });
  const presentable = (thrown: unknown) => new Error(`shown: ${thrown}`);
  const reader = boundedStream(source, limits, presentable).getReader();
  return { body, cancelled, reader, limits, listeners, outer, waits: waits.promise };
}

test("it gives the bytes, and waits for nothing before it is read", async (t) => {
  const { body, reader, limits, listeners } = fed(t);
  body.enqueue(chunk(1));
  mock.timers.tick(1_000);
  assert.deepEqual((await reader.read()).value, chunk(1));
  mock.timers.tick(1_000); // The consumer takes its time.
  body.enqueue(chunk(2));
  assert.deepEqual((await reader.read()).value, chunk(2));
  body.close();
  assert.equal((await reader.read()).done, true);
  assert.equal(listeners(), 0, "the limits are released");
  mock.timers.tick(1_000);
  assert.ok(!limits.signal.aborted);
});

test("a read that waits too long fails, and the body is let go", async (t) => {
  const { cancelled, reader, limits, listeners, waits } = fed(t);
  const reading = reader.read();
  await waits;
  mock.timers.tick(100);
  await assert.rejects(reading, /^Error: timed out$/);
  assert.ok(limits.signal.aborted);
  assert.match(String(cancelled), /timed out/);
  assert.equal(listeners(), 0);
});

test("an abort fails it with its own reason", async (t) => {
  const { cancelled, reader, outer, waits } = fed(t);
  const reading = reader.read();
  await waits;
  outer.abort(new Error("stop"));
  await assert.rejects(reading, /^Error: stop$/);
  assert.equal(cancelled.length, 1);
});

test("a body that breaks fails it with the error that may be shown", async (t) => {
  const { body, reader, listeners, limits } = fed(t);
  body.error(new Error("broken"));
  await assert.rejects(reader.read(), /^Error: shown: Error: broken$/);
  assert.equal(listeners(), 0);
  mock.timers.tick(1_000);
  assert.ok(!limits.signal.aborted, "no timer goes on");
});

test("a stream that is cancelled cancels the body, and releases the limits", async (t) => {
  const { cancelled, reader, listeners } = fed(t);
  await reader.cancel("enough");
  assert.deepEqual(cancelled, ["enough"]);
  assert.equal(listeners(), 0);
});
