// `close`, in every phase.
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, isAbortError, settle, withWatch } from "./_watch.ts";

test("close before the first read closes the stream", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    watch.close();
    watch.close();
    assert.deepEqual(await reader.read(), { done: true, value: undefined });
    assert.equal(source.polls.length, 0);
    assert.equal(watch.status.phase, "closed");
  }));

test("close while polling aborts the poll and closes the stream", () =>
  withWatch({}, async ({ source, watch, reader, failures }) => {
    const read = reader.read();
    await settle();
    watch.close();
    assert.equal((await read).done, true);
    assert.equal(source.last.signal.aborted, true);
    assert.ok(isAbortError(source.last.signal.reason));
    await source.last.answer(added("too late"));
    assert.equal((await reader.read()).done, true);
    assert.equal(failures.length, 0);
  }));

test("close while delivering lets the events be read, then closes, and commits", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    watch.close();
    await clock.tick(1_000);
    assert.equal(watch.status.phase, "delivering");
    assert.equal(watch.status.nextPoll, undefined);
    assert.deepEqual((await reader.read()).value, added("b"));
    assert.equal((await reader.read()).done, true);
    assert.equal(source.commits, 1);
    assert.equal(source.polls.length, 1);
    await watch.synced;
  }));

test("close while waiting closes the stream", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const read = reader.read();
    await settle();
    await source.last.answer();
    watch.close();
    assert.equal((await read).done, true);
    assert.equal(clock.timers, 0);
    assert.equal(source.polls.length, 1);
  }));
