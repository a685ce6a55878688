// Bytes as base64.
import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBase64, toBase64 } from "../../_bytes/base64.ts";

test("base64: bytes of any length come back, as the runtime's own encoder writes them", () => {
  for (const length of [0, 1, 2, 3, 8_191, 8_192, 8_193, 16_384, 200_000]) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + (i >> 8));
    const text = toBase64(bytes);
    assert.equal(text, Buffer.from(bytes).toString("base64"));
    assert.deepEqual(fromBase64(text), bytes);
  }
});

test("base64: what is none is told", () => {
  for (const text of ["a", "a===", "äöü", "{}", "aGk-"]) {
    assert.equal(fromBase64(text), undefined, text);
  }
});
