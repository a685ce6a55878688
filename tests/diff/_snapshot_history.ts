// Histories of snapshots, each built next to the one before: the changes are compared with those of a Map.
import assert from "node:assert/strict";
import fc from "fast-check";
import { textBytes } from "../../_bytes/exact_text.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { changes, countChanges } from "../../_diff/changes.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { Snapshot } from "../../_diff/snapshot.ts";
import {
  addRaw,
  build,
  byKey,
  listing,
  type Model,
  naiveChanges,
  restoreOne,
  saveOne,
  shape,
  smallObject,
  sorted,
} from "./_objects.ts";

const poll = fc.record({
  objects: fc.array(fc.tuple(smallObject, fc.nat(3).map((n) => n === 0)), { maxLength: 60 }),
  inOrder: fc.boolean(),
  raw: fc.boolean(),
});

/** The changes equal those of a Map, under any history, order and repeats. */
export const smallHistories = fc.property(
  fc.array(poll, { minLength: 1, maxLength: 5 }),
  (history) => {
    let old = Snapshot.empty;
    let model: Model = new Map();
    for (const { objects, inOrder, raw } of history) {
      const next: Model = new Map();
      const builder = new ObjectBuilder(old);
      const listed = inOrder ? objects.toSorted(([a], [b]) => byKey(a, b)) : objects;
      for (const [object, keep] of listed) {
        const state = keep ? model.get(object.key) : object;
        if (state === undefined) next.delete(object.key);
        else next.set(object.key, state);
        const key = textBytes(object.key);
        if (keep && raw) builder.keepRaw(key, 0, key.length);
        else if (keep) builder.keep(object.key);
        else if (raw) addRaw(builder, object);
        else builder.add(object);
      }
      const snapshot = builder.finish();
      const expected = naiveChanges(model, next);
      assert.deepEqual(shape(snapshot), sorted(next));
      assert.deepEqual([...changes(old, snapshot, objectCodec)], expected);
      const of = (type: string) => expected.filter((change) => change.type === type).length;
      assert.deepEqual(countChanges(old, snapshot), {
        added: of("added"),
        modified: of("modified"),
        removed: of("removed"),
      });
      assert.equal(snapshot.count, next.size);
      old = snapshot;
      model = next;
    }
  },
);

/** What may happen to each object of a listing of several chunks, from one poll to the next. */
const edits = fc.array(
  fc.record({
    from: fc.nat(3999),
    length: fc.oneof(fc.constant(1), fc.nat(1500)),
    what: fc.constantFrom("remove", "change", "retime", "insert", "keep"),
  }),
  { maxLength: 6 },
);

/** Listings of several chunks: edits anywhere, kept entries, in and out of order, over generations. */
export const largeHistories = fc.property(
  fc.array(fc.tuple(edits, fc.nat(3)), { minLength: 1, maxLength: 4 }),
  (history) => {
    let model: Model = new Map(listing(4000).map((object) => [object.key, object]));
    let old = build(model.values());
    assert.ok(old.chunks.length > 3);
    for (const [generation, [steps, shuffle]] of history.entries()) {
      let entries = sorted(model).map((object) => ({ object, keep: false }));
      for (const { from, length, what } of steps) {
        entries = entries.flatMap((entry, i) => {
          if (i < from || i >= from + length) return [entry];
          const { object } = entry;
          switch (what) {
            case "remove":
              return [];
            case "change":
              return [{ ...entry, object: { ...object, size: object.size + 1 } }];
            case "retime":
              return [{ ...entry, object: { ...object, lastModified: generation } }];
            case "keep":
              return [{ object: { ...object, size: object.size + 3 }, keep: true }];
          }
          const added = { ...object, key: `${object.key}+${generation}` };
          return [entry, { object: added, keep: i % 3 === 0 }];
        });
      }
      // In order; the second half first; backwards in blocks; with far repeats before.
      const half = entries.length >> 1;
      if (shuffle === 1) entries = [...entries.slice(half), ...entries.slice(0, half)];
      if (shuffle === 2) {
        const blocks = Math.ceil(entries.length / 64);
        entries = Array.from(
          { length: blocks },
          (_, i) => entries.slice(i * 64, i * 64 + 64).reverse(),
        ).flat();
      }
      if (shuffle === 3) {
        const repeats = entries.slice(-50).map(({ object }) => ({
          object: { ...object, size: 1 },
          keep: false,
        }));
        entries = [...repeats, ...entries];
      }
      const next: Model = new Map();
      const builder = new ObjectBuilder(old);
      for (const { object, keep } of entries) {
        if (keep) builder.keep(object.key);
        else builder.add(object);
        const state = keep ? model.get(object.key) : object;
        if (state === undefined) next.delete(object.key);
        else next.set(object.key, state);
      }
      const snapshot = builder.finish();
      assert.deepEqual(shape(snapshot), sorted(next));
      assert.deepEqual([...changes(old, snapshot, objectCodec)], naiveChanges(model, next));
      assert.deepEqual(snapshot, restoreOne(saveOne(snapshot, "x"), "x"));
      old = snapshot;
      model = next;
    }
  },
);
