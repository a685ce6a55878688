// When a source is polled next: what servers ask for, refreshes, failures and parts.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pace } from "../../_watch/waits.ts";
import { Schedule, type ScheduleOptions } from "../../_watch/whole_and_parts.ts";
import { PartSource } from "./_parts.ts";
import { type Clock, ManualSource, START, withClock } from "./_watch.ts";

const PACE: Pace = {
  interval: 100,
  minBackoff: 200,
  maxBackoff: 800,
  maxRetryAfter: 1_000,
  jitter: 0,
};

function withSchedule(
  body: (schedule: Schedule, clock: Clock) => unknown,
  { source = new ManualSource(), pace = PACE, ...options }: ScheduleOptions & {
    source?: ManualSource;
    pace?: Pace;
  } = {},
): Promise<void> {
  return withClock(async (clock) => void await body(new Schedule(pace, source, options), clock));
}

test("a server can lengthen the wait after a good poll, up to a bound, for that poll alone", () =>
  withSchedule((schedule) => {
    const after = (...asked: number[]) => {
      const { onCadence } = schedule.begin();
      for (const wait of asked) onCadence?.(wait);
      schedule.afterSuccess();
      return schedule.left;
    };
    assert.equal(after(), 100);
    assert.equal(after(500), 500);
    assert.equal(after(), 100);
    assert.equal(after(300, 700, 400), 700, "the longest counts");
    assert.equal(after(99), 100, "no shorter than the interval");
    assert.equal(after(NaN), 100);
    assert.equal(after(500, NaN), 500);
    assert.equal(after(5_000), 1_000);
  }));

test("the share of the jitter may be chosen", () =>
  withSchedule((schedule) => {
    schedule.jitterShare = () => 0.5;
    schedule.begin();
    schedule.afterSuccess();
    assert.equal(schedule.left, 125);
  }, { pace: { ...PACE, jitter: 0.5 } }));

test("a plan is there from the end of a poll to the beginning of the next", () =>
  withSchedule(async (schedule, clock) => {
    assert.deepEqual([schedule.left, schedule.nextPoll], [0, undefined], "due at once");
    schedule.begin();
    assert.equal(schedule.afterFailure(2, undefined), 400);
    assert.deepEqual([schedule.left, schedule.nextPoll], [400, START + 400]);
    await clock.tick(150);
    assert.deepEqual([schedule.left, schedule.planned], [250, 250]);
    schedule.refresh();
    assert.deepEqual([schedule.left, schedule.planned], [0, 0]);
    schedule.begin();
    assert.equal(schedule.nextPoll, undefined);
    schedule.afterSuccess();
    assert.equal(schedule.left, 100, "the refresh was for one poll");
    schedule.clear();
    assert.equal(schedule.nextPoll, undefined);
    assert.equal(schedule.putOff, undefined, "without a budget nothing is put off");
  }));

test("a budget puts off what is planned, a refresh too, but is not part of the plan", () =>
  withSchedule(async (schedule, clock) => {
    const { onRequest } = schedule.begin();
    assert.equal(schedule.isAffordable, true);
    for (let i = 0; i < 5; i++) onRequest?.();
    schedule.afterSuccess();
    assert.equal(schedule.isAffordable, false);
    assert.deepEqual([schedule.left, schedule.planned, schedule.putOff], [500, 100, 400]);
    assert.equal(schedule.nextPoll, START + 500);
    schedule.refresh();
    assert.deepEqual([schedule.left, schedule.planned, schedule.putOff], [500, 0, 500]);
    schedule.begin();
    assert.equal(schedule.afterFailure(1, undefined), 500);
    await clock.tick(500);
    assert.deepEqual([schedule.left, schedule.putOff, schedule.isAffordable], [0, 0, true]);
    assert.equal(schedule.nextPoll, START + 200);
  }, { maxRequests: { count: 1, per: 100 } }));

test("a part is polled beside the plan of everything, and everything if that is asked for", () =>
  withSchedule(async (schedule, clock) => {
    schedule.refresh({ keys: ["early"] });
    assert.equal(schedule.begin().part, undefined, "everything comes first");
    assert.equal(schedule.isPart, false);
    schedule.afterSuccess();
    await clock.tick(40);
    schedule.refresh({ keys: ["a"] });
    assert.deepEqual([schedule.left, schedule.nextPoll], [0, START + 100]);
    assert.deepEqual(schedule.begin().part, { keys: ["a"] });
    assert.equal(schedule.isPart, true);
    schedule.afterSuccess();
    assert.deepEqual([schedule.left, schedule.nextPoll], [60, START + 100]);
    // A failure of a part has its own back-off.
    schedule.refresh({ keys: ["b"] });
    schedule.begin();
    assert.equal(schedule.afterFailure(1, 300), 300);
    assert.equal(schedule.left, 60);
    schedule.refresh({ keys: ["c"] });
    assert.equal(schedule.begin(true).part, undefined);
    assert.equal(schedule.isPart, false);
    schedule.afterSuccess();
    assert.equal(schedule.left, 100, "it has covered the parts, too");
    // Of two that are due, everything is polled.
    schedule.refresh({ keys: ["d"] });
    await clock.tick(100);
    assert.equal(schedule.begin().part, undefined);
  }, { source: new PartSource() }));

test("a failed part waits for the budget, where that is longer than its back-off", () =>
  withSchedule(async (schedule, clock) => {
    schedule.begin();
    schedule.afterSuccess();
    await clock.tick(1);
    schedule.refresh({ keys: ["a"] });
    const { onRequest } = schedule.begin();
    for (let i = 0; i < 4; i++) onRequest?.();
    // Of four requests at 500 ms each, all but one must be paid for.
    assert.equal(schedule.afterFailure(1, undefined), 1_500);
  }, { source: new PartSource(), maxRequests: { count: 2, per: 1_000 } }));
