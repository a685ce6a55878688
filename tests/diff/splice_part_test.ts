// A part of a snapshot that is listed anew: what is under the prefix is as listed, and all else the same chunks as before.
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHUNK } from "../../_diff/front_coding.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import type { Snapshot } from "../../_diff/snapshot.ts";
import { replaceUnder, under } from "../../_diff/splice_part.ts";
import { restoreAll, saveAll } from "../../_diff/saved_state.ts";
import { anyKey, build, fresh, listing, objectOf, shape, smallObject } from "./_objects.ts";

const begins = (prefix: string) => ({ key }: { key: string }) => key.startsWith(prefix);

/** A state that is read back is checked: order, counts, and where keys are whole. */
function assertSound(snapshot: Snapshot): void {
  restoreAll(saveAll("[]", [snapshot]), "[]", objectCodec, 1, () => {});
}

test("what is under a prefix is replaced, whatever keys there are", () => {
  const objects = fc.array(fc.oneof(smallObject, anyKey.map((key) => objectOf(key, 1))));
  const prefixes = fc.oneof(
    fc.constantFrom("", "dir/", "dir/01", "a", "\u{10000}", "\uffff", "é", "\0"),
    anyKey.filter((key) => key.isWellFormed()),
  );
  fc.assert(
    fc.property(objects, objects, prefixes, (before, after, prefix) => {
      const old = build(before);
      const known = under(old, prefix);
      assert.deepEqual(shape(known), shape(old).filter(begins(prefix)));
      const listed = build(after.filter(begins(prefix)), known);
      const next = replaceUnder(old, prefix, listed);
      const outside = shape(old).filter((object) => !begins(prefix)(object));
      assert.deepEqual(shape(next), shape(build([...outside, ...shape(listed)])));
      assertSound(next);
    }),
    { numRuns: 2_000 },
  );
});

test("of a large snapshot few chunks are written anew, and they stay as large as they were", () => {
  let old = build(listing(20_000));
  const chunks = old.chunks.length;
  assert.ok(chunks > 10);
  for (let i = 0; i < 300; i++) {
    const prefix = `data/2026/11/23/part-0000${String((i * 7919) % 20_000).padStart(5, "0")}`;
    const [object] = shape(under(old, prefix));
    assert.ok(object !== undefined);
    const next = replaceUnder(old, prefix, build([{ ...object, size: i }]));
    assert.ok(fresh(old, next) <= 4, `${fresh(old, next)} new chunks`);
    old = next;
  }
  assert.equal(old.count, 20_000);
  assert.ok(old.chunks.length <= chunks * 1.5, `${chunks} became ${old.chunks.length}`);
  assert.ok(old.chunks.every(({ bytes }) => bytes.length <= 2.5 * CHUNK));
  assertSound(old);
});
