// W1: no request before the first read, no two polls at once, and none while an event waits.
import { watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, ManualSource, pending, settle, withClock, withWatch } from "./_watch.ts";

test("W1: nothing is polled before the first read", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    await clock.tick(10_000);
    assert.equal(source.polls.length, 0);
    assert.deepEqual(watch.status, { phase: "idle", polls: 0, events: 0, failures: 0 });
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 1);
    assert.equal(watch.status.phase, "polling");
  }));

test("W1: nothing is polled while an event waits to be read, or to be handled", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    assert.deepEqual(await first, { done: false, value: added("a") });
    await clock.tick(10_000);
    assert.equal(source.polls.length, 1);
    assert.deepEqual(await reader.read(), { done: false, value: added("b") });
    await clock.tick(10_000);
    assert.equal(source.polls.length, 1);
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 2, "the wait has passed: the next read polls at once");
  }));

test("W1: a poll that takes longer than the interval is not overtaken", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await clock.tick(100_000);
    assert.equal(source.polls.length, 1);
    assert.equal(source.mostAtOnce, 1);
  }));

test("W1: reads without end make one poll at a time", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    for (let n = 0; n < 5; n++) begin(reader.read());
    await clock.tick(1_000);
    assert.equal(source.polls.length, 1);
    await source.last.answer(added("a"), added("b"));
    await clock.tick(1_000);
    assert.equal(source.polls.length, 2);
  }));

test("W1: a poll that ignores its timeout is not overtaken", () =>
  withWatch({ timeout: 50 }, async ({ clock, source, reader, failures, watch }) => {
    const read = begin(reader.read());
    await clock.tick(50);
    assert.equal(failures.length, 1);
    assert.equal(failures[0]!.error.code, "timeout");
    assert.match(failures[0]!.error.message, /^Cannot poll 'manual' within 50 ms/);
    assert.equal(source.last.signal.aborted, true);
    assert.equal(source.last.signal.reason, failures[0]!.error);
    await clock.tick(200);
    assert.equal(watch.status.polls, 2);
    assert.equal(source.polls.length, 1, "the first still runs");
    await clock.tick(50);
    assert.equal(failures.length, 2, "the wait for the first counts as a poll that timed out");
    await source.polls[0]!.answer(added("too late"));
    assert.equal(await pending(read), true, "what comes after the timeout is not delivered");
    await clock.tick(400);
    assert.equal(source.polls.length, 2);
    await source.last.answer(added("a"));
    assert.deepEqual((await read).value, added("a"));
    assert.equal(source.mostAtOnce, 1);
  }));

test("W1: a later watch waits for a poll that ignored its cancel", () =>
  withClock(async () => {
    const source = new ManualSource();
    const first = watchExternal(source, 100).getReader();
    begin(first.read());
    await settle();
    await first.cancel();
    const second = watchExternal(source, 100).getReader();
    const read = second.read();
    await settle();
    assert.equal(source.polls.length, 1);
    await source.polls[0]!.fail();
    assert.equal(source.polls.length, 2);
    await source.last.answer(added("a"));
    assert.deepEqual((await read).value, added("a"));
    assert.equal(source.mostAtOnce, 1);
    await second.cancel();
  }));
