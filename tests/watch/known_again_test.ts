// All that is known once more: now, every so often, and at the start.
import {
  type ExternalEvent,
  type ExternalSource,
  type ExternalWatch,
  HttpPoller,
  ObjectStorePoller,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import { CollectionPoller } from "@koprs/external/collection";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import type { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { storeOf } from "./_handlers.ts";
import { type Clock, settle, withClock } from "./_watch.ts";

interface Reading {
  readonly clock: Clock;
  readonly store: MemoryStore;
  /** What was read since it was asked last. */
  read(): string[];
  readonly watch: ExternalWatch<unknown>;
}

/** Reads a watch of these objects, by `for await` and by `handle`. */
function bothWays(
  name: string,
  options: Partial<WatchOptions> & { readonly fail?: (what: string) => boolean },
  body: (reading: Reading) => Promise<void>,
): void {
  const { fail, ...rest } = options;
  for (const way of ["read", "handled"]) {
    test(`${name}, ${way}`, () =>
      withClock(async (clock) => {
        const store = await storeOf("a", "b");
        const seen: string[] = [];
        const watch = watchExternal(failing(new ObjectStorePoller(store), fail), {
          interval: 100,
          jitter: 0,
          logger: false,
          ...rest,
        });
        const note = ({ type, item: { key, size }, previous }: ExternalEvent<Item>) =>
          seen.push(`${type} ${key}${size}${previous ? ` from ${previous.size}` : ""}`);
        const done = way === "handled" ? watch.handle((event) => void note(event)) : (async () => {
          for await (const event of watch) note(event);
        })();
        await settle();
        await body({ clock, store, watch, read: () => seen.splice(0) });
        watch.close();
        await done;
      }));
  }
}

type Item = { readonly key: string; readonly size: number };

/** The source, whose events break off where `fail` says so. */
function failing(
  source: ExternalSource<Item>,
  fail: ((what: string) => boolean) | undefined,
): ExternalSource<Item> {
  if (fail === undefined) return source;
  return Object.assign(Object.create(source) as ExternalSource<Item>, {
    name: source.name,
    acknowledgement: source.acknowledgement,
    async poll(options: Parameters<ExternalSource<Item>["poll"]>[0]) {
      const events = await source.poll(options);
      return (function* () {
        for (const event of events) {
          if (fail(`${event.type} ${event.item.key}`)) throw new Error("broke off");
          yield event;
        }
      })();
    },
  });
}

bothWays("resync reports all that is known once more, and what changed", {}, async (reading) => {
  const { clock, store, watch, read } = reading;
  assert.deepEqual(read(), ["added a1", "added b1"]);
  await store.put("b", "longer");
  await store.put("c", "new");
  watch.resync();
  await clock.tick(0);
  assert.deepEqual(read(), ["modified a1 from 1", "modified b6 from 1", "added c3"]);
  await store.delete("a");
  watch.resync();
  await clock.tick(0);
  assert.deepEqual(read(), ["removed a1", "modified b6 from 6", "modified c3 from 3"]);
  await clock.tick(100);
  assert.deepEqual(read(), []);
});

bothWays("every so often", { resync: 250 }, async ({ clock, read }) => {
  assert.deepEqual(read(), ["added a1", "added b1"]);
  await clock.tick(100);
  await clock.tick(100);
  assert.deepEqual(read(), []);
  await clock.tick(100);
  assert.deepEqual(read(), ["modified a1 from 1", "modified b1 from 1"]);
  await clock.tick(100);
  await clock.tick(100);
  assert.deepEqual(read(), []);
  await clock.tick(100);
  assert.equal(read().length, 2);
});

let breaks = 0;
bothWays(
  "a resync that breaks off is done again",
  { fail: (what) => what === "modified b" && breaks-- > 0, interval: 100, maxBackoff: 100 },
  async ({ clock, watch, read }) => {
    read();
    breaks = 1;
    watch.resync();
    await clock.tick(0);
    assert.deepEqual(read(), ["modified a1 from 1"]);
    await clock.tick(100);
    assert.deepEqual(read(), ["modified a1 from 1", "modified b1 from 1"]);
    await clock.tick(100);
    assert.deepEqual(read(), []);
  },
);

test("asked for while one is under way, there is another", async () => {
  await withClock(async (clock) => {
    const store = await storeOf("a");
    const watch = watchExternal(new ObjectStorePoller(store), { interval: 100, jitter: 0 });
    const seen: string[] = [];
    const done = watch.handle(({ type }) => {
      seen.push(type);
      if (seen.length === 2) watch.resync();
    });
    await settle();
    assert.deepEqual(seen, ["added"]);
    watch.resync();
    await clock.tick(0);
    await clock.tick(0);
    assert.deepEqual(seen, ["added", "modified", "modified"]);
    await clock.tick(100);
    assert.equal(seen.length, 3);
    watch.close();
    await done;
  });
});

test("replay: the first poll reports all that a checkpoint knows, what went while down included", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const store = await storeOf("a", "b", "c");
  const live = async (replay: boolean): Promise<string[]> => {
    const seen: string[] = [];
    const watch = watchExternal(new ObjectStorePoller(store), {
      interval: 60_000,
      checkpoint,
      replay,
      logger: false,
    });
    watch.synced.then(() => watch.close());
    for await (const { type, item } of watch) seen.push(`${type} ${item.key}`);
    return seen;
  };
  assert.deepEqual(await live(true), ["added a", "added b", "added c"]);
  assert.deepEqual(await live(false), []);
  await store.delete("a");
  await store.put("d", "d");
  assert.deepEqual(await live(true), ["removed a", "modified b", "modified c", "added d"]);
  assert.deepEqual(await live(true), ["modified b", "modified c", "modified d"]);
});

test("an HTTP resource is asked for anew, although it has not changed", async () => {
  const conditions: (string | null)[] = [];
  const source = new HttpPoller("http://127.0.0.1/config", {
    fetch(_input, init) {
      const condition = new Headers(init?.headers).get("if-none-match");
      conditions.push(condition);
      return Promise.resolve(
        condition === '"v1"'
          ? new Response(null, { status: 304, headers: { etag: '"v1"' } })
          : new Response("content", { headers: { etag: '"v1"' } }),
      );
    },
  });
  const signal = new AbortController().signal;
  const poll = async (all?: true) =>
    [...await source.poll({ signal, ...(all && { all }) })].map(({ type, item }) =>
      `${type} ${item.text()}`
    );
  assert.deepEqual(await poll(), ["added content"]);
  assert.deepEqual(await poll(), []);
  assert.deepEqual(await poll(true), ["modified content"]);
  assert.deepEqual(await poll(), []);
  assert.deepEqual(conditions, [null, '"v1"', null, '"v1"']);
});

test("a collection, whether it remembers items or versions", async () => {
  for (const remember of ["json", "version"] as const) {
    const source = new CollectionPoller<{ id: string; version: string }>({
      name: "items",
      list: async function* () {
        await Promise.resolve();
        yield [{ id: "a", version: "1" }, { id: "b", version: "1" }];
      },
      key: ({ id }) => id,
      version: ({ version }) => version,
      remember,
      ...(remember === "version" && { removed: (id, version) => ({ id, version }) }),
    });
    const signal = new AbortController().signal;
    assert.equal([...await source.poll({ signal })].length, 2);
    const events = [...await source.poll({ signal, all: true })];
    assert.deepEqual(events.map(({ type, item }) => `${type} ${item.id}`), [
      "modified a",
      "modified b",
    ]);
    assert.deepEqual(events[0]?.previous, remember === "json" ? events[0]?.item : undefined);
  }
});

test("wrong options are refused", () => {
  const watch = (options: unknown) => () =>
    watchExternal({ name: "x", poll: () => Promise.resolve([]) }, options as WatchOptions);
  for (const resync of [0, -1, NaN, Infinity]) {
    assert.throws(watch({ interval: 1, resync }), RangeError);
  }
  assert.throws(watch({ interval: 1, resync: "1" }), TypeError);
  assert.throws(watch({ interval: 1, replay: 1 }), TypeError);
  assert.throws(watch({ interval: 1, onPoll: 1 }), TypeError);
});
