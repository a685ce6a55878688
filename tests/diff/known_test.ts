// What pollers know: get, has, items and size, read from the state that was handled.
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionPoller } from "@koprs/external/collection";
import { ObjectStorePoller } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import { compareKeys } from "../../_bytes/order.ts";

const { signal } = new AbortController();

interface Item {
  readonly id: string;
  readonly n: number;
}

/** A collection that lists what is in the map. */
function pollerOf(map: ReadonlyMap<string, number>): CollectionPoller<Item> {
  return new CollectionPoller<Item>({
    name: "items",
    list: () => [...map].map(([id, n]) => ({ id, n })),
    key: ({ id }) => id,
  });
}

const keys = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "b", "/", "é", "💥", "\uFFFD"), maxLength: 5 }),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);

test("what is known is what a map of the listing has, in UTF-8 order, for every prefix", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(keys, fc.nat()), { selector: ([key]) => key, maxLength: 40 }),
      keys,
      async (entries, prefix) => {
        const map = new Map(entries);
        const poller = pollerOf(map);
        for (const _ of await poller.poll({ signal }));
        const expected = [...map.keys()].sort(compareKeys).filter((key) => key.startsWith(prefix));
        assert.deepEqual([...poller.items(prefix)].map(({ id }) => id), expected);
        assert.equal([...poller.items()].length, map.size);
        assert.equal(poller.size, map.size);
        for (const key of [...map.keys(), prefix]) {
          assert.equal(poller.get(key)?.n, map.get(key));
          assert.equal(poller.has(key), map.has(key));
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("it is known once it was handled, and an iteration goes on with what it began with", async () => {
  const store = new MemoryStore();
  for (const key of ["a/1", "a/2", "b"]) await store.put(key, key);
  const poller = new ObjectStorePoller(store);
  const events = (await poller.poll({ signal }))[Symbol.iterator]();
  events.next();
  assert.equal(poller.size, 0);
  assert(!poller.has("a/1"));
  while (!events.next().done);
  assert.equal(poller.size, 3);
  assert.equal(poller.get("a/1")?.size, 3);
  assert.equal(poller.get("a/"), undefined);

  const items = poller.items("a/");
  assert.equal(items.next().value?.key, "a/1");
  await store.delete("a/2");
  for (const _ of await poller.poll({ signal }));
  assert(!poller.has("a/2"));
  assert.equal(items.next().value?.key, "a/2");
  assert.equal(items.next().done, true);
});

test("what is known is there after a restart", async () => {
  const before = pollerOf(new Map([["a", 1]]));
  for (const _ of await before.poll({ signal }));
  const after = pollerOf(new Map());
  after.restore(before.save());
  assert.deepEqual([...after.items()], [{ id: "a", n: 1 }]);
});

test("where only versions are remembered it is what 'removed' makes of them", async () => {
  const poller = new CollectionPoller<{ id: string; rev: string; big?: string }>({
    name: "brief",
    list: () => Promise.resolve([{ id: "a", rev: "7", big: "x" }]),
    key: ({ id }) => id,
    version: ({ rev }) => rev,
    remember: "version",
    removed: (id, rev) => ({ id, rev }),
  });
  const [event] = [...await poller.poll({ signal })];
  assert.equal(event?.item.big, "x");
  assert.deepEqual(poller.get("a"), { id: "a", rev: "7" });
  assert.equal(poller.get("b"), undefined);
  assert.deepEqual([...poller.items("a")], [{ id: "a", rev: "7" }]);
});

test("an array is a whole listing, now or later, and its rejection fails the poll", async () => {
  let list: () => Item[] | Promise<Item[]> = () => [{ id: "a", n: 1 }];
  const poller = new CollectionPoller<Item>({
    name: "items",
    list: () => list(),
    key: ({ id }) => id,
  });
  const types = async () => [...await poller.poll({ signal })].map(({ type }) => type);
  assert.deepEqual(await types(), ["added"]);
  list = () => Promise.reject(new Error("down"));
  await assert.rejects(types(), /down/);
  assert.equal(poller.size, 1);
  list = () => Promise.resolve([]);
  assert.deepEqual(await types(), ["removed"]);
});
