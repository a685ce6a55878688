import assert from "node:assert/strict";
import { test } from "node:test";
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
      const entry = { name, due: 0, place: -1, order: 0 };
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
