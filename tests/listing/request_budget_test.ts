// How many requests a listing takes: whatever the keys and the size, hardly more than page by page.
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type PageHabit, planRanges } from "../../_listing/range_plan.ts";
import { poll } from "../diff/_replay.ts";
import { KeyList, keysOf, keySpaces, simulate } from "./_key_spaces.ts";
import { TimedStore, type TimedStoreOptions } from "./_timed_store.ts";

const PAGE = 100;
const SIZES = [
  ...[0, 1, 99, 100, 101, 199, 350, 790, 800, 801, 850, 899, 900, 999, 1000, 1001, 1250, 1500],
  ...[1600, 1999, 2750, 3100, 4000, 5001, 6400, 8123, 10_000, 16_500],
];

const pagesOf = (count: number, pageSize = PAGE) => Math.max(1, Math.ceil(count / pageSize));

function assertFirst(requests: number, pages: number, what: string): void {
  assert.ok(requests <= 1.15 * pages + 4, `${what}: ${requests} requests for ${pages} pages`);
}

function assertUnchanged(requests: number, pages: number, what: string): void {
  const most = Math.max(pages + 4, 1.06 * pages);
  assert.ok(requests <= most, `${what}: ${requests} requests for ${pages} pages`);
}

async function checkBudgets(keys: readonly string[], pageSize: number, what: string) {
  const pages = pagesOf(keys.length, pageSize);
  const first = await simulate(keys, { pageSize });
  assertFirst(first.requests, pages, `first, ${what}`);
  assert.equal(first.keys.length, keys.length);
  const habit: PageHabit = first.habit ?? { size: pageSize, steady: true };
  const planned = planRanges(new KeyList(keys), habit, 16);
  const next = await simulate(keys, { pageSize, planned });
  assertUnchanged(next.requests, pages, `unchanged, ${what}`);
  assert.equal(next.keys.length, keys.length);
  return { pages, first, next };
}

for (const [name, make] of Object.entries(keySpaces)) {
  test(`requests: ${name}, from none to 165 pages`, { timeout: 60_000 }, async () => {
    for (const size of SIZES) {
      const keys = keysOf(make, size);
      const { pages, first, next } = await checkBudgets(keys, PAGE, `${keys.length} keys`);
      // A store that is over at once is not worth a guess, one that soon may be over is worth one at a time.
      if (pages < 8) assert.equal(first.requests, pages);
      if (pages <= 10) assert.ok(first.requests <= pages + 2, `${first.requests} for ${pages}`);
      // No range is shorter than four pages.
      const ranges = Math.max(1, Math.min(16, Math.floor(pages / 4)));
      assert.ok(next.ticks <= Math.ceil(pages / ranges) + 1, `${next.ticks} for ${pages} pages`);
    }
  });
}

test("requests: pages of other sizes, and a million keys", { timeout: 120_000 }, async () => {
  for (const pageSize of [1, 7, 33, 250]) {
    await checkBudgets(keysOf(keySpaces["deep"] ?? String, 9_700), pageSize, `${pageSize} a page`);
  }
  const keys = keysOf(keySpaces["unpadded numbers"] ?? String, 1_000_000);
  const { pages, next } = await checkBudgets(keys, 1000, "a million");
  assert.ok(pages / next.ticks > 15);
});

/** Polls a store once, and then again with nothing changed. */
async function pollTwice(
  keys: readonly string[],
  options: TimedStoreOptions,
  filter?: (object: ObjectMeta) => boolean,
) {
  const { pageSize = 1000 } = options;
  const store = new TimedStore(keys, options);
  const poller = new ObjectStorePoller(store, { ...(filter && { filter }) });
  const pages = pagesOf(keys.length, pageSize);
  const what = `${keys.length} keys, ${JSON.stringify(options)}`;
  const expected = filter ? keys.filter((key) => filter({ key, size: 1 })) : keys;
  assert.deepEqual((await poll(poller)).map(({ item }) => item.key), expected, what);
  assertFirst(store.requests, pages, `first, ${what}`);
  store.reset();
  assert.deepEqual(await poll(poller), []);
  assertUnchanged(store.requests, pages, `unchanged, ${what}`);
  return { store, poller, pages };
}

const flat = (count: number) =>
  Array.from({ length: count }, (_, i) => `key/${String(i).padStart(8, "0")}`);

test("requests: a poller, whether the store heeds ends of ranges or its adapter cuts them off", {
  timeout: 60_000,
}, async () => {
  for (const clips of [false, true]) {
    for (const size of [0, 1, 999, 1000, 1001, 7_900, 8_000, 9_999, 31_000, 64_000]) {
      const { store, pages } = await pollTwice(flat(size), { clips });
      assert.equal(store.requests, pages);
      // No range is shorter than four pages.
      assert.equal(store.calls.length, Math.max(1, Math.min(16, Math.floor(pages / 4))));
      if (size === 64_000) assert.ok(pages / store.ticks >= 12, `${store.ticks} ticks`);
    }
  }
});

test("requests: a filter that leaves out most changes nothing", { timeout: 60_000 }, async () => {
  for (const size of [7_900, 31_000, 64_000]) {
    for (const clips of [false, true]) {
      const { store, pages } = await pollTwice(
        flat(size),
        { clips },
        ({ key }) => key.endsWith("7"),
      );
      assert.ok(store.ticks <= pages / Math.min(14, Math.floor(pages / 4)) + 2, `${store.ticks}`);
    }
  }
});

test("requests: a young bucket, of which nothing is taken yet, is listed in ranges too", {
  timeout: 60_000,
}, async () => {
  const store = new TimedStore(flat(20_000), { pageSize: 100 });
  const young: typeof store.list = async function* (options) {
    for await (const page of store.list(options)) {
      yield page.map((object) => ({ ...object, lastModified: Date.now() }));
    }
  };
  const poller = new ObjectStorePoller(
    { name: "young://", ranged: true, list: young, get: () => store.get() },
    { minAge: 3_600_000 },
  );
  for (let i = 0; i < 2; i++) {
    store.reset();
    assert.deepEqual(await poll(poller), []);
  }
  assertUnchanged(store.requests, 200, "young");
  assert.ok(store.ticks <= 200 / 12, `${store.ticks} ticks`);
});

test("requests: pages of unlike sizes cost a little more where ranges end", {
  timeout: 60_000,
}, async () => {
  for (const size of [7_900, 31_000, 64_000]) {
    const fill = (page: number) => 40 + page % 61;
    const store = new TimedStore(flat(size), { pageSize: 100, fill });
    const poller = new ObjectStorePoller(store);
    await poll(poller);
    store.reset();
    await poll(poller);
    const serial = Math.ceil(size / 70);
    assert.ok(store.requests <= 1.1 * serial, `${store.requests} for ${serial} pages`);
  }
});

test("requests: a change costs a page in its range at most, and the next poll nothing", {
  timeout: 60_000,
}, async () => {
  for (const clips of [false, true]) {
    const keys = flat(64_000);
    const { store, poller } = await pollTwice(keys, { clips });
    store.keys = [...keys, "key/00000500x", "key/00050000x"].sort();
    store.reset();
    assert.equal((await poll(poller)).length, 2);
    assert.ok(store.requests <= 66, `${store.requests}`);
    store.reset();
    assert.deepEqual(await poll(poller), []);
    assert.equal(store.requests, 65); // of 64,002 objects
    store.keys = keys.filter((_, i) => i % 100 > 0);
    store.reset();
    assert.equal((await poll(poller)).length, 642);
    assert.ok(store.requests <= 80, `${store.requests}`);
    store.reset();
    assert.deepEqual(await poll(poller), []);
    assert.equal(store.requests, 64); // of 63,360
  }
});

test("requests: a store that grew tenfold is listed in parallel all the same", {
  timeout: 60_000,
}, async () => {
  const keys = flat(50_000);
  const store = new TimedStore(keys.slice(0, 5_000), { pageSize: 100 });
  const poller = new ObjectStorePoller(store);
  await poll(poller);
  store.keys = keys;
  store.reset();
  assert.equal((await poll(poller)).length, 45_000);
  assertFirst(store.requests, 500, "grown");
  assert.ok(500 / store.ticks >= 6, `${store.ticks} ticks`);
});

test("no range is asked for before the server is known, nor more than one page spent to learn", {
  timeout: 60_000,
}, async () => {
  const keys = flat(64_000);
  const known = new ObjectStorePoller(new TimedStore(keys));
  await poll(known);
  const state = known.save();
  for (
    const [ranged, ranges, ticks] of [
      [(pages: number) => pages > 0 ? true : undefined, 16, 5],
      [(pages: number) => pages > 2 ? true : undefined, 16, 7],
      [(pages: number) => pages > 0 ? false : undefined, 1, 64],
      [undefined, 16, 5], // known, but not how large its pages are
    ] as const
  ) {
    for (const clips of [false, true]) {
      const store = new TimedStore(keys, { clips, ...(ranged && { ranged }) });
      const poller = new ObjectStorePoller(store);
      poller.restore(state);
      assert.deepEqual(await poll(poller), []);
      assert.deepEqual([store.calls[0]?.after, store.calls[0]?.until], [undefined, undefined]);
      assert.equal(store.calls.length, ranges);
      assert.equal(store.requests, 64);
      assert.ok(store.ticks <= ticks, `${store.ticks} ticks`);
    }
  }
});
