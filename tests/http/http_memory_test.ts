// B2, H8: the memory a body takes is a small multiple of its size, however it is cut into chunks.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gatherBody } from "../../_bounds/gather_body.ts";
import { Limits } from "../../_bounds/limits.ts";
import { Gatherer } from "../../_bytes/gather.ts";
import { serveRaw } from "./_http_server.ts";

const timeout = 60_000;
const program = fileURLToPath(new URL("./_tiny_chunks.ts", import.meta.url));
const run = process.versions.deno === undefined ? [program] : ["run", "-A", "--no-check", program];

for (const size of [20_000, 100_000]) {
  test(`a body of ${size} chunks of one byte takes less than 30 MB`, { timeout }, async (t) => {
    const server = await serveRaw(t, async (socket, _, head) => {
      socket.setNoDelay(true);
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      const bytes = Number(/^GET \/(\d+)/.exec(head)?.[1]);
      for (let sent = 0; sent < bytes; sent += 100) {
        if (!socket.write("1\r\nx\r\n".repeat(100))) await once(socket, "drain");
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.write("0\r\n\r\n");
    });
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...run,
      server.origin,
      String(size),
    ]);
    const grown = Number(stdout);
    assert(grown <= 4 * size + 30_000_000, `${grown} bytes`);
  });
}

/** What is gathered from these chunks, each on a buffer of 64 KiB; in a stream of bytes, or of chunks. */
async function gather(type: "bytes" | undefined, sizes: readonly number[], max = Infinity) {
  const limits = new Limits(undefined, 10_000, () => new Error("late"));
  let nth = 0;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    type: type as undefined,
    pull(controller) {
      const size = sizes[nth++];
      if (size === undefined) {
        controller.close();
        // A reader of bytes that waits has to be told.
        (controller as { byobRequest?: ReadableStreamBYOBRequest | null }).byobRequest?.respond(0);
      } else controller.enqueue(new Uint8Array(65_536).subarray(0, size).fill(nth));
    },
    cancel: () => void (cancelled = true),
  }, { highWaterMark: 0 });
  const gathered = new Gatherer(max);
  try {
    const whole = await gatherBody(body, gathered, limits);
    return { whole, cancelled, bytes: gathered.take(), locked: body.locked };
  } finally {
    limits.release();
  }
}

for (const type of ["bytes", undefined] as const) {
  const what = type ?? "chunks";
  test(`tiny chunks of a stream of ${what} are gathered in order`, { timeout }, async () => {
    const sizes = Array.from({ length: 300 }, (_, nth) => nth % 7 + 1);
    const { whole, bytes, cancelled, locked } = await gather(type, sizes);
    const expected = sizes.flatMap((size, nth) =>
      Array.from({ length: size }, () => (nth + 1) % 256)
    );
    assert.deepEqual([...bytes], expected);
    assert.deepEqual({ whole, cancelled, locked }, {
      whole: true,
      cancelled: false,
      locked: false,
    });
  });

  test(`tiny chunks of a stream of ${what} end at the bound`, { timeout }, async () => {
    const { whole, bytes, cancelled, locked } = await gather(type, Array(300).fill(1), 250);
    assert.equal(bytes.length, 250);
    assert.deepEqual({ whole, cancelled, locked }, {
      whole: false,
      cancelled: true,
      locked: false,
    });
  });

  test(`large chunks of a stream of ${what} are gathered as well`, { timeout }, async () => {
    const { whole, bytes } = await gather(type, Array(80).fill(65_536));
    assert.equal(whole, true);
    assert.equal(bytes.length, 80 * 65_536);
    assert.equal(bytes[79 * 65_536], 80);
  });
}
