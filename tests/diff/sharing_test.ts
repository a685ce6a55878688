// What is unchanged is shared by two snapshots, and chunks keep a sensible size.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { addRaw, build, byKey, fresh, listing, shape } from "./_objects.ts";

test("an unchanged listing shares every chunk, by every way in", () => {
  const objects = listing(20_000);
  const old = build(objects);
  assert.ok(old.chunks.length > 15);
  const raw = new ObjectBuilder(old);
  for (const object of objects) addRaw(raw, object);
  const kept = new ObjectBuilder(old);
  for (const object of objects) kept.keep(object.key);
  const mixed = new ObjectBuilder(old);
  objects.forEach((object, i) => i % 2 ? mixed.add(object) : addRaw(mixed, object));
  for (
    const next of [
      build(objects, old),
      build(objects.toReversed(), old),
      raw.finish(),
      kept.finish(),
      mixed.finish(),
    ]
  ) {
    assert.equal(next.chunks.length, old.chunks.length);
    next.chunks.forEach((chunk, i) => assert.equal(chunk, old.chunks[i]));
  }
});

test("one insertion, removal or change makes one new chunk", () => {
  const objects = listing(20_000);
  const old = build(objects);
  const first = old.chunks[0]!.count;
  for (const at of [0, 1, first - 1, first, first + 1, 10_000, 19_998, 19_999]) {
    const changed = objects.with(at, { ...objects[at]!, size: 5_000_000 });
    const removed = objects.toSpliced(at, 1);
    const inserted = objects.toSpliced(at, 0, {
      ...objects[at]!,
      key: objects[at]!.key.slice(0, -1),
    });
    for (const [what, next] of Object.entries({ changed, removed, inserted })) {
      const snapshot = build(next, old);
      assert.equal(snapshot.count, next.length);
      assert.deepEqual(shape(snapshot), next);
      assert.ok(fresh(old, snapshot) <= 1, `${what} at ${at}: ${fresh(old, snapshot)} new chunks`);
    }
  }
});

test("insertions at one place never move the borders behind it, and chunks keep a sensible size", () => {
  let objects = listing(20_000);
  let old = build(objects);
  for (let round = 0; round < 40; round++) {
    const at = 5000;
    const more = Array.from({ length: 100 }, (_, i) => {
      const object = objects[at]!;
      return {
        ...object,
        key: `${object.key.slice(0, 33)}!${99 - round}${String(i).padStart(3, "0")}`,
      };
    });
    objects = [...objects, ...more].sort(byKey);
    const next = build(objects, old);
    assert.deepEqual(next.count, objects.length);
    assert.ok(fresh(old, next) <= 3, `round ${round}: ${fresh(old, next)} new chunks`);
    old = next;
  }
  assert.ok(old.chunks.every((chunk) => chunk.bytes.length < 70_000));
  const thinned = objects.filter((_, i) => i % 50 === 0);
  const next = build(thinned, old);
  assert.deepEqual(shape(next), thinned);
  assert.ok(next.chunks.length < 8, `${next.chunks.length} chunks for ${thinned.length} entries`);
});

test("a chunk emptied whole costs its neighbours nothing", () => {
  const objects = listing(20_000);
  const old = build(objects);
  const [a, b] = [old.chunks[0]!.count, old.chunks[1]!.count];
  const next = build(objects.toSpliced(a, b), old);
  assert.equal(fresh(old, next), 0);
  assert.equal(next.chunks.length, old.chunks.length - 1);
});
