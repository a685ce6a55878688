// H5, B4: a Content-Encoding that is none is plain content; one that is and was not asked for is an error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { codingsOf } from "../../_http/whole_body.ts";
import { clientOf, errorOf, exchange, stream } from "./_client.ts";
import { answer, serveRaw } from "./_http_server.ts";

const timeout = 10_000;

const plain = [
  "identity",
  "Identity",
  "identity, identity",
  "identity,identity , identity",
  "",
  " ",
  ",",
  "aws-chunked",
  "AWS-Chunked",
  "utf-8",
  "UTF8",
  "ISO-8859-1",
  "windows-1252",
  "none",
  "null",
  "binary",
  "8bit",
  "aws-chunked,identity",
  "utf-8, none,",
];
for (const coding of plain) {
  test(`the Content-Encoding '${coding}' is plain content`, { timeout }, async (t) => {
    const server = await serveRaw(t, (socket) => {
      socket.write(answer(200, { "Content-Encoding": coding, "Content-Length": "4" }, "good"));
    });
    for (const headers of [undefined, { "accept-encoding": "gzip" }]) {
      const client = clientOf(server, headers && { headers });
      assert.equal(new TextDecoder().decode((await exchange(client)).body), "good");
      assert.equal(await new Response(await stream(client)).text(), "good");
    }
  });
}

const real = [
  "gzip",
  "x-gzip",
  "br",
  "deflate",
  "zstd",
  "compress",
  "dcb",
  "aes128gcm",
  "zorp",
  "base64",
];
const mixed = [
  "gzip, identity",
  "identity, gzip",
  "aws-chunked, gzip",
  "gzip, gzip",
  "zorp, utf-8",
];
for (const coding of [...real, ...mixed]) {
  test(
    `the Content-Encoding '${coding}' that was not asked for is an error`,
    { timeout },
    async (t) => {
      const bytes = gzipSync("content");
      const server = await serveRaw(t, (socket) => {
        const head = answer(200, {
          "Content-Encoding": coding,
          "Content-Length": String(bytes.length),
        });
        socket.write(head);
        socket.write(bytes);
      });
      const error = await errorOf(exchange(clientOf(server)));
      // A runtime may try to decode it all the same, and fail.
      assert(["protocol", "network"].includes(error.code), error.code);
      if (error.code === "protocol") assert.match(error.message, /Content-Encoding '/);
      const streamed = await errorOf(
        stream(clientOf(server)).then((body) => new Response(body).text()),
      );
      assert(["protocol", "network"].includes(streamed.code), streamed.code);
    },
  );
}

test("a coding that was asked for, beside one more, is an error", { timeout }, async (t) => {
  for (const coding of ["gzip, zorp", "zorp", "identity, gzip"]) {
    const server = await serveRaw(t, (socket) => {
      socket.write(answer(200, { "Content-Encoding": coding, "Content-Length": "4" }, "good"));
    });
    const error = await errorOf(
      exchange(clientOf(server, { headers: { "accept-encoding": "gzip" } })),
    );
    assert(["protocol", "network"].includes(error.code), `${coding}: ${error.message}`);
  }
});

test("codingsOf: the codings in their order", () => {
  const codings = (value: string) => codingsOf(new Headers({ "content-encoding": value }));
  assert.deepEqual(codingsOf(new Headers()), []);
  assert.deepEqual(codings("GZIP ,\tbr, identity"), ["gzip", "br"]);
  assert.deepEqual(codings("utf-9"), ["utf-9"]);
  assert.deepEqual(codings("identity;q=1"), ["identity;q=1"]);
});
