import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestRate } from "../../_watch/request_rate.ts";
import { type Clock, START, withClock } from "./_watch.ts";

const [MINUTE, DAY] = [60_000, 86_400_000];

/** A poll that begins now and makes so many requests. */
function poll(rate: RequestRate, isPart: boolean, requests: number): void {
  rate.begin(isPart);
  for (let i = 0; i < requests; i++) rate.add();
}

test("the last four polls of everything give the rate, over the time from the first of them to the next", () =>
  withClock(async (clock: Clock) => {
    const rate = new RequestRate();
    assert.equal(rate.perDay(undefined), undefined);
    assert.equal(rate.perDay(START + 1_000), undefined, "there was no poll yet");
    poll(rate, false, 1_000);
    assert.equal(rate.perDay(undefined), undefined, "one is under way, and there was none before");
    assert.equal(rate.perDay(START), undefined, "no time to divide by");
    assert.equal(rate.perDay(START + 1_000), 1_000 * DAY / 1_000);
    for (const requests of [1, 2, 3, 4]) {
      await clock.tick(1_000);
      poll(rate, false, requests);
    }
    assert.equal(rate.total, 1_010);
    // Those that began after one, two, three and four seconds.
    assert.equal(rate.perDay(START + 5_000), 10 * DAY / 4_000);
    assert.equal(rate.perDay(undefined), 6 * DAY / 3_000, "the last one is under way");
  }));

test("requests for parts count for an hour, each minute of its own", () =>
  withClock(async (clock) => {
    const rate = new RequestRate();
    poll(rate, false, 0);
    const parts = () => rate.perDay(START + 365 * DAY);
    poll(rate, true, 3);
    assert.equal(parts(), 3 * DAY / MINUTE, "as if it were a minute");
    await clock.tick(30 * MINUTE);
    poll(rate, true, 2);
    poll(rate, true, 1);
    assert.equal(parts(), 6 * DAY / (30 * MINUTE));
    await clock.tick(29 * MINUTE);
    assert.equal(parts(), Math.round(6 * DAY / (59 * MINUTE)));
    await clock.tick(2 * MINUTE);
    assert.equal(parts(), 3 * DAY / (60 * MINUTE), "the first three are too long ago");
    await clock.tick(60 * MINUTE);
    assert.equal(parts(), 0);
  }));

test("many minutes of requests for parts are counted by the last hour alone", () =>
  withClock(async (clock) => {
    const rate = new RequestRate();
    poll(rate, false, 0);
    for (let i = 0; i < 70; i++) {
      poll(rate, true, 1);
      await clock.tick(MINUTE);
    }
    assert.equal(rate.total, 70);
    assert.equal(rate.perDay(START + 365 * DAY), 60 * DAY / (60 * MINUTE));
  }));
