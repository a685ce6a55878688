// Text and numbers as bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isText, readText, readVarint, textBytes, writeVarint } from "../../_bytes/bytes.ts";
import { compareKeys } from "../../_bytes/order.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { ExternalError } from "../../error.ts";
import { anyKey, anySize } from "../diff/_objects.ts";

test("text: every string round-trips, and bytes order as code points", () => {
  fc.assert(
    fc.property(anyKey, anyKey, (a, b) => {
      const x = textBytes(a);
      assert.equal(readText(x, 0, x.length), a);
      assert.ok(isText(x, 0, x.length));
      const points = (text: string) => Array.from(text, (c) => c.codePointAt(0)!);
      const p = points(a), q = points(b);
      let order = 0;
      for (let i = 0; order === 0 && i < Math.max(p.length, q.length); i++) {
        order = (p[i] ?? -1) - (q[i] ?? -1);
      }
      assert.equal(Math.sign(compareKeys(a, b)), Math.sign(order));
      if (a.isWellFormed()) assert.deepEqual([...x], [...new TextEncoder().encode(a)]);
    }),
    { numRuns: 2000 },
  );
});

test("text: bytes that no string encodes to are told", () => {
  for (
    const bytes of [
      [0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xc3],
      [
        0xe2,
        0x82,
      ],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
      [0xff],
      [
        0x61,
        0xc3,
        0x61,
      ],
    ]
  ) {
    assert.equal(isText(Uint8Array.from(bytes), 0, bytes.length), false, String(bytes));
    const builder = new ObjectBuilder();
    assert.throws(
      () =>
        builder.addRaw(
          Uint8Array.from(bytes),
          0,
          bytes.length,
          new Uint8Array(),
          -1,
          -1,
          false,
          1,
          1,
        ),
      (error: unknown) => error instanceof ExternalError && error.code === "protocol",
    );
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      const text = readText(bytes, 0, bytes.length);
      if (!isText(bytes, 0, bytes.length)) return;
      assert.deepEqual([...textBytes(text)], [...bytes]);
    }),
    { numRuns: 2000 },
  );
});

test("varint: every whole number round-trips, a cut or overlong one is told", () => {
  fc.assert(fc.property(anySize, (value) => {
    const bytes = new Uint8Array(9);
    const end = writeVarint(value, bytes, 0);
    assert.equal(readVarint(bytes, 0, end), value);
    for (let cut = 0; cut < end; cut++) assert.equal(readVarint(bytes, 0, cut), -1);
  }));
  assert.equal(readVarint(new Uint8Array(9).fill(255), 0, 9), -1);
  assert.equal(readVarint(Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 127]), 0, 8), -1);
});
