// The first listing of a ranged store, of which nothing is known: rule S7.
import { ExternalError } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { KeySpace } from "../../_listing/key_space.ts";
import { scanPages } from "../../_listing/scanning_store.ts";
import { keysOf, keySpaces, simulate } from "./_key_spaces.ts";
import { compareKeys, poll } from "../diff/_replay.ts";

/** A gate that opens each time nothing else is left to do: the time a page takes, without a clock. */
function latency() {
  let waiting: (() => void)[] = [];
  let most = 0;
  return {
    get most() {
      return most;
    },
    wait: () =>
      new Promise<void>((resolve) => {
        most = Math.max(most, waiting.push(resolve));
        if (waiting.length > 1) return;
        setImmediate(() => {
          const now = waiting;
          waiting = [];
          for (const go of now) go();
        });
      }),
  };
}

const pageOf = (keys: readonly string[]): ObjectMeta[] =>
  keys.map((key) => ({ key, size: 1, etag: key }));

function storeOf(
  list: (options: ListOptions) => AsyncIterable<readonly ObjectMeta[]>,
): ObjectStore {
  return {
    name: "test://",
    ranged: true,
    list: (options = {}) => list(options),
    get: () => Promise.reject(new Error("a poll reads no content")),
  };
}

/** `count` keys, listed as a store does that heeds everything. */
function storeOfKeys(
  keys: readonly string[],
  pageSize: number,
  onPage: (options: ListOptions) => Promise<void>,
): ObjectStore {
  const sorted = [...keys].sort(compareKeys);
  return storeOf(async function* (options) {
    const { prefix = "", after, until } = options;
    const inside = sorted.filter((key) =>
      key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0) &&
      (until === undefined || compareKeys(key, until) <= 0)
    );
    for (let i = 0; i < Math.max(1, inside.length); i += pageSize) {
      await onPage(options);
      yield pageOf(inside.slice(i, i + pageSize));
    }
  });
}

const flatKeys = (count: number) =>
  Array.from({ length: count }, (_, i) => `key/${String(i).padStart(8, "0")}`);

for (const [name, make] of Object.entries(keySpaces)) {
  test(`S7: a first listing takes a tenth of the time: ${name}`, {
    timeout: 60_000,
  }, async () => {
    const keys = keysOf(make, 200_000);
    const { ticks, most, keys: listed } = await simulate(keys, { pageSize: 200 });
    assert.deepEqual(listed, keys);
    const serial = Math.ceil(keys.length / 200);
    assert.ok(serial / ticks >= 10, `${serial} pages took as long as ${ticks}`);
    assert.equal(most, 16);
  });
}

const hostile = fc.string({
  unit: fc.constantFrom(
    ...["", "/", "a", "b", "z", "0", "9", "-", ".", "é", "語", "\u{e000}", "\uffff", "\u{10000}"],
    ...["\u{10fffe}", "\u{10ffff}", "\0", "\x7f", "A", "Z", "\ud800", "\udbff", "\udc00", "\udfff"],
  ),
  maxLength: 8,
});
/** Names that share folders, with numbers behind them. */
const clustered = fc.tuple(
  fc.constantFrom("a/", "a/b/", "a/b/c/", "z", "logs/2024/01/", "語/", "\u{1f389}/", ""),
  hostile,
  fc.nat(300).map(String),
).map((parts) => parts.join(""));

test("S7: whatever the keys, the parts are exactly the keys, within the budget", {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.oneof(hostile, clustered), { maxLength: 400, size: "max" }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      async (unsorted, pageSize, concurrency) => {
        const keys = unsorted.sort(compareKeys);
        const outcome = await simulate(keys, { pageSize, concurrency });
        assert.deepEqual(outcome.keys, keys);
        const serial = Math.max(1, Math.ceil(keys.length / pageSize));
        assert.ok(outcome.most <= concurrency);
        assert.ok(outcome.requests <= 1.15 * serial + 4, `${outcome.requests} for ${serial}`);
        if (concurrency === 1) assert.equal(outcome.requests, serial);
      },
    ),
    { numRuns: 150 },
  );
});

test("one range at once is a listing as one, whatever its size", async () => {
  for (const pages of [7, 8, 9, 15, 16, 17, 40]) {
    const keys = Array.from({ length: pages * 10 }, (_, i) => String(i).padStart(5, "0"));
    const { requests, ticks, most } = await simulate(keys, { pageSize: 10, concurrency: 1 });
    assert.deepEqual([requests, ticks, most], [pages, pages, 1]);
  }
});

test("a guess is always between its bounds", () => {
  fc.assert(
    fc.property(fc.array(clustered, { maxLength: 30 }), hostile, hostile, (seen, a, b) => {
      const space = new KeySpace();
      for (const key of seen) space.see(key);
      const [lower, upper] = [a, b].sort(compareKeys) as [string, string];
      const middle = space.middle(lower, upper);
      if (middle !== undefined) {
        assert.ok(compareKeys(lower, middle) < 0 && compareKeys(middle, upper) < 0);
        assert.ok(middle.isWellFormed());
        space.miss(middle, upper);
      }
      const share = space.share(lower, middle ?? lower, upper);
      assert.ok(share >= 0 && share <= 1, String(share));
    }),
    { numRuns: 500 },
  );
});

test("a builder knows its first and last key as long as keys come in order, whatever was known before", () => {
  const some = fc.uniqueArray(fc.nat(2_000), { maxLength: 600, size: "max" });
  fc.assert(
    fc.property(some, some, fc.boolean(), (before, now, padded) => {
      // Long keys, for many chunks.
      const keyOf = (i: number) => `${padded ? "k".repeat(300) : ""}${String(i).padStart(5, "0")}`;
      const old = new ObjectBuilder();
      for (const i of before) old.add({ key: keyOf(i), size: 1 });
      const builder = new ObjectBuilder(old.finish());
      assert.equal(builder.first, undefined);
      assert.equal(builder.last, undefined);
      const sorted = now.sort((a, b) => a - b);
      for (const i of sorted) {
        builder.add({ key: keyOf(i), size: i % 5 ? 1 : 2 });
        assert.equal(builder.first, keyOf(sorted[0] as number));
        assert.equal(builder.last, keyOf(i));
      }
      if (sorted[0] === undefined) return;
      builder.add({ key: keyOf(sorted[0]), size: 1 });
      if (sorted.length > 1) assert.equal(builder.last, undefined);
    }),
    { numRuns: 60 },
  );
});

test("S7: a store that is scanned is listed in parallel too", { timeout: 60_000 }, async () => {
  const gate = latency();
  const keys = flatKeys(5_000);
  const store = storeOfKeys(keys, 100, gate.wait);
  const scanning = {
    ...store,
    list: () => assert.fail("not scanned"),
    async *[scanPages](options?: ListOptions) {
      for await (const page of store.list(options)) {
        yield {
          count: page.length,
          addTo: (builder: ObjectBuilder) => page.forEach((object) => builder.add(object)),
        };
      }
    },
  };
  const poller = new ObjectStorePoller(scanning);
  assert.deepEqual((await poll(poller)).map(({ item }) => item.key), keys);
  assert.ok(gate.most >= 6, String(gate.most));
  assert.deepEqual(await poll(poller), []);
});

test("S7: the first poll lists in parallel, later ones in ranges of what is known", {
  timeout: 60_000,
}, async () => {
  const memory = new MemoryStore({ name: "test://", pageSize: 300 });
  const keys = flatKeys(30_000);
  await Promise.all(keys.map((key) => memory.put(key, key)));
  await memory.put("other", "");
  const gate = latency();
  let calls: ListOptions[] = [];
  const poller = new ObjectStorePoller(
    storeOf(async function* (options) {
      calls.push(options);
      for await (const page of memory.list(options)) {
        await gate.wait();
        yield page;
      }
    }),
    { concurrency: 8, prefix: "key/" },
  );
  const events = await poll(poller);
  assert.deepEqual(
    events.map(({ type, item }) => `${type} ${item.key}`),
    keys.map((key) => `added ${key}`),
  );
  assert.equal(gate.most, 8);
  assert.ok(calls.every(({ prefix }) => prefix === "key/"));
  assert.ok(calls.every(({ after = "key/" }) => after.startsWith("key/")), "a cut of no use");

  calls = [];
  await memory.put(keys[12_345] as string, "changed");
  await memory.delete(keys[29_999] as string);
  const changed = await poll(poller);
  assert.deepEqual(changed.map(({ type, item }) => `${type} ${item.key}`), [
    `modified ${keys[12_345]}`,
    `removed ${keys[29_999]}`,
  ]);
  assert.equal(calls.length, 8);
  for (let i = 1; i < 8; i++) {
    assert.equal(calls[i]?.after, calls[i - 1]?.until);
    assert.ok(keys.includes(calls[i]?.after ?? ""), "not cut at a known key");
  }
});

test("S7: a filter and an age leave out what they should in a parallel listing", {
  timeout: 60_000,
}, async () => {
  const gate = latency();
  const keys = flatKeys(5_000);
  const poller = new ObjectStorePoller(storeOfKeys(keys, 100, gate.wait), {
    filter: ({ key }) => !key.endsWith("7"),
    minAge: 1,
  });
  const wanted = keys.filter((key) => !key.endsWith("7"));
  assert.deepEqual((await poll(poller)).map(({ item }) => item.key), wanted);
  assert.ok(gate.most >= 6, String(gate.most));
  assert.deepEqual(await poll(poller), []);
});

test("S7: a range that fails fails the first poll, once the others have stopped", {
  timeout: 60_000,
}, async () => {
  const gate = latency();
  let open = 0;
  let failing = true;
  const signals = new Set<AbortSignal | undefined>();
  const poller = new ObjectStorePoller(
    storeOfKeys(flatKeys(5_000), 100, async ({ after, signal }) => {
      signals.add(signal);
      open++;
      await gate.wait();
      open--;
      if (failing && after !== undefined && open > 4) throw new Error("down");
    }),
  );
  const stopped: boolean[] = [];
  await assert.rejects(poll(poller), (error) => {
    stopped.push(...[...signals].map((signal) => signal?.aborted === true));
    assert.ok(error instanceof ExternalError && error.code === "store", String(error));
    assert.match(error.message, /down/);
    return true;
  });
  assert.deepEqual(stopped, [true]);
  failing = false;
  assert.equal((await poll(poller)).length, 5_000);
});

test("S7: an abort ends all ranges with its reason, also where the store does not heed it", {
  timeout: 60_000,
}, async () => {
  const gate = latency();
  const controller = new AbortController();
  const reason = new Error("enough");
  let open = 0;
  const poller = new ObjectStorePoller(storeOfKeys(flatKeys(5_000), 100, async () => {
    if (++open > 6) return controller.abort(reason), await new Promise(() => {});
    await gate.wait();
    open--;
  }));
  await assert.rejects(poller.poll({ signal: controller.signal }), (error) => error === reason);
  await assert.rejects(poller.poll({ signal: controller.signal }), (error) => error === reason);
});
