// W3: what a server asks for lengthens a wait.
import { ExternalError } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, settle, withWatch } from "./_watch.ts";
import { type Pace, waitAfterFailure } from "../../_watch/waits.ts";

const pace: Pace = {
  interval: 30_000,
  minBackoff: 60_000,
  maxBackoff: 960_000,
  maxRetryAfter: 960_000,
  jitter: 0,
};
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

test("W3: retryAfter lifts the wait, never above maxBackoff", () =>
  withWatch({ maxBackoff: 5_000 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (const [retryAfter, wait] of [[3_000, 3_000], [1, 400], [60_000, 5_000]] as const) {
      await source.last.fail(new ExternalError("status", "busy", { status: 503, retryAfter }));
      assert.equal(failures.at(-1)!.info.wait, wait);
      const polls = source.polls.length;
      await clock.tick(wait - 1);
      assert.equal(source.polls.length, polls);
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
  }));

test("W3: a retryAfter that makes no sense makes no hot loop", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    let wait = 100;
    for (const retryAfter of [0, -1, NaN, -Infinity]) {
      await source.last.fail(new ExternalError("status", "busy", { retryAfter }));
      const polls = source.polls.length;
      await clock.tick((wait *= 2) - 1);
      assert.equal(source.polls.length, polls, String(retryAfter));
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
  }));

test("W3: without a maxBackoff of one's own what a server asks for is kept, up to a day", () =>
  withWatch({}, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    const hour = 3_600_000;
    const asked = [5_000, hour, 24 * hour, 24 * hour + 1, 365 * 24 * hour, Infinity];
    for (const retryAfter of asked) {
      await source.last.fail(new ExternalError("status", "busy", { retryAfter }));
      const { wait } = failures.at(-1)!.info;
      assert.equal(wait, Math.min(retryAfter, 24 * hour));
      const polls = source.polls.length;
      await clock.tick(wait - 1);
      assert.equal(source.polls.length, polls);
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
    await source.last.fail();
    assert.equal(failures.at(-1)!.info.wait, 3_200, "what nobody asked for is bounded as before");
  }));

test("W3: jitter lengthens what a server asks for, never past the bound", () => {
  const day = 86_400_000;
  const jittered = { ...pace, maxRetryAfter: day, jitter: 0.5 };
  assert.equal(waitAfterFailure(1, 2_000_000, jittered, () => 1), 3_000_000);
  assert.equal(waitAfterFailure(1, day - 1, jittered, () => 1), day);
  assert.equal(waitAfterFailure(9, 2_000_000, jittered, () => 0), 2_000_000);
});
