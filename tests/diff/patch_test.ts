// A snapshot with other values for a few keys is what a snapshot of all values would be, and shares what it can.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { objectCodec } from "../../_diff/object_identity.ts";
import { patch } from "../../_diff/patch.ts";
import { Snapshot } from "../../_diff/snapshot.ts";
import type { ObjectMeta } from "../../store.ts";
import { build, sorted } from "./_objects.ts";

const form = { codec: objectCodec, build: (objects: Iterable<ObjectMeta>) => build(objects) };
const keyOf = (n: number) => `folder/${String(n).padStart(6, "0")}-${"x".repeat(n % 7)}`;
const objects: ObjectMeta[] = Array.from({ length: 9_000 }, (_, n) => ({
  key: keyOf(2 * n),
  size: n,
  etag: `"${n.toString(16).padStart(32, "0")}"`,
}));
const large = build(objects);

test("any values for any keys: new ones, other ones, none", () => {
  assert.ok(large.chunks.length > 4);
  const edits = fc.array(
    fc.record({
      place: fc.nat({ max: 18_010 }),
      size: fc.option(fc.nat(), { nil: undefined }),
    }),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(edits, fc.constantFrom(Snapshot.empty, large), (edits, snapshot) => {
      const model = new Map(snapshot === large ? objects.map((item) => [item.key, item]) : []);
      const values = new Map<string, ObjectMeta | undefined>();
      for (const { place, size } of edits) {
        const key = place === 18_010 ? "before all" : keyOf(place);
        const value = size === undefined ? undefined : { key, size };
        values.set(key, value);
        if (value === undefined) model.delete(key);
        else model.set(key, value);
      }
      const patched = patch(snapshot, values, form);
      assert.deepEqual([...patched.values(objectCodec)], sorted(model));
      assert.equal(patched.count, model.size);
    }),
    { numRuns: 20 },
  );
});

test("at the ends of every chunk a value is changed, removed, or put beside", () => {
  const model = new Map(objects.map((item) => [item.key, item]));
  const values = new Map<string, ObjectMeta | undefined>();
  for (const chunk of large.chunks) {
    const keys = [...new Snapshot([chunk]).values(objectCodec)].map(({ key }) => key);
    const [first = "", second = "", last = ""] = [keys[0], keys[1], keys.at(-1)];
    values.set(first, { key: first, size: 1 }).set(second, undefined);
    values.set(`${last}!`, { key: `${last}!`, size: 2 }).set(last, undefined);
  }
  for (const [key, value] of values) {
    if (value === undefined) model.delete(key);
    else model.set(key, value);
  }
  assert.deepEqual([...patch(large, values, form).values(objectCodec)], sorted(model));
});

test("only the chunks with these keys are written anew", () => {
  const key = keyOf(9_000);
  const patched = patch(large, new Map([[key, { key, size: 1 }]]), form);
  const shared = patched.chunks.filter((chunk) => large.chunks.includes(chunk));
  assert.equal(shared.length, large.chunks.length - 1);
  assert.equal(patch(large, new Map(), form), large);
});
