// Places in a listing of S3: what a request can begin after.
import assert from "node:assert/strict";
import { test } from "node:test";
import { textBytes } from "../../_bytes/exact_text.ts";
import { askableKey, isSame, placeBehind, textOf } from "../../_listing/s3_place.ts";

test("a page begins at its token, unless that is the encoding of the last key", () => {
  const after = (token: string, key: string) => placeBehind(token, textBytes(key));
  for (
    const [token, key] of [
      ["a%2Fb", "a/b"],
      ["a+b", "a b"],
      ["a%20b", "a b"],
      ["a%2Bb", "a+b"],
      ["a+b%25", "a+b%"],
      ["%c3%a9", "é"],
    ] as const
  ) assert.deepEqual(after(token, key), { StartAfter: key }, token);
  for (
    const [token, key] of [
      ["opaque", "a/b"],
      ["a/b", "a/b"],
      ["a+b", "a+b"],
      ["a%2Fb", "a%2Fb"],
      ["a%2Fb", "a/c"],
      ["a%2Fb", "a/"],
      ["a%2Fb", "a/bc"],
      ["a%2", "a"],
      ["a%zz", "a"],
      ["", ""],
      ["%ed%a0%80", "\ud800"],
    ] as const
  ) assert.deepEqual(after(token, key), { ContinuationToken: token }, token);
  assert.deepEqual(placeBehind("%61", undefined), { ContinuationToken: "%61" });
});

test("a place before half of a character is one that a request can name", () => {
  assert.equal(askableKey("a/\u{1f600}"), "a/\u{1f600}");
  assert.equal(askableKey(""), "");
  assert.equal(askableKey("a/\ud83d"), "a/\ud7ff");
  assert.equal(askableKey("\udc00b"), "\ud7ff");
});

test("keys are the same by their bytes, and a missing one is like none", () => {
  const [a, b] = [textBytes("a"), textBytes("b")];
  assert.equal(isSame(a, textBytes("a")), true);
  assert.equal(isSame(a, b), false);
  assert.equal(isSame(a, undefined), false);
  assert.equal(isSame(undefined, a), false);
  assert.equal(isSame(undefined, undefined), false);
  assert.equal(textOf(undefined), "");
  assert.equal(textOf(textBytes("é")), "é");
});
