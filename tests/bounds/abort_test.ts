// Waiting for a promise, but no longer than until a signal aborts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { orAborted } from "../../_bounds/abort.ts";
import { countListeners } from "./_listeners.ts";

test("it settles as the promise does, and leaves no listener behind", async () => {
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  assert.equal(await orAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(orAborted(Promise.reject(new Error("failed")), signal), /failed/);
  assert.equal(listeners(), 0);
  assert.equal(await orAborted(Promise.resolve(1), undefined), 1);
  await assert.rejects(orAborted(Promise.reject(new Error("failed")), undefined), /failed/);
});

test("an abort rejects with its reason at once, and what fails later goes unheard", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = countListeners(signal);
  const late = Promise.withResolvers<never>();
  const waiting = orAborted(late.promise, signal);
  assert.equal(listeners(), 1);
  controller.abort(new Error("stop"));
  await assert.rejects(waiting, /stop/);
  late.reject(new Error("too late"));
  await Promise.resolve();
  assert.equal(listeners(), 0);
});

test("a signal that has aborted before rejects, whatever the promise does", async () => {
  const signal = AbortSignal.abort(new Error("stop"));
  const listeners = countListeners(signal);
  for (const promise of [Promise.resolve(1), Promise.reject(new Error("failed"))]) {
    await assert.rejects(orAborted(promise, signal), /stop/);
  }
  assert.equal(listeners(), 0);
});
