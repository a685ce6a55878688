// How errors name a value that is not what it should be, and the codes that others give to theirs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf } from "../../_errors/code_of.ts";
import { kindOf } from "../../_errors/kind_of.ts";

test("the kind of a value, in words", () => {
  const kinds: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [7, "a number"],
    ["text", "a string"],
    [true, "a boolean"],
    [() => {}, "a function"],
    [Symbol("s"), "a symbol"],
    [{}, "an object"],
    [Object.create(null), "an object"],
    [[1], "an array"],
    [new Set(), "a Set"],
    [new Date(0), "a Date"],
    [new Uint8Array(), "a Uint8Array"],
  ];
  for (const [value, kind] of kinds) assert.equal(kindOf(value), kind);
});

test("the code of whatever was thrown, if it has one", () => {
  assert.equal(codeOf(Object.assign(new Error("x"), { code: "ENOENT" })), "ENOENT");
  assert.equal(codeOf({ code: 7 }), 7);
  for (const thrown of [undefined, null, new Error("x"), "ENOENT", 0]) {
    assert.equal(codeOf(thrown), undefined);
  }
});
