// E3: an item whose handler fails is set aside, and comes again.
import {
  CollectionPoller,
  type ExternalSource,
  HttpPoller,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { last, type ObjectEvent, storeOf, whatOf, withHandlers } from "./_handlers.ts";
import { settle, withClock } from "./_watch.ts";

test("E3: what fails is reported with its key, all others go on, polls too", async () => {
  const keys = ["a", "poison", "z"];
  await withHandlers({ keys }, async ({ clock, store, calls, running, failures, watch }) => {
    await last(calls).end();
    const poison = new Error("cannot parse");
    await last(calls).fail(poison);
    const { error, info } = failures[0] ?? assert.fail();
    const { code, key, attempt, source, message } = error;
    assert.deepEqual({ code, key, attempt, source, info }, {
      code: "handler",
      key: "poison",
      attempt: 1,
      source: "memory://",
      info: { attempt: 1, wait: 200 },
    });
    assert.equal(message, "Cannot handle 'poison' of 'memory://': cannot parse");
    assert.deepEqual((error.cause as Error).message, poison.message);
    assert.equal(watch.status.lastError, error);
    assert.equal(watch.status.aside, 1);
    assert.deepEqual(whatOf(running), ["added z"]);
    await last(calls).end();
    await store.put("new", "new");
    await clock.tick(100);
    assert.deepEqual(whatOf(running), ["added new"]);
    assert.equal(watch.status.failures, 0);
  });
});

test("E3: it comes again after a back-off of its own, doubled with each attempt", async () => {
  const options = { minBackoff: 150, maxBackoff: 500, interval: 10_000 };
  await withHandlers({ keys: ["a"], options }, async ({ clock, calls, failures, watch }) => {
    for (const [attempt, wait] of [[1, 150], [2, 300], [3, 500], [4, 500]] as const) {
      assert.equal(calls.length, attempt);
      assert.equal(last(calls).context.attempt, attempt);
      await last(calls).fail();
      assert.deepEqual(failures.at(-1)?.info, { attempt, wait });
      await clock.tick(wait - 1);
      assert.equal(calls.length, attempt);
      await clock.tick(1);
    }
    await last(calls).end();
    assert.equal(watch.status.aside, undefined);
    assert.equal(watch.status.polls, 1);
    assert.deepEqual(whatOf(calls), Array(5).fill("added a"));
  });
});

test("E3: with its newest state, as removed if it is gone, and not by polls", async () => {
  const options = { minBackoff: 250 };
  const keys = ["changed", "gone"];
  await withHandlers({ keys, options, handle: { concurrency: 2 } }, async (setup) => {
    const { clock, store, calls, watch } = setup;
    for (const call of [...calls]) await call.end();
    await clock.tick(100);
    await store.put("changed", "second");
    await store.put("gone", "second");
    await clock.tick(100);
    const [changed, gone] = calls.slice(2);
    await changed?.fail();
    await gone?.fail();
    await store.put("changed", "third, longer");
    await store.delete("gone");
    await clock.tick(200);
    assert.equal(calls.length, 4);
    assert.ok(watch.status.polls >= 4);
    await clock.tick(100);
    assert.deepEqual(whatOf(calls.slice(4)), ["modified changed", "removed gone"]);
    const { event } = calls[4] ?? last(calls);
    assert.equal(event.item.size, "third, longer".length);
    assert.equal(event.previous?.size, "changed".length); // as it was handled last
    for (const call of calls.slice(4)) {
      assert.equal(call.context.attempt, 2);
      await call.end();
    }
    await clock.tick(1_000);
    assert.equal(calls.length, 6);
    await store.put("gone", "back");
    await clock.tick(100);
    assert.equal(last(calls).what, "added gone");
    assert.equal(last(calls).context.attempt, 1);
  });
});

test("E3: a handler that takes too long has failed: its signal is aborted, its place is free", async () => {
  const options = { interval: 10_000, minBackoff: 100 };
  const handle = { timeout: 50 };
  await withHandlers({ keys: ["a", "b"], options, handle }, async (setup) => {
    const { clock, calls, failures } = setup;
    const hanging = last(calls);
    const { signal } = hanging.context;
    await clock.tick(49);
    assert.equal(signal.aborted, false);
    await clock.tick(1);
    assert.equal(signal.aborted, true);
    assert.equal((signal.reason as Error).message, "it took longer than 50 ms");
    assert.equal(
      failures[0]?.error.message,
      "Cannot handle 'a' of 'memory://': it took longer than 50 ms",
    );
    assert.equal(failures[0]?.error.code, "handler");
    assert.equal(last(calls).what, "added b");
    // Too late: it counts no more.
    await hanging.end();
    await last(calls).end();
    await clock.tick(100);
    assert.deepEqual([last(calls).what, last(calls).context.attempt], ["added a", 2]);
    await last(calls).end();
    await clock.tick(1_000);
    assert.equal(calls.length, 3);
  });
});

test("E3: not forgotten by a restart", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const options = { checkpoint };
  await withHandlers({ keys: ["a", "b"], options }, async ({ calls, watch, done }) => {
    await last(calls).fail();
    await last(calls).end();
    watch.close();
    await done;
  });
  await withHandlers({ keys: ["b"], options }, async ({ calls }) => {
    assert.deepEqual(whatOf(calls), ["removed a"]);
    assert.equal(last(calls).context.attempt, 1);
    await settle();
  });
});

test("E3: what always fails holds up neither new events nor polls", async () => {
  const poison = Array.from({ length: 20 }, (_, i) => `poison ${i}`);
  const options = { minBackoff: 1, maxBackoff: 1, interval: 50 };
  await withHandlers({ keys: poison, options }, async ({ clock, store, calls, watch }) => {
    for (let i = 0; i < 20; i++) await last(calls).fail();
    for (let i = 0; i < 5; i++) await store.put(`good ${i}`, "good");
    const good = new Set<string>();
    for (let i = 0; i < 60 && good.size < 5; i++) {
      await clock.tick(5);
      const call = last(calls);
      if (call.event.item.key.startsWith("poison")) await call.fail();
      else {
        good.add(call.event.item.key);
        await call.end();
      }
    }
    assert.equal(good.size, 5);
    assert.ok(watch.status.polls >= 2);
    assert.equal(watch.status.aside, 20);
  });
});

test("E3: more than 10,000 aside hold back new events, and that is logged", async () => {
  const keys = Array.from({ length: 9_999 }, (_, i) => `aside ${i}`);
  const source: ExternalSource<string> = {
    name: "many",
    poll: () => Promise.resolve(["first", "second"].map((item) => ({ type: "added", item }))),
    acknowledgement: {
      keyOf: ({ item }) => item,
      handled() {},
      setAside() {},
      again: (item) => ({ type: "modified", item }),
      asideKeys: () => keys,
    },
  };
  const warnings: string[] = [];
  const watch = watchExternal(source, {
    interval: 60_000,
    logger: { debug() {}, info() {}, warn: (line) => warnings.push(line), error() {} },
  });
  const calls: string[] = [];
  await watch.handle(({ item }, { attempt }) => {
    calls.push(item);
    if (item === "first" && attempt === 1) throw new Error("poison");
    if (item === "second") watch.close();
  });
  // By turns; and behind the one that failed, one of the others first.
  assert.deepEqual(calls, ["aside 0", "first", "aside 1", "second"]);
  assert.equal(watch.status.aside, 9_998);
  assert.ok(!warnings.some((line) => line.startsWith("Holding back")));

  keys.push("aside 9999");
  const other = watchExternal(source, {
    interval: 60_000,
    logger: { debug() {}, info() {}, warn: (line) => warnings.push(line), error() {} },
  });
  calls.length = 0;
  await other.handle(({ item }, { attempt }) => {
    calls.push(item);
    if (calls.length < 3 || item === "first" && attempt === 1) throw new Error("poison");
    if (item === "second") other.close();
  });
  assert.deepEqual(calls, ["aside 0", "aside 1", "aside 2", "first", "aside 3", "second"]);
  assert.deepEqual(warnings.filter((line) => line.startsWith("Holding back")), [
    "Holding back new events of 'many' as 10000 items were set aside: some must be handled first",
  ]);
});

test("the first of what fails is logged, and when nothing is aside any more", async (t) => {
  const lines: string[] = [];
  t.mock.method(console, "warn", (line: string) => lines.push(line));
  const options = { logger: undefined };
  await withHandlers({ keys: ["a", "b"], options }, async ({ clock, calls }) => {
    await last(calls).fail();
    await last(calls).fail();
    await clock.tick(200);
    for (let i = 0; i < 2; i++) {
      await last(calls).end();
      await clock.tick(200);
    }
  });
  assert.deepEqual(lines, [
    "Cannot handle 'a' of 'memory://': poison (attempt 1, next in 200 ms)",
    "Handled all of 'memory://' that had been set aside",
  ]);
});

test("a collection that remembers versions alone gives the item with its next poll", async () => {
  await withClock(async (clock) => {
    const items = new Map([["a", 1], ["b", 1]]);
    const source = new CollectionPoller<{ id: string; version: number; whole?: boolean }>({
      name: "items",
      list: async function* () {
        await Promise.resolve();
        yield [...items].map(([id, version]) => ({ id, version, whole: true }));
      },
      key: ({ id }) => id,
      version: ({ version }) => `${version}`,
      remember: "version",
      removed: (id, version) => ({ id, version: Number(version) }),
    });
    const seen: string[] = [];
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      logger: false,
      minBackoff: 250,
    });
    const done = watch.handle(({ type, item }, { attempt }) => {
      seen.push(`${type} ${item.id}${item.version} ${item.whole} ${attempt}`);
      if (item.id === "a" && attempt === 1) throw new Error("poison");
    });
    await settle();
    items.set("a", 2);
    await clock.tick(100);
    await clock.tick(100);
    assert.deepEqual(seen, ["added a1 true 1", "added b1 true 1"]);
    await clock.tick(100);
    await clock.tick(100);
    assert.deepEqual(seen.slice(2), ["added a2 true 2"]);
    items.delete("a");
    await clock.tick(100);
    assert.deepEqual(seen.slice(3), ["removed a2 undefined 1"]);
    watch.close();
    await done;
  });
});

test("a collection whose key needs what JSON does not hold", async () => {
  const source = new CollectionPoller<{ at: Date }>({
    name: "dates",
    list: async function* () {
      await Promise.resolve();
      yield [{ at: new Date(1) }, { at: new Date(2) }];
    },
    key: ({ at }) => at.toISOString(),
  });
  const watch = watchExternal(source, { interval: 20, logger: false, minBackoff: 5 });
  const attempts: number[] = [];
  await watch.handle((_event, { attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("poison");
    if (attempts.length === 4) watch.close();
  }, { concurrency: 2 });
  // Each comes again when it may: on a busy machine one before the other was handed out at all.
  assert.deepEqual(attempts.sort(), [1, 1, 2, 2]);
});

test("an HTTP resource comes again as it is by then, whatever it was", async () => {
  await withClock(async (clock) => {
    let content: string | undefined = "first";
    let requests = 0;
    const source = new HttpPoller("http://127.0.0.1/config", {
      name: "config",
      fetch: (_input, init) => {
        requests++;
        const etag = `"${content}"`;
        if (content === undefined) return Promise.resolve(new Response(null, { status: 404 }));
        const isKnown = new Headers(init?.headers).get("if-none-match") === etag;
        return Promise.resolve(
          new Response(isKnown ? null : content, {
            status: isKnown ? 304 : 200,
            headers: { etag },
          }),
        );
      },
    });
    const seen: string[] = [];
    const failures: string[] = [];
    let isPoison = true;
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      logger: false,
      minBackoff: 250,
      maxBackoff: 250,
      onError: ({ key, message }) => failures.push(`${key}: ${message}`),
    });
    const done = watch.handle(({ type, item }, { attempt }) => {
      seen.push(`${type} ${item.text()} ${attempt}`);
      if (isPoison) throw new Error("poison");
    });
    const next = async () => {
      // A digest takes turns of the event loop, and nobody knows how many.
      for (let i = 0; i < 1_000 && seen.length === 0; i++) await clock.tick(50);
      return seen.splice(0);
    };
    assert.deepEqual(await next(), ["added first 1"]);
    assert.deepEqual(failures, ["config: Cannot handle 'config': poison"]);
    content = "second";
    assert.deepEqual(await next(), ["added second 2"]);
    assert.deepEqual(await next(), ["added second 3"]);
    content = undefined;
    assert.deepEqual(await next(), ["removed  4"]);
    content = "third";
    isPoison = false;
    assert.deepEqual(await next(), ["added third 5"]);
    for (const before = requests; requests < before + 2;) await clock.tick(50);
    content = undefined;
    assert.deepEqual(await next(), ["removed  1"]);
    watch.close();
    await done;
  });
});

test("keys are those of the objects", async () => {
  const poller = new ObjectStorePoller(await storeOf("a"));
  const event: ObjectEvent = { type: "added", item: { key: "a", size: 1 } };
  assert.equal(poller.acknowledgement.keyOf(event), "a");
});

test("the status tells whether something is handled again, or the next poll is waited for", () =>
  withHandlers({ keys: ["a"], options: { interval: 60_000, minBackoff: 100 } }, async (setup) => {
    const { clock, watch, calls } = setup;
    assert.equal(watch.status.phase, "delivering");
    await last(calls).fail();
    assert.equal(watch.status.phase, "waiting");
    await clock.tick(100);
    assert.equal(calls.length, 2);
    assert.equal(watch.status.phase, "delivering");
    await last(calls).end();
    assert.equal(watch.status.phase, "waiting");
  }));
