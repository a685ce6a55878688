// W7: an abort errors the stream with the signal's reason.
import { watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { inPhase, phases, REASON } from "./_phases.ts";
import { ManualSource, settle } from "./_watch.ts";

test("W7: abort errors the stream with the signal's reason, untouched", async () => {
  const reasons: unknown[] = [new Error("own"), "text", 0, null, Object.freeze({}), Symbol("s")];
  for (const reason of reasons) {
    await inPhase(async ({ controller, reader, watch }) => {
      const read = reader.read();
      read.catch(() => {});
      await settle();
      controller.abort(reason);
      const same = (error: unknown) => error === reason;
      await assert.rejects(read, same);
      await assert.rejects(reader.closed, same);
      await assert.rejects(reader.read(), same);
      await assert.rejects(watch.synced, same);
    });
  }
});

test("W7: an abort without a reason gives the runtime's AbortError", () =>
  inPhase(async ({ controller, reader }) => {
    controller.abort();
    await assert.rejects(reader.read(), (error) => error === controller.signal.reason);
    await assert.rejects(reader.read(), { name: "AbortError" });
  }));

test("W7: a signal aborted before the start makes no request", async () => {
  const source = new ManualSource();
  const signal = AbortSignal.abort(REASON);
  const listeners = countListeners(signal);
  const watch = watchExternal(source, { interval: 1, signal });
  const reader = watch.getReader();
  await assert.rejects(reader.read(), (error) => error === REASON);
  await assert.rejects(watch.synced, (error) => error === REASON);
  await settle();
  assert.equal(source.polls.length, 0);
  assert.equal(watch.status.phase, "closed");
  assert.equal(listeners(), 0);
});

test("W7: an abort does not wait for events yet to be read", () =>
  inPhase(async (running) => {
    await phases["with an event handed over and more to come"]!(running);
    running.watch.close();
    running.controller.abort(REASON);
    await assert.rejects(running.reader.read(), (error) => error === REASON);
    assert.equal(running.source.commits, 0);
  }));
