// CollectionPoller with `remember: "version"`: only keys and versions are kept.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import v8 from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { CollectionPoller, ExternalError } from "@koprs/external";
import type { CollectionPollerOptions } from "@koprs/external/collection";

/** What the heap holds after a collection. */
function heapUsed(): number {
  const { Bun } = globalThis as unknown as { Bun?: { gc(sync: boolean): void } };
  if (Bun !== undefined) Bun.gc(true);
  else {
    v8.setFlagsFromString("--expose-gc");
    vm.runInNewContext("gc")();
  }
  return process.memoryUsage().heapUsed;
}

interface Item {
  readonly id: string;
  readonly revision: string;
  readonly made?: Date;
  readonly secret?: string;
}

function poller(
  list: () => readonly Item[],
  options: Partial<CollectionPollerOptions<Item>> = {},
): CollectionPoller<Item> {
  return new CollectionPoller<Item>({
    name: "items",
    async *list() {
      const items = list();
      for (let i = 0; i < items.length; i += 3) yield items.slice(i, i + 3);
    },
    key: ({ id }) => id,
    version: ({ revision }) => revision,
    remember: "version",
    removed: (id, revision) => ({ id, revision }),
    ...options,
  });
}

async function poll(source: CollectionPoller<Item>) {
  return [...await source.poll({ signal: new AbortController().signal })];
}

test("what changed is handed out whole, what is gone is made from key and version", async () => {
  const made = new Date(0);
  const a: Item = { id: "a", revision: "1", made, secret: "hunter2" };
  const b: Item = { id: "b", revision: "1" };
  let items = [b, a];
  const source = poller(() => items);
  const first = await poll(source);
  assert.deepEqual(first, [{ type: "added", item: a }, { type: "added", item: b }]);
  assert.equal(first[0]?.item, a, "the item itself, with its Date");
  assert.deepEqual(await poll(source), []);
  const changed: Item = { id: "b", revision: "2", secret: "x" };
  items = [changed];
  const restored = poller(() => items);
  restored.restore(source.save());
  for (const each of [source, restored]) {
    const events = await poll(each);
    assert.deepEqual(events, [
      { type: "removed", item: { id: "a", revision: "1" } },
      { type: "modified", item: changed },
    ]);
    assert.equal("previous" in events[1]!, false);
  }
});

test("no item is kept: not in the state, and not in memory", async () => {
  let items: Item[] = [{ id: "a", revision: "1", secret: "hunter2" }];
  const source = poller(() => items);
  await poll(source);
  assert(!new TextDecoder("latin1").decode(source.save()).includes("hunter2"));
  assert(new TextDecoder("latin1").decode(source.save()).length < 200);
  items = [];
  assert.deepEqual(await poll(source), [{ type: "removed", item: { id: "a", revision: "1" } }]);
});

test("what an unfinished delivery may have reported is handed out whole once more", async () => {
  const items: Item[] = ["a", "b", "c"].map((id) => ({ id, revision: "1", secret: id }));
  const source = poller(() => items);
  const events = (await source.poll({ signal: new AbortController().signal }))[Symbol.iterator]();
  events.next();
  events.next();
  const again = poller(() => items);
  again.restore(source.save());
  for (const each of [source, again]) {
    const items = (await poll(each)).map(({ item }) => item);
    assert(items.every((item) => item?.secret === item?.id), JSON.stringify(items));
    assert(items.length >= 2);
  }
});

test("an item that is again as it was before a delivery that broke off is handed out whole", async () => {
  const as = (revision: string): Item => ({ id: "a", revision, secret: revision });
  let item = as("1");
  const source = poller(() => [item]);
  await poll(source);
  item = as("2");
  for (const _event of await source.poll({ signal: new AbortController().signal })) break;
  const restored = poller(() => [item]);
  restored.restore(source.save());
  item = as("1");
  for (const each of [source, restored]) {
    assert.deepEqual(await poll(each), [{ type: "modified", item: as("1") }]);
    assert.deepEqual(await poll(each), []);
  }
});

test(
  "items that did not change are let go while they are listed",
  { timeout: 60_000 },
  async () => {
    const count = 200_000;
    let most = 0;
    let payload = false;
    const source = poller(() => [], {
      async *list() {
        const start = heapUsed();
        for (let i = 0; i < count; i += 1_000) {
          if (payload && i === count - 1_000) most = heapUsed() - start;
          yield Array.from({ length: 1_000 }, (_, j) => ({
            id: String(i + j).padStart(7, "0"),
            revision: "1",
            // Numbers, which take room of their own, unlike a string of one character.
            ...(payload && { secret: new Array(125).fill(i + j + 0.5) as unknown as string }),
          }));
        }
      },
    });
    assert.equal((await poll(source)).length, count);
    payload = true;
    assert.deepEqual(await poll(source), []);
    // All of them are 200 MB. Up to 50,000 are looked up together.
    assert(most < 130e6, `${Math.round(most / 1e6)} MB held`);
  },
);

test("a 'removed' that throws fails the poll, with code invalid, and the next one reports again", async () => {
  let items: Item[] = [{ id: "a", revision: "1" }];
  let broken = true;
  const source = poller(() => items, {
    removed(id, revision) {
      if (broken) throw new Error("no such id");
      return { id, revision };
    },
  });
  await poll(source);
  items = [];
  await assert.rejects(poll(source), (error) => {
    assert(error instanceof ExternalError);
    assert.equal(error.code, "invalid");
    assert.equal(error.message, "Cannot poll 'items': 'removed' failed: no such id");
    return true;
  });
  broken = false;
  assert.deepEqual(await poll(source), [{ type: "removed", item: { id: "a", revision: "1" } }]);
});

test("misuse is a TypeError, and state of another mode is refused", async () => {
  const none = undefined;
  for (
    const bad of [
      { version: none },
      { removed: none },
      { remember: "json" as const },
      { remember: none },
      { remember: "all" as "json" },
      { removed: 7 as never },
    ]
  ) {
    assert.throws(() => poller(() => [], bad), TypeError, JSON.stringify(bad));
  }
  const json = { remember: none, removed: none };
  const modes = [{}, json, { ...json, version: none }];
  for (const written of modes) {
    for (const read of modes) {
      if (read === written) continue;
      const source = poller(() => [{ id: "a", revision: "1" }], written);
      await poll(source);
      assert.throws(() => poller(() => [], read).restore(source.save()), { code: "checkpoint" });
    }
  }
});

test("any listings, in any order: replay equals the last one, and nothing is incomplete", async () => {
  const item = fc.record({
    id: fc.constantFrom("a", "b", "B", "ab", "\u00e4", "\uffff", "\u{1f600}", "\ud800", ""),
    revision: fc.constantFrom("1", "2", "3", ""),
  });
  const listings = fc.array(fc.array(item, { maxLength: 8 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(listings, async (listings) => {
      let items: Item[] = [];
      let source = poller(() => items);
      const replayed = new Map<string, Item>();
      for (const listing of listings) {
        items = listing.map((each) => ({ ...each, secret: each.id + each.revision }));
        const restored = poller(() => items);
        restored.restore(source.save());
        source = restored;
        for (const { type, item } of await poll(source)) {
          if (type === "removed") assert(replayed.delete(item.id));
          else {
            assert.equal(item.secret, item.id + item.revision);
            assert.equal(replayed.has(item.id), type === "modified");
            replayed.set(item.id, item);
          }
        }
        assert.deepEqual(
          [...replayed.values()].map(({ id, revision }) => id + revision).sort(),
          [...new Map(items.map((each) => [each.id, each.id + each.revision])).values()].sort(),
        );
      }
    }),
    { numRuns: 200 },
  );
});
