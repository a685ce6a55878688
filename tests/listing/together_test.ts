// Tasks side by side: all end before the whole does, and nothing is left on the caller's signal.
import assert from "node:assert/strict";
import { test } from "node:test";
import { together } from "../../_listing/together.ts";

/** A controller whose signal counts its listeners. */
function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = AbortSignal.prototype;
  Object.assign(signal, {
    addEventListener(type: string, listener: () => void, options: AddEventListenerOptions) {
      listeners.add(listener);
      addEventListener.call(signal, type, listener, options);
    },
    removeEventListener(type: string, listener: () => void) {
      listeners.delete(listener);
      removeEventListener.call(signal, type, listener);
    },
  });
  return { controller, signal, listeners };
}

test("nothing is left on the signal, however it ends", async () => {
  const { signal, listeners } = counted();
  let most = 0;
  await together(signal, (start) =>
    start(() => {
      most = listeners.size;
      return Promise.resolve();
    }));
  assert.equal(most, 1);
  assert.equal(listeners.size, 0);
  await assert.rejects(
    together(signal, (start) => start(() => Promise.reject(new Error("down")))),
    /down/,
  );
  assert.equal(listeners.size, 0);
  await assert.rejects(
    together(signal, () => {
      throw new Error("cannot begin");
    }),
    /cannot begin/,
  );
  assert.equal(listeners.size, 0);
  const ending = counted();
  const waiting = together(
    ending.signal,
    (start) =>
      start((inner) =>
        new Promise((_, reject) => inner.addEventListener("abort", () => reject(inner.reason)))
      ),
  );
  assert.equal(ending.listeners.size, 1);
  ending.controller.abort("enough");
  await assert.rejects(waiting, (error) => error === "enough");
  assert.equal(ending.listeners.size, 0);
  await assert.rejects(together(ending.signal, () => assert.fail()), (error) => error === "enough");
  assert.equal(ending.listeners.size, 0);
});

test("the first failure stops the others, begins no more, and waits for all", async () => {
  const { signal } = new AbortController();
  const log: string[] = [];
  await assert.rejects(
    together(signal, (start) => {
      start(async (inner) => {
        await new Promise((resolve) => inner.addEventListener("abort", resolve));
        log.push(`stopped: ${inner.reason.message}`);
        start(() => Promise.resolve(void log.push("begun")));
        throw new Error("late");
      });
      start(() => Promise.reject(new Error("down")));
    }),
    /down/,
  );
  assert.deepEqual(log, ["stopped: down"]);
});

test("tasks that are added by others are waited for", async () => {
  const { signal } = new AbortController();
  let done = 0;
  await together(signal, (start) => {
    const task = (depth: number) => async () => {
      await new Promise((resolve) => setImmediate(resolve));
      if (depth > 0) start(task(depth - 1));
      done++;
    };
    start(task(5));
  });
  assert.equal(done, 6);
});
