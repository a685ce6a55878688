// Finding many keys in one snapshot, in any order.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textBytes } from "../../_bytes/exact_text.ts";
import { Lookup } from "../../_diff/lookup.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { Snapshot } from "../../_diff/snapshot.ts";
import { build, listing } from "./_objects.ts";

function find(lookup: Lookup, key: string): string | undefined {
  const bytes = textBytes(`<${key}>`);
  return lookup.find(bytes, 1, bytes.length - 1)?.value(objectCodec).key;
}

test("keys are found forwards, backwards, twice, and behind those that are not there", () => {
  const lookup = new Lookup(build(["a", "m", "z"].map((key) => ({ key, size: 1 }))));
  for (const key of ["a", "a", "m", "z", "m", "a", "z", "z", "a"]) {
    assert.equal(find(lookup, key), key);
  }
  // One that is not there leads past the others.
  assert.equal(find(lookup, "x"), undefined);
  assert.equal(find(lookup, "m"), "m");
  assert.equal(find(lookup, "zz"), undefined);
  assert.equal(find(lookup, "z"), "z");
  assert.equal(find(lookup, ""), undefined);
  assert.equal(find(lookup, "a"), "a");
  assert.equal(find(new Lookup(Snapshot.empty), "a"), undefined);
});

test("keys are found in any order, over many chunks", () => {
  const objects = listing(5_000);
  const snapshot = build(objects.filter((_, i) => i % 2 === 0));
  fc.assert(
    fc.property(fc.array(fc.nat(4_999), { maxLength: 50 }), (places) => {
      const lookup = new Lookup(snapshot);
      for (const place of places) {
        const { key } = objects[place]!;
        assert.equal(find(lookup, key), place % 2 === 0 ? key : undefined);
      }
    }),
    { numRuns: 50 },
  );
});
