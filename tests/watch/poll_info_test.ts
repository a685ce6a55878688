// `onPoll`: what a poll was like, once its events were handled.
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import type { PollInfo } from "@koprs/external/watcher";
import assert from "node:assert/strict";
import { test } from "node:test";
import { last, storeOf, withHandlers } from "./_handlers.ts";
import { added, begin, settle, withWatch } from "./_watch.ts";

test("a good poll is told of when its events were handled", async () => {
  const polls: PollInfo[] = [];
  const onPoll = (poll: PollInfo) => void polls.push(poll);
  await withWatch({ onPoll }, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    source.last.onRequest?.();
    source.last.onRequest?.();
    await source.last.answer(added("a"));
    assert.equal(polls.length, 0);
    begin(reader.read());
    await settle();
    const { duration, ...rest } = polls.at(0) ?? assert.fail();
    assert.ok(duration >= 0 && duration < 10_000);
    assert.deepEqual(rest, { outcome: "changed", requests: 2, events: 1, wait: 100 });
    await clock.tick(100);
    await source.last.answer();
    const { outcome, events, requests } = polls.at(1) ?? assert.fail();
    assert.deepEqual([outcome, events, requests], ["unchanged", 0, 0]);
  });
});

test("a failed poll, and one whose events broke off, with the error", async () => {
  const polls: PollInfo[] = [];
  const onPoll = (poll: PollInfo) => void polls.push(poll);
  await withWatch({ onPoll }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    await source.last.fail();
    assert.equal(polls[0]?.outcome, "failed");
    assert.equal(polls[0]?.error, failures[0]?.error);
    assert.equal(polls[0]?.wait, 200);
    await clock.tick(200);
    await source.last.answerWith((function* () {
      yield added("a");
      throw new Error("broke off");
    })());
    begin(reader.read());
    await settle();
    const [, { outcome, events, error } = assert.fail(), ...more] = polls;
    assert.deepEqual([outcome, events, error?.message], [
      "failed",
      1,
      "Cannot poll 'manual': broke off",
    ]);
    assert.deepEqual(more, []);
  });
});

test("not for a poll that the end cut short", async () => {
  const polls: PollInfo[] = [];
  const onPoll = (poll: PollInfo) => void polls.push(poll);
  for (const found of [false, true]) {
    await withWatch({ onPoll }, async ({ source, reader }) => {
      begin(reader.read());
      await settle();
      if (found) await source.last.answer(added("a"));
      await reader.cancel();
    });
  }
  assert.equal(polls.length, 0);
});

test("what it throws ends the stream", async () => {
  const error = new Error("onPoll broke");
  const onPoll = () => {
    throw error;
  };
  const watch = watchExternal(new ObjectStorePoller(await storeOf()), {
    interval: 100,
    logger: false,
    onPoll,
  });
  await assert.rejects(watch.handle(() => {}), (thrown) => thrown === error);
  const failing = { name: "x", poll: () => Promise.reject(new Error("down")) };
  const reader = watchExternal(failing, { interval: 100, logger: false, onPoll }).getReader();
  await assert.rejects(reader.read(), (thrown) => thrown === error);
});

test("under handlers: once all were handled, or set aside", async () => {
  const polls: PollInfo[] = [];
  const options = { onPoll: (poll: PollInfo) => void polls.push(poll) };
  const handle = { concurrency: 2 };
  await withHandlers({ keys: ["a", "b"], options, handle }, async ({ clock, calls }) => {
    await calls[0]?.end();
    assert.equal(polls.length, 0);
    await last(calls).fail();
    assert.deepEqual(polls.map(({ outcome, events }) => `${outcome} ${events}`), ["changed 2"]);
    await clock.tick(100);
    assert.deepEqual(polls.map(({ outcome, events }) => `${outcome} ${events}`), [
      "changed 2",
      "unchanged 0",
    ]);
  });
});
