// Collections that say what changed since a token: in any mix with listings of everything, failures, crashes and changes that the
// API does not tell of, replay equals reality behind the next sweep.
import { CollectionPoller, ExternalError, type ExternalEvent } from "@koprs/external";
import type { ChangesPage, SinceOptions } from "@koprs/external/collection";
import fc from "fast-check";
import assert from "node:assert/strict";
import { mock, test } from "node:test";

interface Item {
  readonly id: string;
  readonly version: number;
}

const SWEEP = 10_000;
const { signal } = new AbortController();

/** An API with a log of changes. */
class Api {
  readonly items: Map<string, Item> = new Map();
  log: { readonly id: string; readonly hidden: boolean }[] = [];
  /** Entries before this one are not kept any more. */
  oldest = 0;
  fails = false;
  readonly asked: string[] = [];

  set(id: string, version: number | undefined, hidden = false): void {
    if (version === undefined) this.items.delete(id);
    else this.items.set(id, { id, version });
    this.log.push({ id, hidden });
  }

  all(): Item[] {
    this.asked.push("all");
    if (this.fails) throw new Error("down");
    return [...this.items.values()];
  }

  *since(token: string, paged: boolean): Iterable<ChangesPage<Item>> {
    this.asked.push(token);
    if (Number(token) < this.oldest) throw new ExternalError("status", "too old", { status: 410 });
    for (const [i, { id, hidden }] of this.log.entries()) {
      if (i < Number(token) || hidden) continue;
      const item = this.items.get(id);
      const page = item === undefined ? { removed: [id] } : { items: [item] };
      yield paged ? { ...page, token: String(i + 1) } : page;
      if (this.fails) throw new Error("down");
    }
  }
}

function pollerOf(api: Api, brief = false, paged = false): CollectionPoller<Item> {
  const since: SinceOptions<Item> = {
    token: () => String(api.log.length),
    async *list(token) {
      yield* api.since(token, paged);
    },
    sweep: SWEEP,
  };
  return new CollectionPoller<Item>({
    name: "items",
    list: () => api.all(),
    key: ({ id }) => id,
    since,
    ...(brief && {
      version: ({ version }: Item) => String(version),
      remember: "version" as const,
      removed: (id: string, version: string) => ({ id, version: Number(version) }),
    }),
  });
}

const told = (events: Iterable<ExternalEvent<Item>>) =>
  [...events].map(({ type, item }) => `${type} ${item.id}${item.version}`);

async function withClock(body: (tick: (ms: number) => void) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  try {
    await body((ms) => mock.timers.tick(ms));
  } finally {
    mock.timers.reset();
  }
}

for (const [brief, paged] of [[false, false], [true, false], [false, true]] as const) {
  const how = `${brief ? "versions only" : "items"}, ${paged ? "tokens of pages" : "a clock"}`;
  test(`polls ask for what changed, and for everything once in a sweep: ${how}`, () =>
    withClock(async (tick) => {
      const api = new Api();
      api.set("a", 1);
      api.set("b", 1);
      const poller = pollerOf(api, brief, paged);
      assert.deepEqual(told(await poller.poll({ signal })), ["added a1", "added b1"]);
      api.set("a", 2);
      api.set("b", undefined);
      api.set("c", 1);
      assert.deepEqual(told(await poller.poll({ signal })), [
        "modified a2",
        "removed b1",
        "added c1",
      ]);
      api.set("c", undefined, true);
      assert.deepEqual(told(await poller.poll({ signal })), []);
      tick(SWEEP - 1);
      assert.deepEqual(told(await poller.poll({ signal })), []);
      tick(1);
      assert.deepEqual(told(await poller.poll({ signal })), ["removed c1"]);
      assert.deepEqual(api.asked.map((asked) => asked === "all"), [
        true,
        false,
        false,
        false,
        true,
      ]);
    }));
}

test("a token that is too old leads to a listing of everything at once", () =>
  withClock(async () => {
    const api = new Api();
    api.set("a", 1);
    const poller = pollerOf(api);
    told(await poller.poll({ signal }));
    api.set("a", undefined);
    api.oldest = 5;
    assert.deepEqual(told(await poller.poll({ signal })), ["removed a1"]);
    assert.deepEqual(api.asked, ["all", "1", "all"]);
  }));

test("changes that were not handled are asked for again", () =>
  withClock(async () => {
    const api = new Api();
    api.set("a", 1);
    const poller = pollerOf(api);
    told(await poller.poll({ signal }));
    api.set("a", 2);
    api.set("b", 1);
    const events = (await poller.poll({ signal }))[Symbol.iterator]();
    events.next();
    assert.deepEqual(told(await poller.poll({ signal })), ["modified a2", "added b1"]);
    events.next();
    assert.deepEqual(told(await poller.poll({ signal })), []);
    assert.deepEqual(api.asked, ["all", "1", "1", "3"]);
  }));

test("a delivery that a newer poll has overtaken moves nothing on", () =>
  withClock(async () => {
    const api = new Api();
    api.set("a", 1);
    const poller = pollerOf(api);
    told(await poller.poll({ signal }));
    api.set("a", 2);
    const older = (await poller.poll({ signal }))[Symbol.iterator]();
    older.next();
    await poller.poll({ signal });
    older.next();
    assert.deepEqual(told(await poller.poll({ signal })), ["modified a2"]);
    assert.deepEqual(api.asked, ["all", "1", "1", "1"]);
  }));

test("behind a restore everything is listed", () =>
  withClock(async () => {
    const api = new Api();
    api.set("a", 1);
    const poller = pollerOf(api);
    const before = poller.save();
    told(await poller.poll({ signal }));
    poller.restore(before);
    assert.deepEqual(told(await poller.poll({ signal })), ["added a1"]);
    assert.deepEqual(api.asked, ["all", "all"]);
  }));

test("of what is said twice of an item the last counts", () =>
  withClock(async () => {
    const api = new Api();
    api.set("a", 1);
    api.set("b", 1);
    let pages: ChangesPage<Item>[] = [];
    const poller = new CollectionPoller<Item>({
      name: "items",
      list: () => api.all(),
      key: ({ id }) => id,
      since: {
        token: () => "1",
        async *list() {
          yield* pages;
        },
        sweep: SWEEP,
      },
    });
    told(await poller.poll({ signal }));
    const [a, b] = [{ id: "a", version: 2 }, { id: "b", version: 2 }];
    pages = [{ removed: ["a"] }, { items: [a, b] }, { removed: ["b", "c"] }];
    assert.deepEqual(told(await poller.poll({ signal })), ["modified a2", "removed b1"]);
  }));

test("in any mix replay equals reality behind the next sweep", { timeout: 60_000 }, async () => {
  const id = fc.constantFrom("a", "b", "c", "d", "é");
  const step = fc.record({
    changes: fc.array(
      fc.record({ id, version: fc.option(fc.nat(3), { nil: undefined }), hidden: fc.boolean() }),
      { maxLength: 4 },
    ),
    fails: fc.boolean(),
    dropAt: fc.option(fc.nat(3), { nil: undefined, freq: 2 }),
    forgets: fc.boolean(),
    restarts: fc.boolean(),
    wait: fc.constantFrom(0, 0, SWEEP),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 8 }),
      fc.boolean(),
      fc.boolean(),
      (steps, brief, paged) =>
        withClock(async (tick) => {
          const api = new Api();
          const known = new Map<string, number>();
          let poller = pollerOf(api, brief, paged);
          let saved = poller.save();
          const poll = async (dropAt?: number) => {
            let count = 0;
            for (const { type, item } of await poller.poll({ signal })) {
              saved = poller.save();
              if (count++ === dropAt) return;
              if (type === "removed") known.delete(item.id);
              else known.set(item.id, item.version);
            }
            saved = poller.save();
          };
          for (const { changes, fails, dropAt, forgets, restarts, wait } of steps) {
            for (const { id, version, hidden } of changes) api.set(id, version, hidden);
            if (forgets) api.oldest = api.log.length;
            tick(wait);
            api.fails = fails;
            await poll(dropAt).catch((error) => assert.ok(api.fails, String(error)));
            api.fails = false;
            if (!restarts) continue;
            poller = pollerOf(api, brief, paged);
            poller.restore(saved);
          }
          tick(SWEEP);
          await poll();
          const is = [...api.items.values()].map(({ id, version }) => [id, version]);
          assert.deepEqual([...known].sort(), is.sort());
        }),
    ),
    { numRuns: 1_000 },
  );
});

test("an abort ends a poll at once, also where the API never answers", async () => {
  const stop = new AbortController();
  const poller = new CollectionPoller<Item>({
    name: "items",
    list: () => [],
    key: ({ id }) => id,
    since: {
      token: () => "1",
      async *list() {
        stop.abort(new Error("enough"));
        await new Promise(() => {});
        yield {};
      },
      sweep: SWEEP,
    },
  });
  [...await poller.poll({ signal })];
  await assert.rejects(poller.poll({ signal: stop.signal }), { message: "enough" });
});

test("what cannot be used is refused, and what is no page fails the poll", async () => {
  const make = (since: unknown) =>
    new CollectionPoller({
      name: "x",
      list: () => [],
      key: String,
      since: since as SinceOptions<string>,
    });
  const token = () => "1";
  for (const since of [{}, { token }, { token, list: 1, sweep: 1 }, 1]) {
    assert.throws(() => make(since), TypeError);
  }
  assert.throws(() => make({ token, list: () => [], sweep: 0 }), RangeError);
  const isInvalid = (error: unknown) => error instanceof ExternalError && error.code === "invalid";
  await assert.rejects(
    make({ token: () => 1, list: () => [], sweep: 1 }).poll({ signal }),
    isInvalid,
  );
  const noPage = async function* () {
    yield ["a"];
  };
  for (const list of [() => [["a"]], noPage]) {
    const bad = make({ token, sweep: SWEEP, list });
    [...await bad.poll({ signal })];
    await assert.rejects(bad.poll({ signal }), isInvalid);
  }
});
