// Handlers side by side: how many, in which order, when polls go on, and how they end (E1, E4).
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { last, storeOf, whatOf, withHandlers } from "./_handlers.ts";
import { added, isAbortError, pending, settle, withWatch } from "./_watch.ts";

test("E1: at most so many handlers at once, one by one by default", async () => {
  await withHandlers({ keys: ["a", "b", "c"] }, async ({ calls, running }) => {
    assert.deepEqual(whatOf(running), ["added a"]);
    await last(calls).end();
    assert.deepEqual(whatOf(running), ["added b"]);
  });
  const keys = ["a", "b", "c", "d", "e"];
  await withHandlers({ keys, handle: { concurrency: 3 } }, async ({ calls, running, watch }) => {
    assert.deepEqual(whatOf(running), ["added a", "added b", "added c"]);
    await calls[1]?.end();
    assert.deepEqual(whatOf(running), ["added a", "added c", "added d"]);
    await calls[0]?.end();
    await calls[2]?.end();
    assert.deepEqual(whatOf(running), ["added d", "added e"]);
    assert.equal(watch.status.phase, "delivering");
    assert.equal(watch.status.events, 5);
  });
});

test("E1: the next poll comes when all events were handled", async () => {
  const keys = ["a", "b"];
  await withHandlers(
    { keys, handle: { concurrency: 2 } },
    async ({ clock, store, calls, watch }) => {
      await store.put("c", "c");
      await calls[1]?.end();
      await clock.tick(500);
      assert.equal(calls.length, 2);
      assert.equal(watch.status.polls, 1);
      assert.ok(await pending(watch.synced));
      await calls[0]?.end();
      await watch.synced;
      // It was due long ago.
      await clock.tick(0);
      assert.equal(watch.status.polls, 2);
      assert.equal(last(calls).what, "added c");
    },
  );
});

test("a handler that returns no promise has handled its event", async () => {
  const store = await storeOf("a", "b", "c");
  const watch = watchExternal(new ObjectStorePoller(store), 60_000);
  const seen: string[] = [];
  watch.synced.then(() => watch.close());
  await watch.handle(({ item }) => void seen.push(item.key), { concurrency: 2 });
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("E4: close waits for the handlers under way, hands out no more, and saves what was handled", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const keys = ["a", "b", "c", "d"];
  const handle = { concurrency: 2 };
  await withHandlers({ keys, options: { checkpoint }, handle }, async (setup) => {
    const { calls, running, watch, done } = setup;
    watch.close();
    await calls[1]?.end();
    assert.ok(await pending(done));
    assert.equal(calls[0]?.context.signal.aborted, false);
    assert.deepEqual(whatOf(running), ["added a"]);
    await calls[0]?.fail();
    await done;
    assert.equal(watch.status.phase, "closed");
    assert.equal(calls.length, 2);
  });
  // What was not handled comes again.
  await withHandlers({ keys, options: { checkpoint }, handle }, async ({ calls, watch }) => {
    for (const call of calls) await call.end();
    assert.deepEqual(whatOf(calls), ["added a", "added c", "added d"]);
    watch.close();
  });
});

test("close with nothing under way, in every phase", async () => {
  await withHandlers({ keys: [] }, async ({ clock, watch, done }) => {
    assert.equal(watch.status.phase, "waiting");
    watch.close();
    await done;
    await clock.tick(1_000);
    assert.equal(watch.status.polls, 1);
  });
  const watch = watchExternal({ name: "slow", poll: () => new Promise<never>(() => {}) }, 100);
  const done = watch.handle(() => {});
  await settle();
  assert.equal(watch.status.phase, "polling");
  watch.close();
  await done;
});

test("E4: an abort aborts the signals, and rejects with its reason", async () => {
  const controller = new AbortController();
  const options = { signal: controller.signal };
  const handle = { concurrency: 2 };
  await withHandlers({ keys: ["a", "b"], options, handle }, async ({ calls, done, watch }) => {
    const { signal } = (calls[0] ?? last(calls)).context;
    assert.equal(signal.aborted, false);
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(done, (error) => error === reason);
    assert.equal(signal.reason, reason);
    // Also for one that looks at its signal only now.
    assert.equal(calls[1]?.context.signal.reason, reason);
    // What they do from now on concerns nobody.
    await calls[0]?.fail();
    await calls[1]?.end();
    assert.equal(watch.status.aside, undefined);
  });
});

test("E4: disposing aborts the signals, and resolves", async () => {
  await withHandlers({ keys: ["a"] }, async ({ calls, done, watch }) => {
    const { signal } = last(calls).context;
    await watch[Symbol.asyncDispose]();
    await done;
    assert.ok(isAbortError(signal.reason));
  });
});

test("what ends the stream with an error rejects", async () => {
  const error = new Error("onError broke");
  const onError = () => {
    throw error;
  };
  await withHandlers({ keys: ["a"], options: { onError } }, async ({ calls, done }) => {
    await last(calls).fail();
    await assert.rejects(done, (thrown) => thrown === error);
  });
});

test("handling a watch that has ended tells how", async () => {
  const source = { name: "nothing", poll: () => Promise.resolve([]) };
  const closed = watchExternal(source, 100);
  closed.close();
  await closed.handle(() => assert.fail());
  const reason = new Error("never");
  const aborted = watchExternal(source, { interval: 100, signal: AbortSignal.abort(reason) });
  await assert.rejects(aborted.handle(() => assert.fail()), (error) => error === reason);
});

test("handling a watch that is closing, with events that nobody has read, ends it", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    const read = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await read;
    watch.close();
    reader.releaseLock();
    await watch.handle(() => assert.fail("nothing is handed out after close"));
    assert.equal(watch.status.phase, "closed");
    assert.equal(source.commits, 0);
  }));

test("a reader that has gone may leave the rest to handlers", async () => {
  const store = await storeOf("a", "b", "c");
  const watch = watchExternal(new ObjectStorePoller(store), 60_000);
  const reader = watch.getReader();
  await reader.read();
  reader.releaseLock();
  const seen: string[] = [];
  watch.synced.then(() => watch.close());
  await watch.handle(({ item }) => void seen.push(item.key), { concurrency: 2 });
  // The one that was read last may not have been handled.
  assert.deepEqual(seen, ["a", "b", "c"]);
});

test("wrong options are refused at once", async (t) => {
  const source = { name: "nothing", poll: () => Promise.resolve([]) };
  const watch = watchExternal(source, 100);
  const refused = (error: typeof TypeError | typeof RangeError, options: unknown) =>
    assert.throws(() => watch.handle(() => {}, options as never), error);
  for (const concurrency of [0, -1, 1.5, NaN, Infinity]) refused(RangeError, { concurrency });
  for (const timeout of [0, -1, NaN, Infinity]) refused(RangeError, { timeout });
  for (const wrong of ["1", null, {}]) {
    refused(TypeError, { concurrency: wrong });
    refused(TypeError, { timeout: wrong });
  }
  refused(TypeError, null);
  refused(TypeError, 16);
  assert.throws(() => watch.handle("handler" as never), TypeError);
  await t.test("beside a reader, or twice", async () => {
    const reader = watch.getReader();
    assert.throws(
      () => watch.handle(() => {}),
      /^TypeError: Cannot handle the events of 'nothing'/,
    );
    reader.releaseLock();
    const done = watch.handle(() => {});
    assert.throws(() => watch.handle(() => {}), TypeError);
    assert.throws(() => watch.getReader(), TypeError);
    watch.close();
    await done;
    assert.equal(watch.locked, false);
  });
});
