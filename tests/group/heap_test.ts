import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Heap, type Placed } from "../../_group/heap.ts";

interface Entry extends Placed {
  readonly name: number;
}

const entry = (name: number): Entry => ({ name, due: 0, slot: -1 });

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("set" as const), which: fc.nat(11), due: fc.nat(5) }),
    fc.record({ kind: fc.constant("delete" as const), which: fc.nat(11) }),
  ),
  { maxLength: 80 },
);

test("entries come out by their time, then in the order in which they were set; any can be moved or deleted", () => {
  fc.assert(fc.property(steps, (steps) => {
    const heap = new Heap<Entry>();
    const entries = Array.from({ length: 12 }, (_, name) => entry(name));
    /** What is in the heap, in the order in which it was set. */
    let expected: Entry[] = [];
    const first = () => expected.toSorted((a, b) => a.due - b.due)[0];
    for (const step of steps) {
      const chosen = entries[step.which] as Entry;
      expected = expected.filter((other) => other !== chosen);
      if (step.kind === "set") {
        heap.set(chosen, step.due);
        expected.push(chosen);
      } else heap.delete(chosen);
      assert.equal(heap.top, first());
    }
    while (heap.top !== undefined) {
      const { top } = heap;
      assert.equal(top, first());
      heap.delete(top);
      assert.equal(top.slot, -1);
      expected = expected.filter((other) => other !== top);
    }
    assert.deepEqual(expected, []);
  }));
});
