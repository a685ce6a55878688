import assert from "node:assert/strict";
import { test } from "node:test";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "../../_watch/pace.ts";
import { startTimer } from "../../_bounds/timer.ts";
import { withClock } from "./_watch.ts";

const pace: Pace = { interval: 30_000, maxBackoff: 960_000, jitter: 0 };
const lowest = () => 0;
// Math.random() stays below 1; the bounds must hold for 1 all the same.
const highest = () => 1;

test("W2: after a good poll the wait is the interval", () => {
  assert.equal(waitAfterSuccess(pace), 30_000);
});

test("W2: after the n-th failure the wait is the interval times 2 to the n, up to maxBackoff", () => {
  const waits = [1, 2, 3, 4, 5, 6, 7].map((n) => waitAfterFailure(n, undefined, pace));
  assert.deepEqual(waits, [60_000, 120_000, 240_000, 480_000, 960_000, 960_000, 960_000]);
});

test("W2: failures without end stay at maxBackoff", () => {
  for (const n of [53, 1_000, 1_024, 1e9]) {
    assert.equal(waitAfterFailure(n, undefined, pace), 960_000);
  }
});

test("W3: retryAfter lifts the wait, up to maxBackoff", () => {
  assert.equal(waitAfterFailure(1, 90_000, pace), 90_000);
  assert.equal(waitAfterFailure(1, 960_000, pace), 960_000);
  assert.equal(waitAfterFailure(1, 960_001, pace), 960_000);
  assert.equal(waitAfterFailure(1, Infinity, pace), 960_000);
});

test("W3: a retryAfter below the back-off, in the past or not a number changes nothing", () => {
  for (const retryAfter of [undefined, 0, -1, -Infinity, NaN, 1, 59_999, 60_000]) {
    assert.equal(waitAfterFailure(1, retryAfter, pace), 60_000, String(retryAfter));
  }
});

test("W4: jitter lengthens a wait by up to its share, and never shortens it", () => {
  const jittered = { ...pace, jitter: 0.25 };
  assert.equal(waitAfterSuccess(jittered, lowest), 30_000);
  assert.equal(waitAfterSuccess(jittered, () => 0.5), 33_750);
  assert.equal(waitAfterSuccess(jittered, highest), 37_500);
  assert.equal(waitAfterFailure(1, undefined, jittered, lowest), 60_000);
  assert.equal(waitAfterFailure(1, undefined, jittered, highest), 75_000);
  assert.equal(waitAfterFailure(1, 90_000, jittered, highest), 112_500);
  assert.equal(waitAfterSuccess({ ...pace, jitter: 1 }, highest), 60_000);
});

test("W4: jitter takes no failure wait past maxBackoff", () => {
  const jittered = { ...pace, jitter: 1 };
  assert.equal(waitAfterFailure(4, undefined, jittered, highest), 960_000);
  assert.equal(waitAfterFailure(5, undefined, jittered, highest), 960_000);
  assert.equal(waitAfterFailure(1, 900_000, jittered, highest), 960_000);
});

test("W4: a jitter of 0 asks for no randomness to matter", () => {
  assert.equal(waitAfterSuccess(pace, highest), 30_000);
  assert.equal(waitAfterFailure(2, undefined, pace, highest), 120_000);
});

test("W4: a timer runs longer than the runtimes' 2³¹ − 1 ms", () =>
  withClock(async (clock) => {
    const year = 365 * 86_400_000;
    let fired = 0;
    startTimer(year, () => fired++);
    for (let left = year; left > 1;) {
      const step = Math.min(left - 1, 2 ** 31 - 1);
      await clock.tick(step);
      left -= step;
      assert.equal(fired, 0, `${left} ms before the end`);
      assert.equal(clock.timers, 1);
    }
    await clock.tick(1);
    assert.equal(fired, 1);
    assert.equal(clock.timers, 0);
    assert.ok(clock.delays.every((delay) => delay <= 2 ** 31 - 1), String(clock.delays));
  }));

test("W4: a timer of exactly 2³¹ ms does not fire at once", () =>
  withClock(async (clock) => {
    let fired = 0;
    startTimer(2 ** 31, () => fired++);
    await clock.tick(2 ** 31 - 1);
    assert.equal(fired, 0);
    await clock.tick(1);
    assert.equal(fired, 1);
  }));

test("W6: a long timer can be cancelled in every one of its stretches", () =>
  withClock(async (clock) => {
    for (const stretches of [0, 1, 2]) {
      let fired = 0;
      const stop = startTimer(2 ** 33, () => fired++);
      for (let done = 0; done < stretches; done++) await clock.tick(2 ** 31 - 1);
      stop();
      assert.equal(clock.timers, 0);
      await clock.tick(2 ** 33);
      assert.equal(fired, 0);
    }
  }));
