// ObjectCheckpointStore: of two writers one loses and says so, and no answer that is lost is taken for a conflict.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExternalError } from "@koprs/external";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import type { ObjectStore } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import { bytes, type Fate, KEY, loaded, Lossy, twoWriters } from "./_two_writers.ts";

function isLost(error: unknown, message: RegExp): boolean {
  assert(error instanceof ExternalError);
  assert.equal(error.code, "checkpoint");
  assert.equal(error.source, KEY);
  assert.match(error.message, message);
  return true;
}

const WRITTEN =
  /^Cannot save the checkpoint of 's3:.*' as memory:\/\/\/state\/.* another process has written it since/;

function setUp(...fates: Fate[]) {
  const bucket = new MemoryStore();
  const lossy = new Lossy(bucket);
  lossy.fates = fates;
  const open = (store: ObjectStore = bucket) =>
    new ObjectCheckpointStore(store, { prefix: "state/" });
  return { bucket, lossy, open };
}

test("states are kept as objects under the prefix, one a source", async () => {
  const { bucket, open } = setUp();
  const store = open();
  assert.equal(await store.load("a"), undefined);
  await store.save("a", bytes("1"));
  await store.save("b", bytes("2"));
  await store.save("a", bytes("3"));
  assert.deepEqual(await open().load("a"), bytes("3"));
  assert.deepEqual(await open().load("b"), bytes("2"));
  const keys = [];
  for await (const page of bucket.list()) keys.push(...page.map(({ key }) => key));
  assert.deepEqual(
    keys.map((key) => key.replace(/-[0-9a-f]{32}\./, "-hash.")),
    ["state/a-hash.checkpoint", "state/b-hash.checkpoint", "state/conditions.probe"],
  );
  assert.equal(await store.locate("a"), `memory:///${keys[0]}`);
});

test("misuse is a TypeError", () => {
  const { list, get } = new Lossy(new MemoryStore());
  for (const bad of [undefined, {}, { name: "x", list, get }]) {
    assert.throws(() => new ObjectCheckpointStore(bad as unknown as ObjectStore), {
      name: "TypeError",
      message: /no conditional 'put'/,
    });
  }
  const prefix = 7 as unknown as string;
  assert.throws(() => new ObjectCheckpointStore(new MemoryStore(), { prefix }), TypeError);
});

test("a stale writer loses, says why, and never overwrites", async () => {
  const { open } = setUp();
  const [a, b, c] = [open(), open(), open()];
  await a.save(KEY, bytes("a1"));
  await b.load(KEY);
  await a.save(KEY, bytes("a2"));
  for (let i = 0; i < 2; i++) {
    await assert.rejects(b.save(KEY, bytes("b1")), (error) => isLost(error, WRITTEN));
  }
  // One that never looked loses too.
  await assert.rejects(c.save(KEY, bytes("c1")), (error) => isLost(error, WRITTEN));
  assert.equal(await loaded(open()), "a2");
  // Started again, it has the newer state, and then the other one is stale.
  assert.equal(await loaded(b), "a2");
  await b.save(KEY, bytes("b2"));
  await assert.rejects(a.save(KEY, bytes("a3")), (error) => isLost(error, WRITTEN));
  assert.equal(await loaded(open()), "b2");
});

test("a checkpoint deleted under a watch is not written anew", async () => {
  const { bucket, open } = setUp();
  const store = open();
  await store.save(KEY, bytes("1"));
  for await (const page of bucket.list()) for (const { key } of page) await bucket.delete(key);
  await assert.rejects(
    store.save(KEY, bytes("2")),
    (error) => isLost(error, /somebody has deleted it since/),
  );
  assert.equal(await loaded(open()), undefined);
});

for (const fate of ["lost before", "lost behind", "done late"] as const) {
  test(`a write ${fate} its answer is no conflict`, async () => {
    for (const first of [true, false]) {
      const { lossy, open } = setUp(...first ? [fate] : ["done", fate] as Fate[]);
      const store = open(lossy);
      await store.load(KEY);
      if (!first) await store.save(KEY, bytes("0"));
      await assert.rejects(store.save(KEY, bytes("1")), { code: "store" });
      // Now, before the next write, it arrives after all.
      for (const arrive of lossy.late) await arrive();
      await store.save(KEY, bytes("2"));
      await store.save(KEY, bytes("3"));
      assert.equal(await loaded(open()), "3");
      // What comes even later finds another state.
      for (const arrive of lossy.late) await assert.rejects(arrive(), { status: 412 });
      assert.equal(await loaded(open()), "3");
    }
  });
}

test("a write that lands behind a lost answer and another load is this process's own", async () => {
  const { lossy, open } = setUp("done", "done late");
  const store = open(lossy);
  await store.save(KEY, bytes("1"));
  await assert.rejects(store.save(KEY, bytes("2")), { code: "store" });
  assert.equal(await loaded(store), "1");
  for (const arrive of lossy.late) await arrive();
  assert.equal(await loaded(open()), "2");
  await store.save(KEY, bytes("3"));
  assert.equal(await loaded(open()), "3");
});

test("a client that repeats its own write, and meets its first try, has written", async () => {
  const { bucket, open } = setUp();
  const repeating: ObjectStore = {
    name: "memory://",
    list: (options) => bucket.list(options),
    get: (key, options) => bucket.get(key, options),
    async put(key, body, options) {
      await bucket.put(key, body, options); // Its answer is lost,
      return await bucket.put(key, body, options); // and this one finds the condition broken.
    },
  };
  const store = open(repeating);
  for (const state of ["1", "2", "3"]) await store.save(KEY, bytes(state));
  assert.equal(await loaded(open()), "3");
});

test("a lost answer does not hide that another one has written", async () => {
  const { lossy, open } = setUp("done", "lost before");
  const [a, b] = [open(lossy), open()];
  await a.save(KEY, bytes("a1"));
  await b.load(KEY);
  await assert.rejects(a.save(KEY, bytes("a2")), { code: "store" });
  await b.save(KEY, bytes("b1"));
  await assert.rejects(a.save(KEY, bytes("a3")), (error) => isLost(error, WRITTEN));
  assert.equal(await loaded(open()), "b1");
});

test("two writers, any order, any loss: no state is overwritten that its writer had not seen", async () => {
  await fc.assert(twoWriters(25), { numRuns: 300 });
});
