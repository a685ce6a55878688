// The stream of a client for Node, as a web stream.
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { toWebStream } from "../../_listing/node_content.ts";
import { isNodeReadable } from "../../_listing/node_stream.ts";

/** A web stream of a Node stream, and how often it was dropped. */
function contentOf(stream: unknown, length?: number) {
  let drops = 0;
  assert(isNodeReadable(stream));
  const content = toWebStream(stream, () => drops++, length);
  return { content, drops: () => drops };
}

test("all bytes come, and empty chunks do not", async () => {
  const { content, drops } = contentOf(Readable.from(["a", "", "bé", new Uint8Array([99])]));
  const chunks = await Array.fromAsync(content, (chunk) => new TextDecoder().decode(chunk));
  assert.deepEqual(chunks, ["a", "bé", "c"]);
  assert.equal(drops(), 0);
});

test("nothing is read before it is asked for", async () => {
  let given = 0;
  const stream = Readable.from(
    (function* () {
      for (;;) yield `${given++}`;
    })(),
    { highWaterMark: 1 },
  );
  const reader = contentOf(stream).content.getReader();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(given, 0);
  await reader.read();
  assert.ok(given > 0 && given < 5, `${given}`);
});

test("a content that is cancelled is dropped", async () => {
  const { content, drops } = contentOf(new PassThrough());
  await content.cancel();
  assert.equal(drops(), 1);
});

for (
  const [what, act, message] of [
    ["breaks", (stream: PassThrough) => stream.destroy(new Error("broken")), /^Error: broken$/],
    ["closes early", (stream: PassThrough) => stream.destroy(), /closed early/],
    ["gives what is no bytes", (stream: PassThrough) => stream.emit("data", 1), /not bytes/],
    ["ends too soon", (stream: PassThrough) => stream.end("abc"), /closed after 3 of 5 bytes/],
    ["ends too late", (stream: PassThrough) => stream.end("abcdef"), /closed after 6 of 5 bytes/],
  ] as const
) {
  test(`a content that ${what} is an error, and dropped`, async () => {
    const stream = new PassThrough();
    const { content, drops } = contentOf(stream, 5);
    const reading = Array.fromAsync(content);
    act(stream);
    await assert.rejects(reading, message);
    assert.equal(drops(), 1);
  });
}
