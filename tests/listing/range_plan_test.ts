// Where the next listing is cut, from the places of the keys that the last one found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import type { Snapshot } from "../../_diff/snapshot.ts";
import { KeySample } from "../../_listing/key_sample.ts";
import { joinLayouts, layoutOf } from "../../_listing/layouts.ts";
import {
  type Cut,
  type Layout,
  type PageHabit,
  planRanges,
  rangesBetween,
} from "../../_listing/range_plan.ts";

/** A layout of so many keys, of which each can be a cut. */
function keys(count: number, name = ""): Layout {
  return {
    count,
    cutAt(at) {
      const found = Math.min(at, count);
      return found > 0 ? { key: `${name}${found}`, count: found } : undefined;
    },
  };
}

const steady: PageHabit = { size: 100, steady: true };
const unsteady: PageHabit = { size: 100, steady: false };

/** The ranges as text: where each ends, and its pages. */
function plan(layout: Layout, habit: PageHabit, concurrency: number): string {
  return planRanges(layout, habit, concurrency)
    .map(({ until = "end", pages }) => `${until}:${pages}`).join(" ");
}

test("ranges are of whole pages, as equal as can be, and none of less than four", () => {
  assert.equal(plan(keys(0), steady, 16), "end:1");
  assert.equal(plan(keys(1), steady, 16), "end:1");
  assert.equal(plan(keys(700), steady, 16), "end:7");
  assert.equal(plan(keys(701), steady, 16), "400:4 end:4");
  assert.equal(plan(keys(800), steady, 16), "400:4 end:4");
  assert.equal(plan(keys(1_000), steady, 16), "500:5 end:5");
  assert.equal(plan(keys(1_001), steady, 16), "600:6 end:5");
  assert.equal(plan(keys(1_300), steady, 16), "500:5 900:4 end:4");
});

test("there are no more ranges than may be listed at once", () => {
  assert.equal(plan(keys(10_000), steady, 2), "5000:50 end:50");
  assert.equal(plan(keys(10_000), steady, 1), "end:100");
  assert.equal(plan(keys(10_000), steady, 3), "3400:34 6700:33 end:33");
});

test("where pages are not full, there are five ranges, or as many as have seventeen pages", () => {
  assert.equal(plan(keys(700), unsteady, 16), "end:7");
  assert.equal(plan(keys(800), unsteady, 16), "400:4 end:4");
  assert.equal(plan(keys(10_000), unsteady, 16), "2000:20 4000:20 6000:20 8000:20 end:20");
  assert.equal(plan(keys(10_100), unsteady, 16).split(" ").length, 5);
  assert.equal(plan(keys(10_200), unsteady, 16).split(" ").length, 6);
  assert.equal(plan(keys(10_200), unsteady, 3).split(" ").length, 3);
});

test("a range without a key that can end it goes on to the next cut", () => {
  const cuts = (...at: number[]): Layout => ({
    count: 1_200,
    cutAt(count): Cut | undefined {
      const found = at.findLast((place) => place <= count);
      return found === undefined ? undefined : { key: String(found), count: found };
    },
  });
  assert.equal(plan(cuts(400, 800), steady, 3), "400:4 800:4 end:4");
  assert.equal(plan(cuts(800), steady, 3), "800:8 end:4");
  assert.equal(plan(cuts(350, 750), steady, 3), "350:4 750:4 end:5");
  assert.equal(plan(cuts(350), steady, 3), "350:4 end:9");
  assert.equal(plan(cuts(), steady, 3), "end:12");
});

test("ranges between keys leave no gap", () => {
  assert.deepEqual(rangesBetween([]), [{}]);
  assert.deepEqual(rangesBetween(["a", "b"]), [
    { until: "a" },
    { after: "a", until: "b" },
    { after: "b" },
  ]);
});

test("joined layouts are one", () => {
  const gap: Layout = { count: 2, cutAt: () => undefined };
  const joined = joinLayouts([keys(3, "a"), gap, keys(2, "c")]);
  assert.equal(joined.count, 7);
  const cuts = Array.from({ length: 9 }, (_, count) => joined.cutAt(count));
  assert.deepEqual(cuts.map((cut) => cut && `${cut.key} ${cut.count}`), [
    undefined,
    "a1 1",
    "a2 2",
    "a3 3",
    "a3 3",
    "a3 3",
    "c1 6",
    "c2 7",
    "c2 7",
  ]);
  assert.equal(joinLayouts([]).count, 0);
});

function snapshotOf(keys: readonly string[]): Snapshot {
  const builder = new ObjectBuilder();
  for (const key of keys) builder.add({ key, size: 1 });
  return builder.finish();
}

test("a cut is a key that a request can name, unless many before it are none", () => {
  const bad = (count: number) =>
    Array.from({ length: count }, (_, i) => `b${String(i).padStart(3, "0")}\ud800`);
  const layout = layoutOf(snapshotOf(["a", ...bad(64), "c"]));
  assert.equal(layout.count, 66);
  assert.equal(layout.cutAt(0), undefined);
  assert.deepEqual(layout.cutAt(1), { key: "a", count: 1 });
  assert.deepEqual(layout.cutAt(64), { key: "a", count: 1 });
  assert.equal(layout.cutAt(65), undefined);
  assert.deepEqual(layout.cutAt(66), { key: "c", count: 66 });
});

/** A sample of pages of these keys. */
function sampleOf(...pages: (readonly string[])[]): KeySample {
  const sample = new KeySample();
  for (const page of pages) {
    sample.beginPage(page.map((key) => ({ key, size: 1 })));
    for (const key of page) sample.see(key);
  }
  return sample;
}

test("a sample tells what came, and where it can be cut", () => {
  const none = sampleOf([]);
  assert.deepEqual([none.count, none.inOrder, none.first, none.last], [
    0,
    true,
    undefined,
    undefined,
  ]);
  assert.equal(none.cutAt(5), undefined);
  const sample = sampleOf(["a", "b\ud800"], ["c", "d"]);
  assert.deepEqual([sample.count, sample.inOrder, sample.first, sample.last], [4, true, "a", "d"]);
  assert.equal(sample.cutAt(0), undefined);
  assert.deepEqual(sample.cutAt(1), { key: "a", count: 1 });
  assert.deepEqual(sample.cutAt(2), { key: "a", count: 1 }, "no request can name the second");
  assert.deepEqual(sample.cutAt(9), { key: "d", count: 4 });
  assert.equal(sampleOf(["a"], ["a", "b"]).inOrder, false, "twice");
  assert.equal(sampleOf(["b", "a", "c"]).inOrder, false);
  assert.equal(sampleOf(["\uffff", "\u{10000}"]).inOrder, true, "in the order of UTF-8");
});

test("a sample may end within its last page", () => {
  const sample = sampleOf(["a", "b"], ["c", "d", "e"]);
  for (const [key, count] of [["bb", 2], ["c", 3], ["d", 4], ["dd", 4], ["z", 5]] as const) {
    const part = sample.upTo(key);
    assert.deepEqual([part.count, part.inOrder, part.first, part.last], [count, true, "a", key]);
    assert.equal(part.cutAt(9)?.count, count);
  }
  assert.equal(sampleOf(["b", "a"]).upTo("b").inOrder, false);
});

test("of many keys every second one is forgotten", () => {
  const keys = Array.from({ length: 10_000 }, (_, i) => String(i + 1).padStart(5, "0"));
  const few = sampleOf(keys.slice(0, 4_096));
  assert.deepEqual(few.cutAt(4_095), { key: "04095", count: 4_095 });
  const more = sampleOf(keys.slice(0, 4_099));
  assert.deepEqual(more.cutAt(4_099), { key: "04098", count: 4_098 });
  assert.equal(more.cutAt(1), undefined);
  const many = sampleOf(keys);
  assert.equal(many.count, 10_000);
  assert.deepEqual(many.cutAt(9_999), { key: "09996", count: 9_996 });
  assert.deepEqual(many.cutAt(7), { key: "00004", count: 4 });
});
