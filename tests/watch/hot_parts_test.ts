// Hot parts: polled often, while everything is polled seldom.
import { type HotPart, watchExternal, type WatchOptions } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PartSource, withParts } from "./_parts.ts";
import { ManualSource, settle } from "./_watch.ts";

test("a hot part is polled at its own interval, from the end of one poll to the next", () =>
  withParts(async ({ clock, source }) => {
    for (let i = 1; i <= 4; i++) {
      await clock.tick(199);
      assert.equal(source.asked.length, i);
      await clock.tick(1);
      assert.deepEqual(source.asked[i], { prefix: "today/" });
      await clock.tick(10);
      await source.last.answer();
    }
    // After 840 ms. What would be due at 1040 ms comes with the poll of everything at 1000 ms.
    await clock.tick(160);
    assert.equal(source.asked[5], "all");
    await source.last.answer();
    await clock.tick(199);
    assert.equal(source.asked.length, 6);
    await clock.tick(1);
    assert.deepEqual(source.asked[6], { prefix: "today/" });
  }, { hot: [{ prefix: "today/", interval: 200 }] }));

test("none is polled before everything was, and jitter lengthens its wait", () =>
  withParts(async ({ clock, source }) => {
    assert.deepEqual(source.asked, ["all"]);
    await clock.tick(199);
    assert.equal(source.asked.length, 1);
    await clock.tick(201);
    assert.equal(source.asked.length, 2);
  }, { hot: [{ prefix: "a/", interval: 200 }], jitter: 1 }));

test("several that are due together are a poll each, and each has its own interval", () =>
  withParts(async ({ clock, source }) => {
    await clock.tick(100);
    await source.last.answer();
    await clock.tick(100);
    await source.last.answer();
    await source.last.answer();
    assert.deepEqual(source.asked.slice(1), [{ prefix: "a/" }, { prefix: "a/" }, { prefix: "b/" }]);
  }, { hot: [{ prefix: "a/", interval: 100 }, { prefix: "b/", interval: 200 }] }));

test("a prefix that becomes another one: the one before is polled once more", () => {
  let day = 1;
  return withParts(async ({ clock, source }) => {
    for (let i = 0; i < 4; i++) {
      await clock.tick(100);
      await source.last.answer();
      await source.last.answer();
      if (i === 1) day++;
    }
    const asked = source.asked.slice(1);
    assert.deepEqual(
      asked.map((part) => typeof part === "object" && part.prefix),
      ["day1/", "day1/", "day1/", "day2/", "day2/"],
    );
  }, { hot: [{ prefix: () => `day${day}/`, interval: 100 }] });
});

for (
  const [what, prefix] of [
    ["throws", () => {
      throw new Error("no calendar");
    }],
    ["tells no prefix", () => 1 as unknown as string],
  ] as const
) {
  test(`a function that ${what} fails the poll of the part, and nothing else`, () =>
    withParts(async ({ clock, source, failures }) => {
      await clock.tick(100);
      assert.deepEqual(source.asked, ["all"]);
      const [failure] = failures;
      assert.ok(failure);
      assert.deepEqual([failure.error.code, failure.info.wait], ["invalid", 300]);
      assert.match(failure.error.message, /a hot part of 'manual' as its 'prefix' failed: /);
      await clock.tick(299);
      assert.equal(failures.length, 1);
      await clock.tick(1);
      assert.equal(failures[1]?.info.attempt, 2);
      await clock.tick(600);
      assert.equal(source.asked[1], "all", "which is due at 1000 ms");
      await source.last.answer();
    }, { hot: [{ prefix, interval: 100 }], minBackoff: 300 }));
}

test("one that fails comes again behind a back-off", () =>
  withParts(async ({ clock, source }) => {
    await clock.tick(100);
    await source.last.fail();
    await clock.tick(299);
    assert.equal(source.asked.length, 2);
    await clock.tick(1);
    assert.deepEqual(source.asked[2], { prefix: "a/" });
    await source.last.answer();
  }, { hot: [{ prefix: "a/", interval: 100 }], minBackoff: 300 }));

test("wrong parts are refused by the call itself", async () => {
  const watch = (hot: unknown, source = new PartSource()) =>
    watchExternal(source, { interval: 1_000, hot } as WatchOptions);
  for (const hot of [{}, [1], [null], [{ interval: 1 }], [{ prefix: 1, interval: 1 }]]) {
    assert.throws(() => watch(hot), TypeError, JSON.stringify(hot));
  }
  for (const interval of [0, -1, NaN]) {
    assert.throws(() => watch([{ prefix: "a", interval }]), RangeError);
  }
  const part: HotPart = { prefix: "a", interval: 1 };
  assert.throws(
    () => watchExternal(new ManualSource(), { interval: 1_000, hot: [part] }),
    { name: "TypeError", message: /'hot' needs a source that can be polled in parts/ },
  );
  watchExternal(new ManualSource(), { interval: 1_000, hot: [] });
  await settle();
});
