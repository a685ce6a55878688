// Reading the streams of Node: whole, with a limit, whatever their chunks are.
import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { test } from "node:test";
import { isNodeReadable, readNodeStream } from "../../_listing/node_stream.ts";

/** Reads what is a stream of Node. */
function read(stream: unknown, maxBytes: number, room?: Uint8Array) {
  assert(isNodeReadable(stream));
  return readNodeStream(stream, maxBytes, room);
}

const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("a stream is read to its end, in chunks of bytes or of text", async () => {
  const chunks = [new TextEncoder().encode("a"), "bé", new Uint8Array(), "c"];
  const gathered = await read(Readable.from(chunks), 100);
  assert.equal(textOf(gathered!.take()), "abéc");
  assert.equal((await read(Readable.from([]), 0))?.length, 0);
});

test("a stream that is too long is given up, one of the very length is not", async () => {
  const six = () => Readable.from(["abc", "def"]);
  assert.equal(textOf((await read(six(), 6))!.take()), "abcdef");
  const stream = six();
  assert.equal(await read(stream, 5), undefined);
  assert.equal(stream.destroyed, true);
});

test("a room that is given is written to, and grows", async () => {
  const room = new Uint8Array(4);
  const fits = await read(Readable.from(["abc"]), 100, room);
  assert.equal(textOf(room.subarray(0, fits!.length)), "abc");
  const grown = await read(Readable.from(["abc", "def"]), 100, room);
  assert.equal(textOf(grown!.take()), "abcdef");
});

test("a stream that fails, closes early, or gives what is no bytes rejects", async () => {
  const failing = new PassThrough();
  const reading = read(failing, 100);
  failing.destroy(new Error("broken"));
  await assert.rejects(reading, /^Error: broken$/);
  const closing = new PassThrough();
  const early = read(closing, 100);
  closing.destroy();
  await assert.rejects(early, { code: "ECONNRESET", message: "the connection was closed early" });
  await assert.rejects(read(Readable.from([1, 2]), 100), /a chunk that is not bytes/);
});

test("a chunk is copied at once, not kept", async () => {
  // Kept, a chunk of one byte would hold a buffer of 64 KiB on Deno. Here all are views on one buffer.
  const buffer = new Uint8Array(64 * 1024);
  const stream = new PassThrough();
  const reading = read(stream, 100);
  for (const letter of "abc") {
    buffer[7] = letter.charCodeAt(0);
    stream.emit("data", buffer.subarray(7, 8));
  }
  stream.end();
  assert.equal(textOf((await reading)!.take()), "abc");
});
