// A part of what is watched: which parts are taken, and which keys belong to them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPart, checkPrefix, Part } from "../../_diff/part.ts";

test("a part with a prefix, keys, or both is taken as it is", () => {
  for (
    const part of [
      { prefix: "" },
      { prefix: "a/" },
      { keys: [] },
      { keys: ["a", "😀"] },
      { prefix: "a/", keys: ["b"] },
    ]
  ) {
    assert.equal(checkPart("poll", part), part);
  }
});

test("anything else is a TypeError that says what is missing", () => {
  const wrong: [unknown, RegExp][] = [
    [undefined, /must be an object with 'prefix' or 'keys'$/],
    [null, /must be an object with 'prefix' or 'keys'$/],
    ["a/", /must be an object with 'prefix' or 'keys'$/],
    [{}, /must have a 'prefix' or 'keys'$/],
    [{ prefix: 7 }, /'prefix' must hold strings/],
    [{ prefix: "\ud83d" }, /'prefix' must hold strings without halves of a character$/],
    [{ keys: "a" }, /'keys' must be an array of strings$/],
    [{ prefix: "a/", keys: null }, /'keys' must be an array of strings$/],
    [{ keys: ["a", 7] }, /'keys' must hold strings/],
    [{ keys: ["\ude00"] }, /'keys' must hold strings/],
    [{ keys: ["a", ""] }, /'keys' has an empty key$/],
  ];
  for (const [part, message] of wrong) {
    assert.throws(() => checkPart("poll 's3://b'", part as { prefix: string }), (error: Error) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /^Cannot poll 's3:\/\/b' as /);
      assert.match(error.message, message);
      return true;
    });
  }
  checkPrefix("watch", "prefix", "");
});

test("a key belongs to a part if it begins with its prefix, or is named", () => {
  const keys = ["a", "a/", "a/1", "b", "b/1"];
  const of = (part: Part) => keys.filter((key) => part.has(key));
  assert.deepEqual(of(new Part("a/", [])), ["a/", "a/1"]);
  assert.deepEqual(of(new Part("a/", ["b"])), ["a/", "a/1", "b"]);
  assert.deepEqual(of(new Part(undefined, ["a", "b/1"])), ["a", "b/1"]);
  assert.deepEqual(of(new Part("", [])), keys);
  assert.deepEqual(of(new Part(undefined, [])), []);
});
