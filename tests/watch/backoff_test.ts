// W2: the interval behind a good poll, doubling waits behind failures.
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, settle, START, withWatch } from "./_watch.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "../../_watch/waits.ts";

const pace: Pace = {
  interval: 30_000,
  minBackoff: 60_000,
  maxBackoff: 960_000,
  maxRetryAfter: 960_000,
  jitter: 0,
};

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

test("W2: after a good poll the interval is waited, from the end of the poll", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await clock.tick(1_000);
    await source.last.answer();
    assert.equal(watch.status.phase, "waiting");
    assert.equal(watch.status.nextPoll, START + 1_100);
    await clock.tick(99);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
    assert.equal(watch.status.nextPoll, undefined);
  }));

test("W2: the time a consumer takes counts towards the interval", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer(added("a"));
    await clock.tick(60);
    begin(reader.read());
    await clock.tick(39);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
  }));

test("W2: failures double the wait up to maxBackoff, one good poll resets it", () =>
  withWatch({ maxBackoff: 1_000 }, async ({ clock, source, watch, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (const wait of [200, 400, 800, 1_000, 1_000]) {
      await source.last.fail();
      const polls = source.polls.length;
      assert.equal(failures.length, polls);
      assert.deepEqual(failures.at(-1)!.info, { attempt: polls, wait });
      assert.equal(watch.status.nextPoll, Date.now() + wait);
      await clock.tick(wait - 1);
      assert.equal(source.polls.length, polls);
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
    await source.last.answer();
    assert.equal(watch.status.failures, 0);
    assert.equal(watch.status.nextPoll, Date.now() + 100);
    await clock.tick(100);
    await source.last.fail();
    assert.deepEqual(failures.at(-1)!.info, { attempt: 1, wait: 200 });
  }));

test("W2: maxBackoff is 32 intervals unless said", () =>
  withWatch({}, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (let n = 1; n <= 7; n++) {
      await source.last.fail();
      await clock.tick(failures.at(-1)!.info.wait);
    }
    assert.deepEqual(
      failures.map(({ info }) => info.wait),
      [200, 400, 800, 1_600, 3_200, 3_200, 3_200],
    );
  }));

test("W2: polls whose events break off half-way are failures in a row", () =>
  withWatch({}, async ({ clock, source, watch, failures, reader }) => {
    function* broken() {
      yield added("a");
      throw new Error("broken listing");
    }
    let read = reader.read();
    await settle();
    for (const wait of [200, 400, 800]) {
      await source.last.answerWith(broken());
      assert.deepEqual((await read).value, added("a"));
      read = begin(reader.read());
      await settle();
      assert.equal(failures.at(-1)!.info.wait, wait);
      assert.match(failures.at(-1)!.error.message, /broken listing/);
      assert.equal(watch.status.lastSuccess, undefined, "no poll was good yet");
      await clock.tick(wait);
    }
    assert.equal(watch.status.failures, 3);
  }));

test("W2: minBackoff is the first wait behind a failure, and doubles from there", () =>
  withWatch({ minBackoff: 30 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (let n = 1; n <= 8; n++) {
      await source.last.fail();
      await clock.tick(failures.at(-1)!.info.wait);
    }
    assert.deepEqual(
      failures.map(({ info }) => info.wait),
      [30, 60, 120, 240, 480, 960, 1_920, 3_200],
    );
    await source.last.answer();
    await clock.tick(100);
    await source.last.fail();
    assert.equal(failures.at(-1)!.info.wait, 30);
  }));

test("W2: a minBackoff above 32 intervals is the wait behind every failure", () =>
  withWatch({ minBackoff: 10_000 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (let n = 1; n <= 3; n++) {
      await source.last.fail();
      await clock.tick(10_000);
    }
    assert.deepEqual(failures.map(({ info }) => info.wait), [10_000, 10_000, 10_000]);
  }));

test("W2: a maxBackoff below the interval repeats a failed poll sooner than a good one", () =>
  withWatch({ maxBackoff: 20 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    await source.last.fail();
    await clock.tick(20);
    await source.last.fail();
    assert.deepEqual(failures.map(({ info }) => info.wait), [20, 20]);
  }));
