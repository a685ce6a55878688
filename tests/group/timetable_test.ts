import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Placed } from "../../_group/heap.ts";
import { Timetable } from "../../_group/timetable.ts";
import { type Clock, START, withClock } from "../watch/_watch.ts";

interface Entry extends Placed {
  readonly name: string;
}

function withTimetable(
  body: (setup: {
    clock: Clock;
    timetable: Timetable<Entry>;
    calls: number[];
    plan: (name: string, wait: number) => Entry;
  }) => Promise<void>,
): Promise<void> {
  return withClock(async (clock) => {
    const calls: number[] = [];
    const timetable = new Timetable<Entry>(() => calls.push(Date.now() - START));
    const plan = (name: string, wait: number) => {
      const entry = { name, due: 0, slot: -1 };
      timetable.plan(entry, wait);
      return entry;
    };
    await body({ clock, timetable, calls, plan });
    timetable.wake();
    assert.equal(clock.timers, 0);
  });
}

test("what is due is taken, that which has been due for longest first", () =>
  withTimetable(async ({ clock, timetable, plan }) => {
    plan("b", 20);
    const a = plan("a", 10);
    plan("c", 21);
    assert.equal(timetable.takeDue(), undefined);
    await clock.tick(20);
    assert.equal(timetable.takeDue()?.name, "a");
    assert.equal(timetable.takeDue()?.name, "b");
    assert.equal(timetable.takeDue(), undefined);
    // It is as overdue as it was.
    timetable.putBack(a);
    await clock.tick(1);
    assert.equal(timetable.takeDue()?.name, "a");
    assert.equal(timetable.takeDue()?.name, "c");
    const gone = plan("gone", 0);
    timetable.delete(gone);
    assert.equal(timetable.takeDue(), undefined);
  }));

test("one timer wakes for the next entry, and is set anew only if one is earlier", () =>
  withTimetable(async ({ clock, timetable, calls, plan }) => {
    timetable.sleep();
    assert.equal(clock.timers, 0, "nothing to wait for");
    const first = plan("first", 100);
    timetable.sleep();
    plan("later", 200);
    plan("together", 100);
    timetable.sleep();
    assert.deepEqual(clock.delays, [100]);
    plan("earlier", 50.5);
    timetable.sleep();
    assert.deepEqual(clock.delays, [100, 51], "whole milliseconds, and never too early");
    assert.equal(clock.timers, 1);
    await clock.tick(51);
    assert.deepEqual(calls, [51]);
    assert.equal(timetable.takeDue()?.name, "earlier");
    timetable.sleep();
    assert.equal(clock.delays.at(-1), 49);
    timetable.delete(first);
    await clock.tick(49);
    assert.deepEqual(calls, [51, 100]);
    timetable.sleep();
    assert.equal(clock.delays.at(-1), 0, "what is due already");
    timetable.wake();
    assert.equal(clock.timers, 0);
    timetable.sleep();
    assert.equal(clock.timers, 1);
  }));

test("a timetable that has become empty has no timer", () =>
  withTimetable(async ({ clock, timetable, calls, plan }) => {
    const only = plan("only", 10);
    timetable.sleep();
    timetable.delete(only);
    timetable.sleep();
    assert.equal(clock.timers, 0);
    await clock.tick(20);
    assert.deepEqual(calls, []);
  }));

test("timeouts end by the same timer, each once, and in their order", () =>
  withTimetable(async ({ clock, timetable, calls, plan }) => {
    const now = mock.method(performance, "now", () => Date.now() - START);
    try {
      const ended: string[] = [];
      timetable.startTimeout(100, () => ended.push("late"));
      timetable.startTimeout(50, () => ended.push("early"));
      const cancel = timetable.startTimeout(50, () => ended.push("cancelled"));
      plan("entry", 60);
      timetable.sleep();
      assert.equal(clock.timers, 1);
      cancel();
      cancel();
      await clock.tick(49);
      assert.deepEqual(ended, []);
      await clock.tick(1);
      assert.deepEqual(ended, ["early"]);
      assert.deepEqual(calls, [], "no entry is due");
      await clock.tick(10);
      assert.deepEqual(calls, [60]);
      assert.equal(clock.timers, 1, "for the timeout that is left, whoever is told of entries");
      await clock.tick(40);
      assert.deepEqual(ended, ["early", "late"]);
      assert.deepEqual(calls, [60], "once");
    } finally {
      now.mock.restore();
    }
  }));

test("a timeout that is cancelled leaves no timer, unless there is something else to wait for", () =>
  withTimetable(async ({ clock, timetable, plan }) => {
    timetable.startTimeout(100, () => assert.fail())();
    assert.equal(clock.timers, 0);
    const entry = plan("entry", 10);
    timetable.sleep();
    timetable.startTimeout(100, () => assert.fail())();
    assert.deepEqual(clock.delays, [100, 10], "the timer for the entry serves");
    const cancel = timetable.startTimeout(100, () => assert.fail());
    timetable.wake();
    assert.equal(clock.timers, 1, "a timeout goes on while no entry is waited for");
    cancel();
    assert.equal(clock.timers, 0);
    timetable.sleep();
    timetable.delete(entry);
    const last = timetable.startTimeout(100, () => assert.fail());
    last();
    assert.equal(clock.timers, 0, "nor while entries are waited for, and there is none");
    await clock.tick(200);
  }));

test("a wall clock that is set ahead ends no request", () =>
  withTimetable(async ({ clock, timetable, plan, calls }) => {
    const cancel = timetable.startTimeout(30_000, () => assert.fail());
    plan("entry", 10);
    timetable.sleep();
    await clock.tick(60_000); // performance.now() goes on as before
    assert.equal(calls.length, 1);
    assert.equal(clock.timers, 1);
    cancel();
  }));
