// The changes from one snapshot to the next, against a naive model.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { changes } from "../../_diff/changes.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { Snapshot } from "../../_diff/snapshot.ts";
import { build, listing, shape } from "./_objects.ts";
import { largeHistories, smallHistories } from "./_snapshot_history.ts";

test("the changes equal those of a Map, under any history, order and repeats", () => {
  fc.assert(smallHistories, { numRuns: 1000 });
});

test("large listings: edits anywhere, kept entries, in and out of order, over generations", () => {
  fc.assert(largeHistories, { numRuns: 30 });
});

test("keep: keys that the old snapshot lacks do not hide lesser ones that it has", () => {
  const objects = ["a", "m", "z"].map((key) => ({ key, size: 1, etag: "e" }));
  const old = build(objects);
  const builder = new ObjectBuilder(old);
  builder.add({ key: "a", size: 2 });
  for (const key of ["x", "m", "z"]) builder.keep(key);
  assert.deepEqual(shape(builder.finish()), [{ key: "a", size: 2 }, ...objects.slice(1)]);
});

test("changes are found while they are read", () => {
  const snapshot = build(listing(8000));
  let decoded = 0;
  const codec = {
    ...objectCodec,
    decode: (
      ...args: Parameters<typeof objectCodec.decode>
    ) => (decoded++, objectCodec.decode(...args)),
  };
  const found = changes(Snapshot.empty, snapshot, codec);
  assert.equal(decoded, 0);
  found.next();
  assert.equal(decoded, 1);
  assert.deepEqual([...changes(snapshot, snapshot, codec)], []);
  assert.equal(decoded, 1);
});

test("more entries out of order than one batch sorts; the last of far repeats wins", () => {
  const objects = listing(150_000);
  const snapshot = build([
    ...objects.map((object) => ({ ...object, size: 0 })),
    ...objects.toReversed(),
  ]);
  assert.deepEqual(snapshot, build(objects));
});

test("of long keys that come twice, out of order, the last counts", () => {
  for (const length of [255, 256, 257, 600, 5_000]) {
    const key = (end: string) => "k".repeat(length - 1) + end;
    const snapshot = build([
      { key: key("b"), size: 1 },
      { key: key("c"), size: 1 },
      { key: key("a"), size: 1 },
      { key: key("b"), size: 2 },
      { key: key("b"), size: 3 },
      { key: key("c"), size: 2 },
    ]);
    assert.deepEqual(shape(snapshot), [
      { key: key("a"), size: 1 },
      { key: key("b"), size: 3 },
      { key: key("c"), size: 2 },
    ]);
  }
});

test("an entry that is kept after it came anew is the old one, and the other way round", () => {
  const old = build([{ key: "a", size: 1, etag: "e" }, { key: "z", size: 1 }]);
  for (const keep of ["first", "last"]) {
    const builder = new ObjectBuilder(old);
    builder.add({ key: "z", size: 1 });
    if (keep === "first") builder.keep("a");
    builder.add({ key: "a", size: 2 });
    if (keep === "last") builder.keep("a");
    builder.keep("b"); // There is none.
    const a = keep === "last" ? { key: "a", size: 1, etag: "e" } : { key: "a", size: 2 };
    assert.deepEqual(shape(builder.finish()), [a, { key: "z", size: 1 }]);
  }
});
