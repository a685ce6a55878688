// A whole body is read, within limits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatherBody } from "../../_bounds/gather_body.ts";
import { Limits } from "../../_bounds/limits.ts";
import { Gatherer } from "../../_bytes/gather.ts";

const limits = new Limits(undefined, 60_000, () => new Error("timed out"));
limits.stopTimer();

/** A byte stream of chunks, each with so many bytes of memory; without an end, if it has none. */
function bodyOf(chunks: readonly number[], memory: number, ends = true) {
  const cancelled: unknown[] = [];
  let at = 0;
  const body = new ReadableStream({
    type: "bytes",
    pull(controller) {
      const length = chunks[at];
      if (length === undefined) {
        if (!ends) return new Promise<void>(() => {});
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      const bytes = new Uint8Array(new ArrayBuffer(Math.max(memory, length)), 0, length).fill(++at);
      controller.enqueue(bytes);
    },
    cancel: (reason) => void cancelled.push(reason),
  });
  return { body, cancelled };
}

/** What is gathered of such chunks. */
const wholeOf = (chunks: readonly number[]) =>
  chunks.flatMap((length, i) => Array.from({ length }, () => (i + 1) % 256));

test("all bytes are gathered, whatever memory their chunks take", async () => {
  for (const memory of [1, 64 * 1024]) {
    const chunks = Array.from({ length: 200 }, (_, i) => 1 + i % 3);
    const { body, cancelled } = bodyOf(chunks, memory);
    const gathered = new Gatherer(1_000);
    assert.ok(await gatherBody(body, gathered, limits));
    assert.deepEqual([...gathered.take()], wholeOf(chunks));
    assert.deepEqual(cancelled, []);
    assert.ok(!body.locked);
  }
});

test("behind many chunks with much memory the rest is read into one buffer", async () => {
  for (const [memory, least, most] of [[1, 1, 1], [64 * 1024, 2, 3]] as const) {
    const { body } = bodyOf(Array.from({ length: 200 }, () => 1), memory);
    let readers = 0;
    const { getReader } = body;
    body.getReader = ((options: { mode: "byob" }) => {
      readers++;
      return getReader.call(body, options);
    }) as typeof getReader;
    assert.ok(await gatherBody(body, new Gatherer(1_000), limits));
    // A reader that gives chunks, and one for the buffer, or two where the runtime has none.
    assert.ok(readers >= least && readers <= most, `${readers} readers`);
  }
});

test("a stream of chunks alone is gathered as well", async () => {
  const chunks = Array.from({ length: 200 }, () => 1);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      chunks.forEach((_, i) =>
        controller.enqueue(new Uint8Array(new ArrayBuffer(65_536), 0, 1).fill(i + 1))
      );
      controller.close();
    },
  });
  const gathered = new Gatherer(1_000);
  assert.ok(await gatherBody(body, gathered, limits));
  assert.deepEqual([...gathered.take()], wholeOf(chunks));
});

test("a body that is too long is cancelled", async () => {
  for (const chunks of [[2, 2], [...Array.from({ length: 100 }, () => 1), 200]]) {
    const { body, cancelled } = bodyOf(chunks, 64 * 1024, false);
    assert.ok(!await gatherBody(body, new Gatherer(chunks.length + 1), limits));
    assert.equal(cancelled.length, 1);
    assert.ok(!body.locked);
  }
});

test("a body that hangs is cancelled at the abort", async () => {
  const controller = new AbortController();
  const bounds = new Limits(controller.signal, 60_000, () => new Error("timed out"));
  const { body, cancelled } = bodyOf([1], 1, false);
  const gathering = gatherBody(body, new Gatherer(10), bounds);
  controller.abort(new Error("stop"));
  await assert.rejects(gathering, /stop/);
  bounds.release();
  assert.equal(cancelled.length, 1);
});
