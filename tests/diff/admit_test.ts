// Keys are checked before they are added, but for those that the listing before has at the same place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readText } from "../../_bytes/exact_text.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import type { Snapshot } from "../../_diff/snapshot.ts";
import { addRaw, build, shape } from "./_objects.ts";

/** A builder that admits no key with an "x", and the keys it was asked for. */
function strict(old?: Snapshot) {
  const asked: string[] = [];
  const builder = new ObjectBuilder(old, (key, start, end) => {
    const text = readText(key, start, end);
    asked.push(text);
    if (text.includes("x")) throw new Error(`not ${text}`);
  });
  return { builder, asked };
}

const object = (key: string) => ({ key, size: 1 });

test("new keys are checked, in order or not, however they come", () => {
  const old = build(["a", "b"].map(object));
  const { builder, asked } = strict(old);
  builder.add(object("a"));
  addRaw(builder, object("b"));
  assert.deepEqual(asked, [], "known before");
  addRaw(builder, object("d"));
  builder.add(object("e"));
  builder.add(object("c"));
  assert.deepEqual(asked, ["d", "e", "c"]);
  assert.deepEqual(shape(builder.finish()).map(({ key }) => key), ["a", "b", "c", "d", "e"]);
});

test("a key that is refused is not added", () => {
  const { builder } = strict();
  builder.add(object("a"));
  for (const key of ["x", "0x"]) {
    assert.throws(() => builder.add(object(key)), { message: `not ${key}` });
    assert.throws(() => addRaw(builder, object(key)), { message: `not ${key}` });
  }
  assert.deepEqual(shape(builder.finish()), [object("a")]);
});
