import assert from "node:assert/strict";
import { test } from "node:test";
import { Aside, type AsideSetting } from "../../_watch/aside.ts";
import type { Pace } from "../../_watch/waits.ts";
import { withClock } from "./_watch.ts";

const PACE: Pace = {
  interval: 1,
  minBackoff: 100,
  maxBackoff: 400,
  maxRetryAfter: 400,
  jitter: 0,
};

/** The items of a source, and what was reported of them. */
function asideOf(...keys: string[]) {
  const health: AsideSetting["health"] = { aside: undefined, lastError: undefined };
  const reports: string[] = [];
  const reporter: AsideSetting["reporter"] = {
    failed: (row, { code, source, key }, { attempt, wait }) =>
      void reports.push(`${row} ${code} ${source} ${key}: attempt ${attempt}, ${wait} ms`),
    handledAll: () => void reports.push("handled all"),
    warned: (message) => void reports.push(message),
  };
  const aside = new Aside({ source: { name: "s" }, pace: PACE, health, reporter }, keys);
  /** What was reported since this was called last. */
  const told = () => reports.splice(0);
  return { aside, health, told };
}

test("items come again in the order in which they are due, those due together in the order in which they failed", () =>
  withClock(async (clock) => {
    const none = asideOf().aside;
    assert.deepEqual([none.size, none.left, none.take()], [0, undefined, undefined]);
    const { aside, told } = asideOf("earlier", "c");
    assert.deepEqual([aside.left, aside.take()], [0, "earlier"]);
    assert.equal(aside.take(), "c");
    aside.failed("c", "why");
    await clock.tick(100);
    assert.equal(aside.take(), "c");
    // Due after 200, 100, 100 and 100 milliseconds.
    for (const key of ["c", "a", "b", "d"]) aside.failed(key, "why");
    assert.deepEqual(told().slice(1, 3), [
      "handle handler s c: attempt 2, 200 ms",
      "handle handler s a: attempt 1, 100 ms",
    ]);
    assert.equal(aside.take(), undefined);
    assert.equal(aside.left, 100);
    await clock.tick(99);
    assert.equal(aside.take(), undefined);
    await clock.tick(1);
    assert.deepEqual([aside.take(), aside.take(), aside.take(), aside.take()], [
      ...["a", "b", "d"],
      undefined,
    ]);
    await clock.tick(500);
    assert.equal(aside.left, 0, "never less");
    assert.equal(aside.take(), "c");
  }));

test("an item counts until it is handled, also while it is tried again", () =>
  withClock(async (clock) => {
    const { aside, health, told } = asideOf("kept");
    assert.deepEqual([aside.size, health.aside, aside.failures("kept")], [1, 1, 0]);
    assert.equal(aside.take(), "kept");
    for (const wait of [100, 200, 400, 400]) {
      aside.failed("kept", "why");
      await clock.tick(wait - 1);
      assert.equal(aside.take(), undefined);
      await clock.tick(1);
      assert.equal(aside.take(), "kept");
    }
    assert.deepEqual([aside.size, health.aside, aside.failures("kept")], [1, 1, 4]);
    assert.match(String(health.lastError?.message), /^Cannot handle 'kept' of 's': why$/);
    assert.equal(told().length, 4);
    aside.handled("kept");
    aside.handled("kept");
    aside.handled("never");
    assert.deepEqual(told(), ["handled all"]);
    assert.deepEqual([aside.size, health.aside, aside.failures("kept")], [0, 0, 0]);
    aside.failed("kept", "why");
    assert.deepEqual(told(), ["handle handler s kept: attempt 1, 100 ms"]);
  }));

test("the 10,000th item set aside is told of once, and again after some were handled", () => {
  const { aside, told } = asideOf(...Array.from({ length: 9_999 }, (_, i) => String(i)));
  assert.equal(aside.isFull, false);
  const warnings = () => told().filter((line) => line.startsWith("Holding back"));
  const full = [
    "Holding back new events of 's' as 10000 items were set aside: some must be handled first",
  ];
  aside.failed("a", "why");
  assert.deepEqual([aside.isFull, warnings()], [true, full]);
  aside.failed("b", "why");
  assert.deepEqual(warnings(), []);
  aside.handled("a");
  aside.handled("b");
  assert.equal(aside.isFull, false);
  aside.failed("a", "why");
  assert.deepEqual(warnings(), full);
});
