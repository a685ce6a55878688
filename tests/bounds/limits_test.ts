// What bounds one request: the signal of the caller, and a timeout.
import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { Limits } from "../../_bounds/limits.ts";
import { countListeners } from "./_listeners.ts";

const timedOut = () => new Error("timed out");
const never = new Promise<never>(() => {});

/** A clock that stands until it is told to go on. */
function clock(t: TestContext): (ms: number) => void {
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  return (ms) => mock.timers.tick(ms);
}

test("an answer in time passes, and one that fails fails", async (t) => {
  clock(t);
  const limits = new Limits(undefined, 100, timedOut);
  assert.equal(await limits.orAborted(Promise.resolve(1)), 1);
  await assert.rejects(limits.orAborted(Promise.reject(new Error("failed"))), /failed/);
  limits.release();
});

test("at the timeout the signal aborts, and whoever waits is told", async (t) => {
  const tick = clock(t);
  const limits = new Limits(undefined, 100, timedOut);
  const waiting = limits.orAborted(never);
  tick(99);
  assert.ok(!limits.signal.aborted);
  tick(1);
  await assert.rejects(waiting, /timed out/);
  assert.match(String(limits.signal.reason), /timed out/);
  await assert.rejects(limits.orAborted(never), /timed out/, "and whoever asks later");
});

test("a timer that was stopped does not fire, and one that was started anew waits in full", (t) => {
  const tick = clock(t);
  const limits = new Limits(undefined, 100, timedOut);
  tick(60);
  limits.startTimer();
  tick(60);
  assert.ok(!limits.signal.aborted);
  limits.stopTimer();
  tick(1_000);
  assert.ok(!limits.signal.aborted);
  limits.startTimer();
  tick(100);
  assert.ok(limits.signal.aborted);
  const released = new Limits(undefined, 100, timedOut);
  released.release();
  tick(1_000);
  assert.ok(!released.signal.aborted);
});

test("the signal of the caller aborts with its reason, before or later, until it is released", async (t) => {
  clock(t);
  const outer = new AbortController();
  const listeners = countListeners(outer.signal);
  const limits = new Limits(outer.signal, 100, timedOut);
  const released = new Limits(outer.signal, 100, timedOut);
  assert.equal(listeners(), 2);
  released.release();
  assert.equal(listeners(), 1);
  const waiting = limits.orAborted(never);
  outer.abort(new Error("stop"));
  await assert.rejects(waiting, /stop/);
  assert.match(String(limits.signal.reason), /stop/);
  assert.ok(!released.signal.aborted);
  limits.release();

  const late = new Limits(outer.signal, 100, timedOut);
  assert.match(String(late.signal.reason), /stop/);
  assert.equal(listeners(), 0);
  await assert.rejects(late.orAborted(Promise.resolve(1)), /stop/);
  late.release();
});

test("an answer that comes after the abort is freed, and one in time is not", async (t) => {
  const tick = clock(t);
  const freed: number[] = [];
  const free = (value: number) => void freed.push(value);
  const limits = new Limits(undefined, 100, timedOut);
  assert.equal(await limits.orAborted(Promise.resolve(1), free), 1);
  const { promise, resolve } = Promise.withResolvers<number>();
  const waiting = limits.orAborted(promise, free);
  tick(100);
  await assert.rejects(waiting, /timed out/);
  assert.deepEqual(freed, []);
  resolve(2);
  await promise;
  assert.deepEqual(freed, [2]);
  // What fails while it is freed goes unheard.
  const fail = () => Promise.reject(new Error("cannot be freed"));
  await assert.rejects(limits.orAborted(Promise.resolve(3), fail), /timed out/);
});
