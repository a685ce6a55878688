// Runs of bytes: copied, compared, and given room. Numbers as bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  compareBytes,
  copyBytes,
  readVarint,
  varintLength,
  withRoom,
  writeVarint,
} from "../../_bytes/bytes.ts";
import { anySize } from "../diff/_objects.ts";

test("a run is copied to its place, short or long, and nothing else changes", () => {
  const from = Uint8Array.from({ length: 300 }, (_, i) => i + 1);
  for (const length of [0, 1, 63, 64, 65, 200]) {
    const to = new Uint8Array(300);
    copyBytes(from, 10, 10 + length, to, 5);
    const wanted = new Uint8Array(300);
    wanted.set(from.subarray(10, 10 + length), 5);
    assert.deepEqual(to, wanted);
  }
});

test("runs are compared byte by byte, as unsigned, and then by length", () => {
  const bytes = Uint8Array.from([9, 1, 2, 200, 1, 2]);
  const compare = (a: [number, number], b: [number, number]) =>
    Math.sign(compareBytes(bytes, ...a, bytes, ...b));
  assert.equal(compare([1, 3], [4, 6]), 0);
  assert.equal(compare([1, 1], [4, 4]), 0, "both are empty");
  assert.equal(compare([1, 2], [4, 6]), -1);
  assert.equal(compare([1, 4], [4, 6]), 1);
  assert.equal(compare([3, 4], [4, 6]), 1);
  assert.equal(compare([1, 3], [0, 1]), -1);
});

test("room is made by doubling, and only where it is needed", () => {
  const bytes = Uint8Array.from([1, 2, 3, 4]);
  assert.equal(withRoom(bytes, 4, 4), bytes);
  assert.deepEqual(withRoom(bytes, 4, 5), Uint8Array.from([1, 2, 3, 4, 0, 0, 0, 0]));
  assert.deepEqual(withRoom(bytes, 2, 9), Uint8Array.from([1, 2, 0, 0, 0, 0, 0, 0, 0]));
});

test("varint: every whole number round-trips, a cut or overlong one is told", () => {
  fc.assert(fc.property(anySize, (value) => {
    const bytes = new Uint8Array(9);
    const end = writeVarint(value, bytes, 0);
    assert.equal(readVarint(bytes, 0, end), value);
    for (let cut = 0; cut < end; cut++) assert.equal(readVarint(bytes, 0, cut), -1);
  }));
  for (const power of [7, 14, 21, 28, 31, 32, 35, 42, 49, 53]) {
    for (const value of [2 ** power - 1, ...power < 53 ? [2 ** power, 2 ** power + 1] : []]) {
      const bytes = new Uint8Array(10);
      const end = writeVarint(value, bytes, 1);
      assert.equal(readVarint(bytes, 1, end), value);
      assert.equal(end - 1, Math.ceil(value.toString(2).length / 7));
      assert.equal(varintLength(value), end - 1);
    }
  }
  assert.equal(readVarint(new Uint8Array(9).fill(255), 0, 9), -1);
  assert.equal(readVarint(Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 127]), 0, 8), -1);
});
