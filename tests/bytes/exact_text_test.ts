// Text as bytes, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isText, readText, textBytes, writeText } from "../../_bytes/exact_text.ts";
import { compareKeys } from "../../_bytes/order.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { ExternalError } from "../../error.ts";
import { anyKey } from "../diff/_objects.ts";

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

// Where the number of bytes changes, and where surrogates begin and end.
const EDGES = [0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff]
  .concat([0x10000, 0x10ffff]).map((point) => String.fromCodePoint(point));

test("text: characters at the edges round-trip, each beside each", () => {
  for (const first of EDGES) {
    for (
      const text of [first, ...EDGES.flatMap((second) => [first + second, first + second + "a"])]
    ) {
      const bytes = textBytes(text);
      assert.equal(readText(bytes, 0, bytes.length), text);
      assert.ok(isText(bytes, 0, bytes.length));
      if (text.isWellFormed()) assert.deepEqual(bytes, new TextEncoder().encode(text));
      const lone = textBytes(`${text}\ud800`);
      assert.equal(readText(lone, 0, lone.length), `${text}\ud800`);
    }
  }
});

test("text: a long one is written at its place, a lone surrogate or not", () => {
  for (const text of ["a".repeat(97), "ä".repeat(97), "a".repeat(97) + "\ud800"]) {
    const target = new Uint8Array(400).fill(0xff);
    const end = writeText(text, target, 3);
    assert.equal(readText(target, 3, end), text);
    assert.deepEqual([...target.subarray(0, 3)], [0xff, 0xff, 0xff]);
    assert.equal(end, 3 + textBytes(text).length);
  }
});

test("text: a character that ends behind the range is cut off", () => {
  for (const text of ["é", "€", "😀"]) {
    const bytes = textBytes(text);
    for (let end = 1; end < bytes.length; end++) {
      assert.ok(!isText(bytes, 0, end), `${text} ${end}`);
    }
  }
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
