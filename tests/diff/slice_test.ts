// Parts of snapshots, and joining them.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareKeys } from "../../_bytes/order.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { changes } from "../../_diff/changes.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { Snapshot, splice } from "../../_diff/snapshot.ts";
import { ExternalError } from "../../error.ts";
import type { ObjectMeta } from "../../store.ts";
import {
  build,
  fresh,
  listing,
  restoreOne,
  saveOne,
  shape,
  smallKey,
  smallObject,
} from "./_objects.ts";

test("slice, concat and splice equal the same of a sorted array", () => {
  const objects = listing(6000);
  const snapshot = build(objects);
  const bound = fc.option(
    fc.oneof(
      fc.nat(5999).map((i) => objects[i]!.key),
      fc.nat(5999).map((i) => objects[i]!.key + "x"),
      fc.nat(snapshot.chunks.length - 1).map((i) =>
        shape(new Snapshot([snapshot.chunks[i]!])).at(-1)!.key
      ),
      fc.nat(snapshot.chunks.length - 1).map((i) =>
        shape(new Snapshot([snapshot.chunks[i]!]))[0]!.key
      ),
      fc.constantFrom("", "data", "zzz", "\u{10ffff}"),
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(bound, bound, (after, until) => {
      const part = snapshot.slice(after, until);
      const within = objects.filter(({ key }) =>
        (after === undefined || key > after) && (until === undefined || key <= until)
      );
      assert.deepEqual(shape(part), within);
      assert.equal(part.count, within.length);
      if (within.length > 0) restoreOne(saveOne(part, "x"), "x");
      if (after !== undefined) {
        const joined = Snapshot.concat([snapshot.slice(undefined, after), snapshot.slice(after)]);
        assert.deepEqual(shape(joined), objects);
        assert.ok(fresh(snapshot, joined) <= 2);
      }
    }),
    { numRuns: 150 },
  );
});

test("splice: the new state up to a key, the old one behind it", () => {
  fc.assert(fc.property(fc.array(smallObject), fc.array(smallObject), smallKey, (a, b, key) => {
    const old = build(a), next = build(b);
    const expected = [
      ...shape(next).filter((object) => compareKeys(object.key, key) <= 0),
      ...shape(old).filter((object) => compareKeys(object.key, key) > 0),
    ];
    const both = splice(next, old, key);
    assert.deepEqual(shape(both), expected);
    // What is left to do are the changes behind the key.
    assert.deepEqual(
      [...changes(both, next, objectCodec)],
      [...changes(old, next, objectCodec)].filter(({ item }) => compareKeys(item.key, key) > 0),
    );
  }));
});

/** The same objects once more, listed in ranges that end at these places. */
function listInRanges(objects: readonly ObjectMeta[], old: Snapshot, ends: readonly number[]) {
  const cuts = ends.map((end) => old.keyAt(end - 1));
  return Snapshot.concat([...cuts, undefined].map((until, i) => {
    const after = cuts[i - 1];
    const builder = new ObjectBuilder(old.slice(after, until));
    for (const object of objects.slice(ends[i - 1] ?? 0, ends[i])) builder.add(object);
    return builder.finish();
  }));
}

test("ranges cut at any place copy the chunks at their ends alone, and the next time nothing", () => {
  const objects = listing(20_000);
  const old = build(objects);
  for (const parts of [1, 2, 3, 16]) {
    const ends = Array.from({ length: parts - 1 }, (_, i) => (i + 1) * 1000 + i);
    const next = listInRanges(objects, old, ends);
    assert.ok(fresh(old, next) <= 2 * parts - 2, `${fresh(old, next)} for ${parts}`);
    assert.deepEqual([...changes(old, next, objectCodec)], []);
    assert.equal(fresh(next, listInRanges(objects, next, ends)), 0);
  }
});

test("the key at a place is the one of a sorted array", () => {
  const objects = listing(5000);
  const snapshot = build(objects);
  const first = snapshot.chunks[0]!.count;
  for (const place of [0, 1, first - 1, first, first + 1, 4999]) {
    assert.equal(snapshot.keyAt(place), objects[place]!.key);
  }
  assert.equal(snapshot.keyAt(5000), undefined);
  assert.equal(Snapshot.empty.keyAt(0), undefined);
});

test("ranges that overlap are an error", () => {
  const part = build(listing(10));
  // The last one: a range that takes in the key it should begin behind.
  const overlaps = [
    [part, part],
    [build(listing(10).slice(5)), build(listing(5))],
    [build(listing(5)), build(listing(10).slice(4))],
  ];
  for (const parts of overlaps) {
    assert.throws(
      () => Snapshot.concat(parts),
      (error: unknown) => error instanceof ExternalError && error.code === "protocol",
    );
  }
  assert.equal(Snapshot.concat([Snapshot.empty, part, Snapshot.empty]).count, 10);
});
