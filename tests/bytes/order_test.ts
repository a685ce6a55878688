// Keys are in the order of their bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareBytes } from "../../_bytes/bytes.ts";
import { textBytes } from "../../_bytes/exact_text.ts";
import { compareKeys } from "../../_bytes/order.ts";

const ofBytes = (a: string, b: string): number => {
  const [x, y] = [textBytes(a), textBytes(b)];
  return compareBytes(x, 0, x.length, y, 0, y.length);
};

// Lone surrogates, pairs, and what stands before and behind them.
const unit = fc.constantFrom(
  "",
  "a",
  "\u007f",
  "\ud7ff",
  "\ud83d",
  "\udbff",
  "\ude00",
  "\udfff",
  "\ue000",
  "\uffff",
  "😀",
);
const key = fc.array(unit, { maxLength: 6 }).map((units) => units.join(""));

test("keys are compared as their bytes are, lone surrogates included", () => {
  fc.assert(
    fc.property(key, key, (a, b) => {
      assert.equal(Math.sign(compareKeys(a, b)), Math.sign(ofBytes(a, b)));
    }),
    { numRuns: 2_000 },
  );
});

test("a character beyond U+FFFF is behind one before it, and a lone surrogate before U+E000", () => {
  assert.ok(compareKeys("\uffff", "😀") < 0);
  assert.ok(compareKeys("\ud83d", "\ue000") < 0);
  assert.ok(compareKeys("\ud83d😀", "\ud83d") > 0);
  assert.equal(compareKeys("a\ud83d", "a\ud83d"), 0);
});
