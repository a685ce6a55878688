// What a snapshot keeps of an item of a collection.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ItemBuilder } from "../../_diff/builder.ts";
import { changes, countChanges } from "../../_diff/changes.ts";
import { itemCodec } from "../../_diff/item_identity.ts";
import type { Snapshot } from "../../_diff/snapshot.ts";
import { anyKey } from "./_objects.ts";

test("items: version decides, JSON is kept", () => {
  fc.assert(
    fc.property(
      anyKey,
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.json(),
      (key, version, json, other) => {
        const one = (v: string, j?: string) => {
          const builder = new ItemBuilder();
          builder.add(key, v, j);
          return builder.finish();
        };
        assert.deepEqual([...one(version, json).values(itemCodec)], [{ key, version, json }]);
        assert.deepEqual([...one(json).values(itemCodec)], [{ key, version: json }]);
        assert.deepEqual([...changes(one(version, json), one(version, other), itemCodec)], []);
        assert.deepEqual([...changes(one(version, json), one(version + "x", other), itemCodec)], [
          {
            type: "modified",
            item: { key, version: version + "x", json: other },
            previous: { key, version, json },
          },
        ]);
      },
    ),
  );
});

test("items: where the version ends counts", () => {
  const one = (version: string, json: string, old?: Snapshot) => {
    const builder = new ItemBuilder(old);
    builder.add("k", version, json);
    return builder.finish();
  };
  const old = one("1", "12");
  const next = one("11", "2", old);
  assert.deepEqual([...next.values(itemCodec)], [{ key: "k", version: "11", json: "2" }]);
  assert.equal(countChanges(old, next).modified, 1);
});

test("items: large JSON, keys out of order", () => {
  const json = JSON.stringify({ text: "ä\u{1f600}".repeat(50_000) });
  const builder = new ItemBuilder();
  for (const key of ["c", "a", "b"]) builder.add(key, "1", json);
  const snapshot = builder.finish();
  assert.deepEqual([...snapshot.values(itemCodec)].map((item) => [item.key, item.json === json]), [
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
});
