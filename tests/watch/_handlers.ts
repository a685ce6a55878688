/** What the tests of handlers share: objects that change, a watch of them, and handlers that end when they are told to. */
import {
  type ExternalError,
  type ExternalEvent,
  type ExternalWatch,
  type FailureInfo,
  ObjectStorePoller,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { ObjectMeta } from "@koprs/external/store";
import type { HandleContext, HandleOptions } from "@koprs/external/watcher";
import assert from "node:assert/strict";
import { begin, type Clock, settle, withClock } from "./_watch.ts";

export type ObjectEvent = ExternalEvent<ObjectMeta>;

export async function storeOf(...keys: string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const key of keys) await store.put(key, key);
  return store;
}

/** One call of the handler. */
export interface Call {
  readonly event: ObjectEvent;
  /** Type and key. */
  readonly what: string;
  readonly context: HandleContext;
  end(): Promise<void>;
  fail(error?: unknown): Promise<void>;
}

export interface Setup {
  readonly clock: Clock;
  readonly store: MemoryStore;
  readonly watch: ExternalWatch<ObjectMeta>;
  readonly poller: ObjectStorePoller;
  /** Every call of the handler so far. */
  readonly calls: Call[];
  /** Those that have not ended. */
  readonly running: Set<Call>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
  /** What `handle` returned. */
  readonly done: Promise<void>;
}

/** A watch of these keys every 100 ms, without jitter or a log, whose handlers end when the test says so. */
export function withHandlers(
  { keys, options, handle }: {
    keys: string[];
    options?: Partial<WatchOptions>;
    handle?: HandleOptions;
  },
  body: (setup: Setup) => Promise<void>,
): Promise<void> {
  return withClock(async (clock) => {
    const store = await storeOf(...keys);
    const poller = new ObjectStorePoller(store);
    const failures: Setup["failures"] = [];
    const watch = watchExternal(poller, {
      interval: 100,
      jitter: 0,
      logger: false,
      onError: (error, info) => failures.push({ error, info }),
      ...options,
    });
    const calls: Call[] = [];
    const running = new Set<Call>();
    const done = begin(
      watch.handle((event, context) =>
        new Promise<void>((resolve, reject) => {
          const ends = (how: () => void) => () => {
            running.delete(call);
            how();
            return settle();
          };
          const call: Call = {
            event,
            what: `${event.type} ${event.item.key}`,
            context,
            end: ends(resolve),
            fail: (error = new Error("poison")) => ends(() => reject(error))(),
          };
          calls.push(call);
          running.add(call);
        }), handle),
    );
    await settle();
    await body({ clock, store, watch, poller, calls, running, failures, done });
    await watch[Symbol.asyncDispose]();
    await settle();
    assert.equal(clock.timers, 0, "timers left");
  });
}

export const whatOf = (calls: Iterable<Call>): string[] => [...calls].map(({ what }) => what);

/** The last call of the handler. */
export function last(calls: readonly Call[]): Call {
  const call = calls.at(-1);
  assert.ok(call !== undefined);
  return call;
}
