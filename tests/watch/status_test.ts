// How a watch is doing: `status` and `synced`.
import { type ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  added,
  begin,
  isAbortError,
  ManualSource,
  pending,
  settle,
  START,
  withWatch,
} from "./_watch.ts";

test("status tells every phase, in fresh plain objects", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const phases = [watch.status.phase];
    const note = () => phases.push(watch.status.phase);
    const first = reader.read();
    await settle();
    note();
    await source.last.answer(added("a"));
    await first;
    note();
    begin(reader.read());
    await settle();
    note();
    await clock.tick(100);
    note();
    await source.last.fail();
    note();
    const status = watch.status;
    assert.notEqual(status, watch.status);
    assert.equal(Object.getPrototypeOf(status), Object.prototype);
    const { lastError, ...rest } = status;
    assert.equal(lastError?.code, "internal");
    assert.deepEqual(rest, {
      phase: "waiting",
      polls: 2,
      events: 1,
      failures: 1,
      lastSuccess: START,
      nextPoll: START + 300,
    });
    JSON.stringify(status);
    await reader.cancel();
    note();
    assert.deepEqual(phases, [
      "idle",
      "polling",
      "delivering",
      "waiting",
      "polling",
      "waiting",
      "closed",
    ]);
    assert.equal(watch.status.nextPoll, undefined);
  }));

test("synced settles after the first good poll, also one without events", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.fail();
    assert.equal(await pending(watch.synced), true);
    await clock.tick(200);
    await source.last.answer();
    assert.equal(await watch.synced, undefined);
  }));

test("synced rejects when the watch ends first", async () => {
  const reason = { my: "reason" };
  const ends: [(watch: ExternalWatch<string>) => unknown, (error: unknown) => boolean][] = [
    [(watch) => watch.close(), isAbortError],
    [(watch) => watch[Symbol.asyncDispose](), isAbortError],
    [(watch) => watch.cancel(), isAbortError],
    [(watch) => watch.cancel(reason), (error) => error === reason],
  ];
  for (const [end, expected] of ends) {
    const watch = watchExternal(new ManualSource(), 1);
    await end(watch);
    await assert.rejects(watch.synced, expected);
  }
});
