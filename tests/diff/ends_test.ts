// A builder tells the least and the greatest key that it has got so far, as long as they come in order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import type { ObjectMeta } from "../../store.ts";
import { build, listing } from "./_objects.ts";

const objects = listing(5_000);
const old = build(objects);
const changed = (object: ObjectMeta) => ({ ...object, size: object.size + 1 });

test("the ends are known behind every key, whatever is shared with the listing before", () => {
  assert.ok(old.chunks.length > 3);
  const listings: Record<string, readonly ObjectMeta[]> = {
    "the same": objects,
    "all changed": objects.map(changed),
    "the first changed": objects.with(0, changed(objects[0]!)),
    "some changed": objects.map((object, i) => i % 701 === 700 ? changed(object) : object),
    "some gone": objects.filter((_, i) => i % 2_000 > 900),
    "the last one alone": objects.slice(-1),
  };
  for (const [what, listed] of Object.entries(listings)) {
    const borders = new Set(old.chunks.map(({ count }) => count));
    for (const before of [old, undefined]) {
      const builder = new ObjectBuilder(before);
      assert.deepEqual([builder.first, builder.last], [undefined, undefined], what);
      for (const [i, object] of listed.entries()) {
        builder.add(object);
        // Reading the last key takes time.
        if (i % 97 > 2 && !borders.has(i) && !borders.has(i + 1)) continue;
        assert.deepEqual([builder.first, builder.last], [listed[0]?.key, object.key], what);
      }
      assert.ok(builder.inOrder);
    }
  }
});

test("they are not known once a key came twice or out of order", () => {
  const [a, b] = [objects[0]!, objects[1]!];
  for (const before of [old, undefined]) {
    for (const [first, second] of [[a, a], [b, a], [changed(b), changed(b)]] as const) {
      const builder = new ObjectBuilder(before);
      builder.add(first);
      assert.ok(builder.inOrder);
      builder.add(second);
      assert.deepEqual([builder.inOrder, builder.first, builder.last], [
        false,
        undefined,
        undefined,
      ]);
    }
  }
});

test("a key that is kept counts only if the listing before has it", () => {
  const builder = new ObjectBuilder(old);
  builder.keep("a key before all");
  assert.deepEqual([builder.first, builder.last], [undefined, undefined]);
  builder.keep(objects[3]!.key);
  assert.deepEqual([builder.first, builder.last], [objects[3]!.key, objects[3]!.key]);
});
