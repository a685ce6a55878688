// W4: waits longer than the timers of the runtimes, and clocks that jump.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { added, begin, settle, START, withClock, withWatch } from "./_watch.ts";
import { startTimer } from "../../_bounds/timer.ts";

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
test("W4: an interval above 2³¹ − 1 ms is waited in full", () =>
  withWatch({ interval: 2 ** 32 }, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer();
    for (let n = 0; n < 2; n++) await clock.tick(2 ** 31 - 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
  }));

test("W4: a timeout above 2³¹ − 1 ms does not fire at once", () =>
  withWatch({ timeout: 2 ** 32 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    await clock.tick(2 ** 31);
    assert.equal(failures.length, 0);
    assert.equal(source.last.signal.aborted, false);
  }));

test("a wall clock set back does not lengthen the wait", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"));
    await first;
    mock.timers.setTime(START - 3_600_000);
    begin(reader.read());
    await clock.tick(100);
    assert.equal(source.polls.length, 2);
  }));
