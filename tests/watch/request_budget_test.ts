// A budget of requests: polls come later, and never on average more often than it allows. And what a day costs.
import { RequestBudget, watchExternal, type WatchOptions } from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { PartSource, withParts } from "./_parts.ts";
import { begin, ManualSource, type Poll, settle, START, withClock, withWatch } from "./_watch.ts";

const DAY = 86_400_000;

/** Answers a poll that took so many requests. */
async function answer(poll: Poll, requests: number): Promise<void> {
  for (let i = 0; i < requests; i++) poll.onRequest?.();
  await poll.answer();
}

test("a poll waits until all requests before it are earned, and the status says so", () =>
  withWatch(
    { maxRequests: { count: 10, per: 1_000 } },
    async ({ clock, source, watch, reader }) => {
      begin(reader.read());
      await settle();
      await answer(source.last, 5);
      assert.equal(watch.status.putOff, 400);
      assert.equal(watch.status.nextPoll, START + 500);
      await clock.tick(499);
      assert.equal(source.polls.length, 1);
      await clock.tick(1);
      assert.equal(source.polls.length, 2);
      await answer(source.last, 1);
      assert.equal(watch.status.putOff, undefined);
      await clock.tick(100);
      assert.equal(source.polls.length, 3, "one within its means comes at its interval");
    },
  ));

test("a refresh and a back-off wait for it, too", () =>
  withWatch(
    { maxRequests: { count: 1, per: 100 }, minBackoff: 100 },
    async ({ clock, source, watch, reader, failures }) => {
      begin(reader.read());
      await settle();
      await answer(source.last, 5);
      watch.refresh();
      await clock.tick(499);
      assert.equal(source.polls.length, 1);
      await clock.tick(1);
      assert.equal(source.polls.length, 2);
      for (let i = 0; i < 3; i++) source.last.onRequest?.();
      await source.last.fail();
      assert.equal(failures[0]?.info.wait, 300);
      await clock.tick(299);
      assert.equal(source.polls.length, 2);
      await clock.tick(1);
      assert.equal(source.polls.length, 3);
    },
  ));

test("parts come ahead of what is earned, up to the whole budget, and the whole waits for them", () =>
  withParts(async ({ clock, source, watch }) => {
    for (let i = 0; i < 4; i++) {
      watch.refresh({ keys: [`${i}`] });
      await settle();
      await answer(source.last, 1);
    }
    assert.equal(source.asked.length, 5, "four at once");
    watch.refresh({ keys: ["4"] });
    await clock.tick(499);
    assert.equal(source.asked.length, 5);
    await clock.tick(1);
    assert.equal(source.asked.length, 6);
    await answer(source.last, 1);
    assert.equal(watch.status.nextPoll, START + 2_500);
    await clock.tick(1_999);
    assert.equal(source.asked.length, 6);
    await clock.tick(1);
    assert.equal(source.asked[6], "all");
  }, { maxRequests: { count: 4, per: 2_000 } }));

test("several watches share one", () =>
  withClock(async (clock) => {
    const maxRequests = new RequestBudget({ count: 1, per: 1_000 });
    const sources = [new ManualSource(), new ManualSource()] as const;
    const readers = sources.map((source) =>
      watchExternal(source, { interval: 1_500, jitter: 0, maxRequests, logger: false }).getReader()
    );
    for (const reader of readers) begin(reader.read());
    await settle();
    for (const source of sources) await answer(source.last, 1);
    const polls = () => sources.map((source) => source.polls.length);
    await clock.tick(1_999);
    assert.deepEqual(polls(), [1, 1]);
    await clock.tick(1);
    // Both were waiting for this; the first to come spends it.
    await answer(sources[0].last, 1);
    assert.ok(polls()[0] === 2);
    for (const reader of readers) await reader.cancel();
  }));

test("a wall clock that is set back costs no time", () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  try {
    const budget = new RequestBudget({ count: 1, per: 1_000 });
    budget.spend();
    mock.timers.setTime(START - 500_000);
    assert.equal(budget.left(false), 1_000);
    budget.spend();
    assert.equal(budget.left(false), 2_000);
    mock.timers.setTime(START - 500_000 + 1_500);
    assert.equal(budget.left(false), 500);
  } finally {
    mock.timers.reset();
  }
});

test("the status tells what a day takes: of everything, and of parts", () =>
  withParts(async ({ clock, source, watch }) => {
    assert.equal(watch.status.requests, undefined, "a source that does not count");
    await clock.tick(1_000);
    await answer(source.last, 40);
    assert.equal(watch.status.requests, 40);
    // Two polls, of which one took 40, in two seconds.
    assert.equal(watch.status.requestsPerDay, 40 * DAY / 2_000);
    for (let i = 0; i < 3; i++) {
      watch.refresh({ keys: [`${i}`] });
      await settle();
      await answer(source.last, 2);
    }
    // Of parts, six in what is not yet a minute.
    assert.equal(watch.status.requestsPerDay, 40 * DAY / 2_000 + 6 * DAY / 60_000);
    for (let i = 0; i < 20; i++) {
      await clock.tick(1_000);
      await answer(source.last, 10);
    }
    assert.equal(watch.status.requests, 246);
    assert.equal(watch.status.requestsPerDay, 10 * DAY / 1_000 + 6 * DAY / 60_000);
    await clock.tick(1_000);
    assert.equal(
      watch.status.requestsPerDay,
      10 * DAY / 1_000 + 6 * DAY / 60_000,
      "also while polling",
    );
  }));

test("parts of more than an hour ago count no more", () =>
  withParts(async ({ clock, source, watch }) => {
    watch.refresh({ keys: ["a"] });
    await settle();
    await answer(source.last, 600);
    await clock.tick(1_800_000);
    assert.equal(watch.status.requestsPerDay, 600 * 48);
    await clock.tick(1_800_000 + 60_000);
    assert.equal(watch.status.requestsPerDay, 0);
  }, { interval: 30 * DAY }));

test("a wrong limit is refused by the call itself", () => {
  const watch = (maxRequests: unknown) =>
    watchExternal(new PartSource(), { interval: 1, maxRequests } as WatchOptions);
  for (const limit of [1, null, {}, { count: 1 }, { count: "1", per: 1 }]) {
    assert.throws(() => watch(limit), TypeError, JSON.stringify(limit));
  }
  for (const [count, per] of [[0, 1], [1, 0], [-1, 1], [NaN, 1]] as const) {
    assert.throws(() => watch({ count, per }), RangeError);
    assert.throws(() => new RequestBudget({ count, per }), RangeError);
  }
});
