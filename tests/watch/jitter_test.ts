// W4: jitter lengthens waits, within bounds.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { begin, settle, withWatch } from "./_watch.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "../../_watch/waits.ts";

const pace: Pace = {
  interval: 30_000,
  minBackoff: 60_000,
  maxBackoff: 960_000,
  maxRetryAfter: 960_000,
  jitter: 0,
};
const lowest = () => 0;
// Math.random() stays below 1; the bounds must hold for 1 all the same.
const highest = () => 1;

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

test("W4: jitter lengthens the waits of the watch", async () => {
  const random = mock.method(Math, "random", () => 0.5);
  try {
    await withWatch({ jitter: 0.5, maxBackoff: 450 }, async ({ clock, source, reader, watch }) => {
      begin(reader.read());
      await settle();
      await source.last.answer();
      assert.equal(watch.status.nextPoll, Date.now() + 125);
      await clock.tick(125);
      for (const wait of [250, 450]) {
        await source.last.fail();
        assert.equal(watch.status.nextPoll, Date.now() + wait);
        await clock.tick(wait);
      }
    });
  } finally {
    random.mock.restore();
  }
});

test("W4: the jitter is a tenth unless said", async () => {
  const random = mock.method(Math, "random", () => 0.5);
  try {
    await withWatch({ jitter: undefined }, async ({ source, reader, watch }) => {
      begin(reader.read());
      await settle();
      await source.last.answer();
      assert.equal(watch.status.nextPoll, Date.now() + 105);
    });
  } finally {
    random.mock.restore();
  }
});
