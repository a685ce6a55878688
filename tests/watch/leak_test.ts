import { type ExternalSource, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers";
import v8 from "node:v8";
import vm from "node:vm";
import { workSince } from "../errors/_cpu.ts";
import { countListeners } from "../bounds/_listeners.ts";
import { added, isBun, isDeno } from "./_watch.ts";

const POLLS = 100_000;
const WARM_UP = 10_000;
// A leak of one object a poll, however small, is more than this.
const MOST_GROWTH = 2 * 2 ** 20;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What the heap holds after a collection. */
function heapUsed(): number {
  if (isBun) (globalThis as unknown as { Bun: { gc(sync: boolean): void } }).Bun.gc(true);
  else {
    v8.setFlagsFromString("--expose-gc");
    vm.runInNewContext("gc")();
  }
  return process.memoryUsage().heapUsed;
}

test("W11: 100,000 polls on one signal leave heap, listeners and timers flat", async () => {
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Set<unknown>();
  const onPollSignals: (() => number)[] = [];
  const work = workSince();
  let polls = 0;
  const source: ExternalSource<string> = {
    name: "busy",
    poll: ({ signal }) => {
      polls++;
      if (onPollSignals.length < 100) onPollSignals.push(countListeners(signal));
      if (polls % 20 === 1) return Promise.reject(new Error("down"));
      return Promise.resolve(polls % 10 === 0 ? [added("a")] : []);
    },
  };
  // The shortest wait there is: no timer of a wait slows this down, every poll sets one for its timeout.
  const interval = Number.MIN_VALUE;
  const scope = globalThis as unknown as Record<string, unknown>;
  scope.setTimeout = (callback: () => void, delay: number) => {
    const id = setTimeout(callback, delay);
    timers.add(id);
    return id;
  };
  scope.clearTimeout = (id: ReturnType<typeof setTimeout>) => {
    timers.delete(id);
    clearTimeout(id);
  };
  let atFirst: number | undefined;
  let atLast = Infinity;
  try {
    const watch = watchExternal(source, {
      interval,
      maxBackoff: interval,
      timeout: 60_000,
      signal,
      logger: false,
      onError: () => {},
    });
    let events = 0;
    for await (const _ of watch) {
      if (++events % 50 === 0) {
        await turn();
        assert.equal(listeners(), 1);
        assert.equal(timers.size, 0);
      }
      if (atFirst === undefined && polls >= WARM_UP) atFirst = heapUsed();
      if (polls >= POLLS + WARM_UP) {
        // While the watch is there: what it holds goes with it.
        atLast = heapUsed();
        break;
      }
    }
  } finally {
    Object.assign(scope, { setTimeout, clearTimeout });
  }
  const growth = atLast - atFirst!;
  assert.ok(polls >= POLLS);
  assert.equal(listeners(), 0);
  assert.ok(onPollSignals.every((count) => count() === 0), "listeners on the polls' own signals");
  assert.ok(growth < MOST_GROWTH, `the heap grew by ${growth} bytes`);
  assert.ok(work() < 20_000, `took ${work()} ms`);
});

test("W11: 10,000 waits leave no timer and no listener", async () => {
  const { signal } = new AbortController();
  const listeners = countListeners(signal);
  let polls = 0;
  const source: ExternalSource<string> = {
    name: "refreshed",
    poll: () => Promise.resolve(++polls === 10_000 ? [added("done")] : []),
  };
  const { setTimeout, clearTimeout } = globalThis;
  const timers = new Set<unknown>();
  let most = 0;
  const scope = globalThis as unknown as Record<string, unknown>;
  scope.setTimeout = (callback: () => void, delay: number) => {
    const id = setTimeout(callback, delay);
    timers.add(id);
    most = Math.max(most, timers.size);
    // A wait has begun: end it.
    queueMicrotask(() => watch.refresh());
    return id;
  };
  scope.clearTimeout = (id: ReturnType<typeof setTimeout>) => {
    timers.delete(id);
    clearTimeout(id);
  };
  const watch = watchExternal(source, { interval: 1_000_000, signal });
  try {
    for await (const _ of watch) break;
  } finally {
    Object.assign(scope, { setTimeout, clearTimeout });
  }
  assert.equal(polls, 10_000);
  assert.equal(most, 1);
  assert.equal(timers.size, 0);
  assert.equal(listeners(), 0);
});

if (isDeno) {
  // node:test knows no sanitizers: these few are Deno's own tests.
  const sanitized = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true };
  const endless: ExternalSource<string> = {
    name: "endless",
    poll: ({ signal }) =>
      new Promise((_, reject) => {
        const timer = setInterval(() => {}, 1_000);
        signal.addEventListener("abort", () => {
          clearInterval(timer);
          reject(signal.reason);
        });
      }),
  };
  const idle: ExternalSource<string> = { name: "idle", poll: () => Promise.resolve([]) };

  for (const source of [endless, idle]) {
    Deno.test({
      name: `W6: a watch of ${source.name} leaves no op and no resource, however it ends`,
      ...sanitized,
      async fn() {
        const ends: ((
          reader: ReadableStreamDefaultReader,
          close: () => void,
          controller: AbortController,
        ) => unknown)[] = [
          (reader) => reader.cancel(),
          (_, close) => close(),
          (_, __, controller) => controller.abort(),
        ];
        for (const end of ends) {
          const controller = new AbortController();
          const watch = watchExternal(source, {
            interval: 1_000_000,
            timeout: 1_000_000,
            signal: controller.signal,
          });
          const reader = watch.getReader();
          const read = reader.read().catch(() => {});
          await turn();
          await end(reader, () => watch.close(), controller);
          await read;
        }
      },
    });
  }
}
