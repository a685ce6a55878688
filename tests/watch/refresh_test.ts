// `refresh`, in every phase.
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, settle, withWatch } from "./_watch.ts";

test("refresh before the first read makes no request", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    watch.refresh();
    await clock.tick(1_000);
    assert.equal(source.polls.length, 0);
    begin(reader.read());
    await settle();
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 1, "the first poll was the refresh");
  }));

test("refresh ends a wait, also one after a failure", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 2);
    assert.equal(clock.timers, 0, "the wait's timer is gone");
    await source.last.fail();
    watch.refresh();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 3);
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 3, "one refresh, one poll");
  }));

test("refresh while polling asks for one more poll, right after", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    watch.refresh();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 1);
    await source.last.answer();
    assert.equal(source.polls.length, 2);
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 2);
    assert.equal(source.mostAtOnce, 1);
  }));

test("refresh while delivering polls once the events are handled", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 1);
    await reader.read();
    assert.equal(source.polls.length, 1);
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 2);
  }));

test("refresh after the end does nothing", () =>
  withWatch({}, async ({ clock, source, watch }) => {
    watch.close();
    watch.refresh();
    await clock.tick(1_000);
    assert.equal(source.polls.length, 0);
  }));
