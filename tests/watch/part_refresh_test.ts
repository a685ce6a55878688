// `refresh` of a part: what is polled, when, and what stays as it was.
import { type ExternalPart, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PartSource, withParts } from "./_parts.ts";
import { added, begin, ManualSource, settle, withClock } from "./_watch.ts";

test("a part is polled at once, and the whole when it would have been anyway", () =>
  withParts(async ({ clock, source, watch, polls }) => {
    await clock.tick(600);
    watch.refresh({ keys: ["a"] });
    await settle();
    assert.deepEqual(source.asked, ["all", { keys: ["a"] }]);
    await source.last.answer();
    assert.deepEqual(polls.map(({ part }) => part), [undefined, { keys: ["a"] }]);
    await clock.tick(399);
    assert.equal(source.asked.length, 2);
    await clock.tick(1);
    assert.deepEqual(source.asked[2], "all");
    await source.last.answer();
    await clock.tick(999);
    assert.equal(source.asked.length, 3);
  }));

test("many parts that come while one is polled are one poll behind it", () =>
  withParts(async ({ source, watch }) => {
    watch.refresh({ keys: ["a"] });
    await settle();
    for (const key of ["b", "c", "b", "logs/1", "d"]) watch.refresh({ keys: [key] });
    watch.refresh({ prefix: "logs/" });
    watch.refresh({ prefix: "logs/today/" });
    watch.refresh({ keys: ["logs/2"] });
    watch.refresh({ keys: [] });
    await source.last.answer();
    await source.last.answer();
    assert.deepEqual(source.asked.slice(1), [{ keys: ["a"] }, {
      prefix: "logs/",
      keys: ["b", "c", "d"],
    }]);
    assert.equal(source.mostAtOnce, 1);
  }));

test("prefixes of which none is within another are a poll each", () =>
  withParts(async ({ source, watch }) => {
    for (const prefix of ["a/1/", "b/", "a/"]) watch.refresh({ prefix });
    await settle();
    await source.last.answer();
    await source.last.answer();
    assert.deepEqual(source.asked.slice(1), [{ prefix: "b/" }, { prefix: "a/" }]);
  }));

for (
  const [what, parts] of [
    ["keys", [{ keys: Array.from({ length: 1_001 }, (_, i) => `key ${i}`) }]],
    ["prefixes", Array.from({ length: 17 }, (_, i) => ({ prefix: `${i}/` }))],
  ] as const
) {
  test(`too many ${what} are a poll of everything`, () =>
    withParts(async ({ clock, source, watch }) => {
      for (const part of parts) watch.refresh(part);
      await settle();
      assert.deepEqual(source.asked, ["all", "all"]);
      await source.last.answer();
      await clock.tick(999);
      assert.equal(source.asked.length, 2);
    }));
}

test("a poll of everything takes along what was asked for before it began, and not what came later", () =>
  withParts(async ({ source, watch }) => {
    watch.refresh({ keys: ["a"] });
    watch.refresh();
    await settle();
    watch.refresh({ keys: ["b"] });
    await source.last.answer();
    assert.deepEqual(source.asked, ["all", "all", { keys: ["b"] }]);
    await source.last.answer();
  }));

test("no part is polled before everything was", () =>
  withClock(async (clock) => {
    const source = new PartSource();
    const watch = watchExternal(source, { interval: 1_000, jitter: 0, logger: false });
    watch.refresh({ keys: ["a"] });
    const reader = watch.getReader();
    begin(reader.read());
    await settle();
    await source.last.fail();
    watch.refresh({ keys: ["b"] });
    await clock.tick(1_999);
    assert.deepEqual(source.asked, ["all"]);
    await clock.tick(1);
    assert.deepEqual(source.asked, ["all", "all"]);
    await reader.cancel();
  }));

test("a part that fails is backed off from and comes again, with what was asked for meanwhile", () =>
  withParts(async ({ clock, source, watch, failures }) => {
    watch.refresh({ keys: ["a"] });
    await settle();
    await source.last.fail();
    assert.equal(watch.status.failures, 0, "of polls of everything");
    watch.refresh({ keys: ["b"] });
    await clock.tick(199);
    assert.equal(source.asked.length, 2);
    await clock.tick(1);
    assert.deepEqual(source.asked[2], { keys: ["a", "b"] });
    await source.last.fail();
    await clock.tick(399);
    assert.equal(source.asked.length, 3);
    await clock.tick(1);
    await source.last.answer();
    assert.deepEqual(source.asked[3], { keys: ["a", "b"] });
    assert.deepEqual(failures.map(({ info }) => [info.attempt, info.wait]), [[1, 200], [2, 400]]);
    watch.refresh({ keys: ["c"] });
    await settle();
    await source.last.fail();
    assert.equal(failures.at(-1)?.info.attempt, 1, "a good one ended the row");
  }, { minBackoff: 200, maxBackoff: 10_000 }));

test("a good part does not end the back-off of the whole", () =>
  withParts(async ({ clock, source, watch }) => {
    await clock.tick(1_000);
    await source.last.fail();
    const { lastSuccess } = watch.status;
    watch.refresh({ keys: ["a"] });
    await settle();
    await source.last.answer();
    assert.equal(watch.status.failures, 1);
    assert.equal(watch.status.lastSuccess, lastSuccess);
    await clock.tick(1_999);
    assert.deepEqual(source.asked, ["all", "all", { keys: ["a"] }]);
    await clock.tick(1);
    assert.equal(source.asked[3], "all");
  }));

test("events of a part that were not handled come again with the next one", () =>
  withClock(async () => {
    const source = new PartSource();
    const watch = watchExternal(source, { interval: 1_000, jitter: 0, logger: false });
    const reader = watch.getReader();
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"));
    await first;
    watch.refresh({ keys: ["b"] });
    const second = reader.read();
    await settle();
    assert.deepEqual(source.asked, ["all", { keys: ["b"] }]);
    await source.last.answer(added("b"));
    assert.deepEqual((await second).value, added("b"));
    assert.equal(source.commits, 1, "the one is not handled yet");
    begin(reader.read());
    await settle();
    assert.equal(source.commits, 2);
    await reader.cancel();
  }));

test("`synced` waits for everything, also where a part was handled before", () =>
  withClock(async (clock) => {
    const source = new PartSource();
    const watch = watchExternal(source, { interval: 1_000, jitter: 0, logger: false });
    const reader = watch.getReader();
    begin(reader.read());
    await settle();
    await source.last.answerWith({
      [Symbol.iterator]: () => ({
        next() {
          throw new Error("broke off");
        },
      }),
    });
    watch.refresh({ keys: ["a"] });
    await settle();
    await source.last.answer();
    let isSynced = false;
    begin(watch.synced.then(() => isSynced = true));
    await clock.tick(1_999);
    assert.deepEqual(source.asked, ["all", { keys: ["a"] }]);
    assert.equal(isSynced, false);
    await clock.tick(1);
    await source.last.answer();
    assert.equal(isSynced, true);
    await reader.cancel();
  }));

test("what is no part is refused by the call itself", () =>
  withParts(({ watch, source }) => {
    const wrong = [{}, null, { prefix: 1 }, { keys: "a" }, { keys: [""] }, { prefix: "\udc00" }];
    for (const part of wrong) {
      assert.throws(() => watch.refresh(part as ExternalPart), TypeError, JSON.stringify(part));
    }
    assert.equal(source.polls.length, 1);
    return Promise.resolve();
  }));

test("a source that can only be polled whole refuses a part", () => {
  const watch = watchExternal(new ManualSource(), 1_000);
  assert.throws(
    () => watch.refresh({ prefix: "a" }),
    { name: "TypeError", message: /a part of 'manual' as this source can only be polled whole/ },
  );
});
