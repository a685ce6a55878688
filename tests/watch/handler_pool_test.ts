import type { ExternalError } from "@koprs/external";
import type { HandleContext } from "@koprs/external/watcher";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failed, Handling } from "../../_watch/handler_pool.ts";
import { settle, withClock } from "./_watch.ts";

interface Handout {
  readonly event: string;
  readonly attempt: number;
}

/** What is handed out is the test's; it notes what was settled, and how often there was room for more. */
function handlingOf(
  events: string[],
  handler: (event: string, context: HandleContext) => unknown,
  limits: { concurrency: number; timeout?: number },
) {
  const settled: [string, unknown][] = [];
  const rooms: number[] = [];
  const handling: Handling<string, Handout> = new Handling<string, Handout>(
    handler,
    { timeout: undefined, ...limits },
    {
      take: () => {
        const event = events.shift();
        return event === undefined ? undefined : { event, attempt: 1 };
      },
      settle: ({ event }, failed?: Failed) =>
        settled.push([event, failed === undefined ? "good" : failed.thrown]),
      hasRoom: () => rooms.push(handling.running),
    },
  );
  return { handling, settled, rooms };
}

test("handlers that end at once are no recursion, and tell of no room while more is handed out", () => {
  const events = Array.from({ length: 20_000 }, (_, i) => String(i));
  const thrown = new Error("no");
  let calls = 0;
  const { handling, settled, rooms } = handlingOf(events, (event) => {
    calls++;
    if (event === "1") throw thrown;
  }, { concurrency: 1 });
  handling.fill();
  assert.deepEqual([calls, settled.length, rooms], [20_000, 20_000, []]);
  assert.deepEqual(settled.slice(0, 3), [["0", "good"], ["1", thrown], ["2", "good"]]);
});

test("a handler that calls for more while it is started is not overtaken by itself", () => {
  const { handling, settled } = handlingOf(["a", "b", "c"], () => handling.fill(), {
    concurrency: 1,
  });
  handling.fill();
  assert.deepEqual(settled.map(([event]) => event), ["a", "b", "c"]);
});

test("the place of a handler that has ended goes to the next, and room is told of where there is none", async () => {
  const ends: (() => void)[] = [];
  const handler = () => new Promise<void>((resolve) => ends.push(resolve));
  const { handling, settled, rooms } = handlingOf(["a", "b", "c"], handler, { concurrency: 2 });
  handling.fill();
  assert.equal(handling.running, 2);
  ends[1]!();
  await settle();
  assert.deepEqual([ends.length, handling.running, rooms], [3, 2, []]);
  ends[0]!();
  await settle();
  assert.deepEqual([handling.running, rooms], [1, [1]]);
  ends[2]!();
  await settle();
  assert.deepEqual(settled.map(([event]) => event), ["b", "a", "c"]);
});

test("one that takes too long is aborted, and what it does then is of no account", () =>
  withClock(async (clock) => {
    const contexts: HandleContext[] = [];
    const ends: (() => void)[] = [];
    const { handling, settled } = handlingOf(["a", "b"], (_, context) => {
      contexts.push(context);
      return new Promise<void>((resolve) => ends.push(resolve));
    }, { concurrency: 2, timeout: 100 });
    handling.fill();
    const { signal } = contexts[0]!;
    await clock.tick(99);
    assert.deepEqual([signal.aborted, settled.length], [false, 0]);
    ends[1]!();
    await clock.tick(0);
    assert.equal(clock.timers, 1, "one that has ended has no timer");
    await clock.tick(1);
    assert.equal(signal.aborted, true);
    const [, [event, thrown]] = settled as [unknown, [string, ExternalError]];
    assert.equal(event, "a");
    assert.equal(signal.reason, thrown);
    assert.deepEqual([thrown.code, thrown.message], ["timeout", "it took longer than 100 ms"]);
    ends[0]!();
    await settle();
    assert.deepEqual([settled.length, handling.running, clock.timers], [2, 0, 0]);
    assert.equal(contexts[1]!.signal.aborted, false, "one that was in time was not aborted");
  }));

test("abort and drop end handlers, whether they have looked at their signal or not", () =>
  withClock(async (clock) => {
    const contexts: HandleContext[] = [];
    const { handling, settled } = handlingOf(["a", "b", "c"], (_, context) => {
      contexts.push(context);
      return new Promise<void>(() => {});
    }, { concurrency: 3, timeout: 100 });
    handling.fill();
    const [a, b, c] = contexts as [HandleContext, HandleContext, HandleContext];
    const { signal } = a;
    const [why, reason] = [new Error("dropped"), new Error("aborted")];
    handling.drop(({ event }) => event === "a", why);
    assert.equal(signal.reason, why);
    assert.equal(handling.running, 2);
    handling.abort(reason);
    assert.deepEqual([b.signal.reason, c.signal.reason, a.signal.reason], [reason, reason, why]);
    assert.deepEqual([handling.running, clock.timers, b.attempt], [0, 0, 1]);
    await clock.tick(1_000);
    assert.deepEqual(settled, []);
  }));

test("a handler that is ended while it starts gets no timer", () =>
  withClock((clock) => {
    const { handling, settled } = handlingOf(["a"], () => {
      handling.abort(new Error("over"));
      return new Promise<void>(() => {});
    }, { concurrency: 1, timeout: 100 });
    handling.fill();
    assert.deepEqual([clock.timers, settled], [0, []]);
    return Promise.resolve();
  }));
