import assert from "node:assert/strict";
import { test } from "node:test";
import { Aside } from "../../_watch/aside.ts";
import type { Pace } from "../../_watch/pace.ts";
import { withClock } from "./_watch.ts";

const PACE: Pace = {
  interval: 1,
  minBackoff: 100,
  maxBackoff: 400,
  maxRetryAfter: 400,
  jitter: 0,
};

test("items come again in the order in which they are due, those due together in the order in which they failed", () =>
  withClock(async (clock) => {
    const aside = new Aside(PACE);
    assert.deepEqual([aside.size, aside.left, aside.take()], [0, undefined, undefined]);
    aside.failed("c");
    await clock.tick(100);
    assert.equal(aside.take(), "c");
    // Due after 200, 100, 100, 0 and 100 milliseconds.
    assert.deepEqual(aside.failed("c"), { attempt: 2, wait: 200 });
    assert.deepEqual(aside.failed("a"), { attempt: 1, wait: 100 });
    aside.failed("b");
    aside.add("earlier");
    aside.failed("d");
    assert.equal(aside.left, 0);
    assert.equal(aside.take(), "earlier");
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
    const aside = new Aside(PACE);
    aside.add("kept");
    assert.deepEqual([aside.size, aside.failures("kept"), aside.take()], [1, 0, "kept"]);
    const waits: number[] = [];
    for (let i = 0; i < 4; i++) {
      const { wait } = aside.failed("kept");
      waits.push(wait);
      await clock.tick(wait);
      assert.equal(aside.take(), "kept");
    }
    assert.deepEqual(waits, [100, 200, 400, 400]);
    assert.deepEqual([aside.size, aside.failures("kept")], [1, 4]);
    assert.equal(aside.handled("kept"), true);
    assert.equal(aside.handled("kept"), false);
    assert.equal(aside.handled("never"), false);
    assert.deepEqual([aside.size, aside.failures("kept")], [0, 0]);
    assert.equal(aside.failed("kept").attempt, 1);
  }));
