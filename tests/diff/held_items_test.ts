// The items of a listing that changed are kept until their events are made, and no others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ItemBuilder } from "../../_diff/builder.ts";
import { HeldItems } from "../../_diff/held_items.ts";
import type { Snapshot } from "../../_diff/snapshot.ts";

/** A snapshot of keys with their versions. */
function known(versions: Record<string, string>): Snapshot {
  const builder = new ItemBuilder();
  for (const [key, version] of Object.entries(versions)) builder.add(key, version);
  return builder.finish();
}

test("new, changed and doubtful items are there, once; the others are not", () => {
  const items = new HeldItems<string>(
    known({ a: "1", b: "1", d: "1" }),
    known({ d: "0" }),
    false,
  );
  for (const [key, version] of [["d", "1"], ["c", "1"], ["b", "2"], ["a", "1"]] as const) {
    items.add(key, version, `${key}${version}`);
  }
  assert.deepEqual(["a", "b", "c", "d"].map((key) => items.take(key)), [
    undefined,
    "b2",
    "c1",
    "d1",
  ]);
  assert.equal(items.take("b"), undefined, "it was taken");
  items.add("a", "2", "a2");
  assert.equal(items.take("a"), "a2", "added behind the first take");
});

test("of a key that is listed twice the last counts", () => {
  const items = new HeldItems<string>(known({}), known({}), false);
  items.add("a", "1", "first");
  items.add("a", "2", "last");
  assert.equal(items.take("a"), "last");
});

test("all are there where all are reported", () => {
  const items = new HeldItems<string>(known({ a: "1" }), known({}), true);
  items.add("a", "1", "a1");
  assert.equal(items.take("a"), "a1");
});

test("of more items than are looked up together each is there", () => {
  const items = new HeldItems<number>(known({}), known({}), false);
  for (let i = 0; i < 50_001; i++) items.add(String(i), "1", i);
  for (const i of [0, 49_999, 50_000]) assert.equal(items.take(String(i)), i);
});
