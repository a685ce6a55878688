// A store that says `ranged` and lists otherwise is listed as one, in the same poll, and from then on: rules S2 and S7.
import { ExternalError } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectBuilder } from "../../_diff/builder.ts";
import { orderFault } from "../../_listing/order_fault.ts";
import { scanPages } from "../../_listing/scanning_store.ts";
import { compareKeys } from "../diff/_replay.ts";

type Compare = (a: string, b: string) => number;

const byUtf16: Compare = (a, b) => a < b ? -1 : a > b ? 1 : 0;

/** As a walk through a tree of folders: `a/…` comes before `a-b`. */
const byTree: Compare = (a, b) => {
  const [x, y] = [a.split("/"), b.split("/")];
  let i = 0;
  while (i < x.length && x[i] === y[i]) i++;
  return byUtf16(x[i] ?? "", y[i] ?? "");
};

const PAGE = 1_000;

/** What was asked of a store. */
interface Asked {
  calls: ListOptions[];
  requests: number;
}

type List = (options: ListOptions) => AsyncIterable<readonly ObjectMeta[]>;

function storeOf(name: string, list: List): ObjectStore & Asked {
  const store = {
    name,
    ranged: true,
    calls: [] as ListOptions[],
    requests: 0,
    async *list(options: ListOptions = {}) {
      store.calls.push(options);
      for await (const page of list(options)) {
        store.requests++;
        yield page;
      }
    },
    get: () => Promise.reject(new Error("a poll reads no content")),
  };
  return store;
}

async function* pagesOf(keys: readonly string[]): AsyncGenerator<readonly ObjectMeta[]> {
  for (let i = 0; i < keys.length; i += PAGE) {
    await Promise.resolve();
    yield keys.slice(i, i + PAGE).map((key) => ({ key, size: 1 }));
  }
}

/** Keys in another order, which is also the one in which ranges begin and end. */
function inOrderOf(keys: readonly string[], compare: Compare): List {
  const sorted = [...keys].sort(compare);
  return ({ after, until }) =>
    pagesOf(sorted.filter((key) =>
      (after === undefined || compare(key, after) > 0) &&
      (until === undefined || compare(key, until) <= 0)
    ));
}

const many = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(5, "0")}`);

/** Polls; returns the keys that were added, and what was warned of. */
async function pollKeys(poller: ObjectStorePoller): Promise<{ keys: string[]; warned: string[] }> {
  const warned: string[] = [];
  const events = await poller.poll({
    signal: new AbortController().signal,
    onWarning: (message) => warned.push(message),
  });
  return {
    keys: [...events].map(({ type, item }) => type === "added" ? item.key : `${type} ${item.key}`),
    warned,
  };
}

/** Two polls of a store that does not list as it says. */
async function checkFallBack(store: ObjectStore & Asked, keys: readonly string[]): Promise<void> {
  const pages = Math.max(1, Math.ceil(keys.length / PAGE));
  const sorted = [...new Set(keys)].sort(compareKeys);
  const poller = new ObjectStorePoller(store, { name: "mine" });
  const first = await pollKeys(poller);
  assert.deepEqual(first.keys, sorted);
  assert.equal(first.warned.length, 1);
  assert.match(first.warned[0] as string, /'mine'.*'test:\/\/'.*'ranged: false'/);
  // What was listed before it was found out, and the whole once more.
  assert.ok(store.requests <= 2.15 * pages + 4, `${store.requests} requests for ${pages} pages`);
  store.requests = store.calls.length = 0;
  assert.deepEqual(await pollKeys(poller), { keys: [], warned: [] });
  // Another poller of the same store knows it, too.
  assert.deepEqual(await pollKeys(new ObjectStorePoller(store)), { keys: sorted, warned: [] });
  assert.equal(store.requests, 2 * pages);
  assert.ok(store.calls.every((call) => !("after" in call) && !("until" in call)));
}

test("a store in the order of its folders: found out in the first listing", async () => {
  const keys = [...many("a/", 9_000), "a-b", ...many("c/", 9_000)];
  await checkFallBack(storeOf("test://", inOrderOf(keys, byTree)), keys);
});

test("a store in the order of its folders: a file beside a folder comes later", async () => {
  const before = [...many("a/", 9_000), ...many("c/", 9_000)];
  let keys = before;
  const store = storeOf("test://", (options) => inOrderOf(keys, byTree)(options));
  const poller = new ObjectStorePoller(store, { concurrency: 2 });
  assert.deepEqual(await pollKeys(poller), { keys: before, warned: [] });
  // Where a range ends: one ends with the last key of the folder.
  keys = [...before, "a-b"];
  store.calls.length = 0;
  const second = await pollKeys(poller);
  assert.equal(store.calls[0]?.until, "a/08999");
  assert.deepEqual(second.keys, ["a-b"]);
  assert.equal(second.warned.length, 1);
  // And where none ends.
  keys = before.concat("c-d");
  assert.deepEqual((await pollKeys(poller)).keys, ["removed a-b", "c-d"]);
});

test("a store in the order of its folders that keeps to the bytes of a range: nothing is left out", async () => {
  const before = [...many("a/", 9_000), ...many("c/", 9_000)];
  let keys = before;
  const store = storeOf("test://", ({ after = "", until = "~" }) =>
    pagesOf(
      [...keys].sort(byTree)
        .filter((key) => compareKeys(key, after) > 0 && compareKeys(key, until) <= 0),
    ));
  const poller = new ObjectStorePoller(store, { concurrency: 4 });
  assert.deepEqual(await pollKeys(poller), { keys: before, warned: [] });
  // The first range is at its end, and yet has more: what comes behind is out of order.
  keys = [...before, "a-b"];
  const { keys: added, warned } = await pollKeys(poller);
  assert.deepEqual([added, warned.length], [["a-b"], 1]);
});

test("a store in the order of UTF-16", async () => {
  for (const size of [6_992, 7_992, 12_000, 31_000]) {
    const keys = many("k", size - 2).flatMap((key, i) =>
      i === 0 ? [`${key}\uffff`, `${key}\u{10000}`, key] : [key]
    );
    const store = storeOf("test://", inOrderOf(keys, byUtf16));
    await checkFallBack(store, keys);
  }
});

test("a small store in any order costs no request more, and is told of once", async () => {
  for (const pages of [1, 3, 7]) {
    const keys = many("k", pages * PAGE).map((key, i, all) => all[(i * 11) % all.length] ?? key);
    const store = storeOf("test://", () => pagesOf(keys));
    const { keys: added, warned } = await pollKeys(new ObjectStorePoller(store));
    assert.deepEqual(added, [...keys].sort(compareKeys));
    assert.equal(store.requests, pages);
    assert.equal(warned.length, 1);
  }
});

const flat = many("k", 31_000);
const isIn = ({ after = "", until = "~" }: ListOptions) => (key: string) =>
  key > after && key <= until;

const liars: Record<string, List> = {
  "ignores after and until": () => pagesOf(flat),
  "ignores until": ({ after = "" }) => pagesOf(flat.filter((key) => key > after)),
  "ignores after": ({ until = "~" }) => pagesOf(flat.filter((key) => key <= until)),
  "takes in after": ({ after = "", until = "~" }) =>
    pagesOf(flat.filter((key) => key >= after && key <= until)),
  "swaps neighbours": (options) =>
    pagesOf(flat.filter(isIn(options)).map((key, i, all) => all[i ^ 1] ?? key)),
  "lists each twice": (options) => pagesOf(flat.filter(isIn(options)).flatMap((key) => [key, key])),
  "has no order": (options) =>
    pagesOf(flat.map((key, i) => flat[(i * 7) % flat.length] ?? key).filter(isIn(options))),
};

// No key is where a first listing is cut.
const HARMLESS_AT_FIRST = "takes in after";

for (const [name, list] of Object.entries(liars)) {
  test(`a store that ${name} is listed as one, in the first poll or later`, {
    timeout: 60_000,
  }, async () => {
    const keys = name === "lists each twice" ? flat.flatMap((key) => [key, key]) : flat;
    const first = storeOf("test://", list);
    if (name !== HARMLESS_AT_FIRST) await checkFallBack(first, keys);
    else assert.deepEqual((await pollKeys(new ObjectStorePoller(first))).keys, flat);
    const good = new ObjectStorePoller(
      storeOf("test://", (options) => pagesOf(flat.filter(isIn(options)))),
    );
    await pollKeys(good);
    const later = new ObjectStorePoller(storeOf("test://", list));
    later.restore(good.save());
    const { keys: events, warned } = await pollKeys(later);
    assert.deepEqual(events, []);
    assert.equal(warned.length, 1);
  });
}

test("with a filter and an age it is found out as well", async () => {
  const keys = [...many("a/", 9_000), "a-b", ...many("c/", 9_000)];
  const store = storeOf("test://", inOrderOf(keys, byTree));
  const poller = new ObjectStorePoller(store, { filter: ({ key }) => key !== "a/00005" });
  const { keys: added, warned } = await pollKeys(poller);
  assert.deepEqual(added, [...keys].sort(compareKeys).filter((key) => key !== "a/00005"));
  assert.equal(warned.length, 1);
  for (const name of ["ignores after and until", "has no order"]) {
    const list = liars[name] as List;
    const liar = new ObjectStorePoller(storeOf("test://", list), { filter: () => true });
    const outcome = await pollKeys(liar);
    assert.deepEqual([outcome.keys, outcome.warned.length], [flat, 1]);
  }
});

test("a store that is scanned is found out as well", async () => {
  const store = storeOf("test://", () => pagesOf([...flat].reverse()));
  const scanning = Object.assign(store, {
    async *[scanPages](options?: ListOptions) {
      for await (const page of store.list(options)) {
        yield {
          count: page.length,
          addTo: (builder: ObjectBuilder) => page.forEach((object) => builder.add(object)),
        };
      }
    },
  });
  await checkFallBack(scanning, flat);
});

test("an adapter's own fault of order is taken for one, and any other error is not", async () => {
  const lists = (fault: Error) =>
    storeOf("test://", async function* (options) {
      if (options.after !== undefined) throw fault;
      yield* pagesOf(flat);
    });
  const faulty = lists(orderFault("s3://b", "the server does not list in order"));
  const { keys, warned } = await pollKeys(new ObjectStorePoller(faulty));
  assert.deepEqual([keys, warned.length], [flat, 1]);
  const broken = lists(new ExternalError("protocol", "Cannot list 's3://b' as it is broken"));
  await assert.rejects(pollKeys(new ObjectStorePoller(broken)), /it is broken/);
  // Nothing is left to fall back on.
  const hopeless = storeOf("test://", async function* () {
    yield* pagesOf(flat.slice(0, 2_000));
    throw orderFault("s3://b", "it is hopeless");
  });
  await assert.rejects(pollKeys(new ObjectStorePoller(hopeless)), /it is hopeless/);
  assert.equal(hopeless.calls.length, 1);
});

test("without a watch, the warning goes to the console", async (context) => {
  const warn = context.mock.method(console, "warn", () => {});
  const store = storeOf("test://", () => pagesOf([...flat].reverse()));
  const { signal } = new AbortController();
  for (let i = 0; i < 3; i++) {
    assert.equal([...await new ObjectStorePoller(store).poll({ signal })].length, flat.length);
  }
  assert.equal(warn.mock.callCount(), 1);
});
