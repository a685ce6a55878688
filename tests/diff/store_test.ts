// What the poller promises of stores: rules S1 to S7, and W10 for `filter`. Histories: store_property_test.ts.
import { ExternalError } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { compareKeys, poll } from "./_replay.ts";

type Pages = (options: ListOptions) => AsyncIterable<readonly ObjectMeta[]>;

function storeOf(list: Pages, ranged = false): ObjectStore {
  return {
    name: "test://",
    ranged,
    list: (options = {}) => list(options),
    get: () => Promise.reject(new Error("a poll reads no content")),
  };
}

/** A store that lists what the array holds at the time, one object a page. */
function listing(objects: ObjectMeta[]): ObjectStore {
  return storeOf(async function* () {
    for (const object of objects) yield [object];
  });
}

async function shortOf(poller: ObjectStorePoller): Promise<string[]> {
  return (await poll(poller)).map(({ type, item }) => `${type} ${item.key}`);
}

const isError = (code: string, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof ExternalError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  return true;
};

test("S1: an error of the client fails the poll, with its status and without its secrets", async () => {
  const objects: ObjectMeta[] = [{ key: "a", size: 1 }];
  let thrown: Error | undefined;
  const poller = new ObjectStorePoller(storeOf(async function* () {
    yield objects;
    if (thrown !== undefined) throw thrown;
  }));
  await poll(poller);
  objects.length = 0;
  thrown = Object.assign(new Error("GET https://user:hunter2@host/?sig=hunter3 failed"), {
    name: "NoSuchBucket",
    $metadata: { httpStatusCode: 404 },
    request: { headers: { authorization: "hunter4" } },
  });
  const error = await poll(poller).catch((error) => error);
  isError("store", /^Cannot list 'test:\/\/': NoSuchBucket: /)(error);
  assert.equal(error.status, 404);
  assert.equal(error.source, "test://");
  assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)}`, /hunter/);
  assert.doesNotMatch(`${error.cause.message} ${JSON.stringify(error.cause)}`, /hunter/);
  thrown = undefined;
  assert.deepEqual(await shortOf(poller), ["removed a"]);
});

test("S1: a store that throws at once, or gives no pages, fails the poll", async () => {
  const lists: unknown[] = [
    () => {
      throw new Error("down");
    },
    () => undefined,
    () => Promise.resolve([]),
    async function* () {
      yield undefined;
    },
    async function* () {
      yield [{ size: 1 }];
    },
  ];
  for (const list of lists) {
    await assert.rejects(
      poll(new ObjectStorePoller(storeOf(list as Pages))),
      isError("store", /^Cannot list 'test:\/\/'/),
    );
  }
  const negative = new ObjectStorePoller(listing([{ key: "a", size: -1 }]));
  await assert.rejects(poll(negative), isError("protocol", /size/));
});

test("S2: order and repeated keys do not matter, and events come in UTF-8 byte order", async () => {
  const keys = ["\u{10000}", "b", "\uffff", "a", "b"];
  const poller = new ObjectStorePoller(listing(keys.map((key, i) => ({ key, size: i }))));
  const events = await poll(poller);
  assert.deepEqual(events.map(({ item }) => [item.key, item.size]), [
    ["a", 3],
    ["b", 4],
    ["\uffff", 2],
    ["\u{10000}", 0],
  ]);
  assert.deepEqual(await poll(poller), []);
});

test("S3: with an ETag, that and the size decide; without, the size and the time", async () => {
  const objects: ObjectMeta[] = [];
  const poller = new ObjectStorePoller(listing(objects));
  const cases: [old: ObjectMeta, next: ObjectMeta, changed: boolean][] = [
    [{ key: "k", size: 1, etag: "x" }, { key: "k", size: 1, etag: "y" }, true],
    [{ key: "k", size: 1, etag: "x" }, { key: "k", size: 2, etag: "x" }, true],
    [{ key: "k", size: 1, etag: '"x"' }, { key: "k", size: 1, etag: "x" }, true],
    [{ key: "k", size: 1, etag: "x" }, { key: "k", size: 1, etag: "x", lastModified: 5 }, false],
    [{ key: "k", size: 1, etag: "" }, { key: "k", size: 1 }, true],
    [{ key: "k", size: 1 }, { key: "k", size: 1 }, false],
    [{ key: "k", size: 1, lastModified: 5 }, { key: "k", size: 1, lastModified: 5 }, false],
    [{ key: "k", size: 1, lastModified: 5 }, { key: "k", size: 1, lastModified: 4 }, true],
    [{ key: "k", size: 1, lastModified: 5 }, { key: "k", size: 2, lastModified: 5 }, true],
  ];
  for (const [old, next, changed] of cases) {
    objects[0] = old;
    await poll(poller);
    objects[0] = next;
    const expected = changed ? [{ type: "modified", item: next, previous: old }] : [];
    assert.deepEqual(await poll(poller), expected);
  }
});

test("S4: a removed object carries the newest metadata seen, exactly", async () => {
  const objects: ObjectMeta[] = [{ key: "k", size: 2 ** 53 - 1, etag: 'W/"é"', lastModified: 0.5 }];
  const poller = new ObjectStorePoller(listing(objects));
  await poll(poller);
  objects[0] = { ...objects[0] as ObjectMeta, lastModified: -1 };
  assert.deepEqual(await poll(poller), []);
  const [item] = objects.splice(0);
  assert.deepEqual(await poll(poller), [{ type: "removed", item }]);
});

test("S6: tracking takes at most 48 bytes an object, and no change costs no event", async () => {
  const objects = Array.from({ length: 10_000 }, (_, i) => ({
    key: `projects/alpha/2026/report-${String(i * 7919).padStart(12, "0")}.csv`,
    size: 1_000 + i,
    etag: `"${(i * 2_654_435_761).toString(16).padStart(32, "a")}"`,
    lastModified: 1_700_000_000_000 + i * 1_000,
  }));
  const poller = new ObjectStorePoller(storeOf(async function* () {
    yield objects;
  }));
  assert.equal((await poll(poller)).length, objects.length);
  const each = poller.save().byteLength / objects.length;
  assert.ok(each <= 48, `${each} bytes an object`);
  const events = await poller.poll({ signal: new AbortController().signal });
  assert.ok(!Array.isArray(events));
  assert.deepEqual([...events], []);
});

/** A ranged store large enough to be listed in parts. */
async function largeStore(count: number) {
  const memory = new MemoryStore({ name: "test://", pageSize: 1_000 });
  const keyAt = (i: number) => `key/${String(i).padStart(8, "0")}`;
  await Promise.all(Array.from({ length: count }, (_, i) => memory.put(keyAt(i), `${i}`)));
  return { memory, keyAt };
}

test("S7: a ranged store is listed in ranges that cover it, all at once, as many as asked", {
  timeout: 60_000,
}, async () => {
  const { memory } = await largeStore(31_000);
  let calls: ListOptions[] = [];
  let waiting = 0;
  let open = () => {};
  let gate = Promise.resolve();
  const store = storeOf(async function* (options) {
    calls.push(options);
    if (++waiting === 4) open();
    await gate;
    yield* memory.list(options);
  }, true);
  const poller = new ObjectStorePoller(store, { concurrency: 4, prefix: "key/" });
  assert.equal((await poll(poller)).length, 31_000);
  assert.ok(calls.length > 4, "the first listing is cut while it goes on");

  calls = [];
  waiting = 0;
  gate = new Promise((resolve) => open = resolve);
  // Would wait for ever if the ranges came one after the other.
  assert.deepEqual(await poll(poller), []);
  assert.equal(calls.length, 4);
  assert.equal(calls[0]?.after, undefined);
  assert.equal(calls[3]?.until, undefined);
  for (let i = 1; i < 4; i++) {
    assert.notEqual(calls[i]?.after, undefined);
    assert.equal(calls[i]?.after, calls[i - 1]?.until);
    assert.equal(calls[i]?.prefix, "key/");
  }
});

test("S7: in ranges, replay equals reality, and a range that fails fails the poll", {
  timeout: 60_000,
}, async () => {
  const { memory, keyAt } = await largeStore(21_000);
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  let calls = 0;
  let failing = 0;
  const signals: AbortSignal[] = [];
  const store = storeOf(async function* (options) {
    const call = ++calls;
    if (options.signal !== undefined) signals.push(options.signal);
    for await (const page of memory.list(options)) {
      if (call === failing) throw new Error("down");
      yield page;
    }
  }, true);
  const poller = new ObjectStorePoller(store);
  const known = new Map<string, ObjectMeta>();
  for (let round = 0; round < 8; round++) {
    for (let change = random(400); change > 0; change--) {
      const key = keyAt(random(26_000));
      if (random(2) === 0) memory.delete(key);
      else memory.put(key, `${round}`);
    }
    // Also at both ends, and in bulk: a range that is empty by now.
    await memory.put(round % 2 ? "a" : "z", `${round}`);
    if (round === 5) { for (let i = 5_000; i < 9_000; i++) memory.delete(keyAt(i)); }
    await memory.delete("none");
    calls = 0;
    failing = round > 0 && round % 3 === 0 ? 2 : 0;
    signals.length = 0;
    const polling = poll(poller);
    if (failing > 0) {
      await assert.rejects(polling, isError("store", /down/));
      assert.ok(signals.length > 1 && signals.every(({ aborted }) => aborted));
      continue;
    }
    for (const { type, item } of await polling) {
      assert.equal(known.has(item.key), type !== "added");
      if (type === "removed") known.delete(item.key);
      else known.set(item.key, item);
    }
    if (round > 0) assert.ok(calls > 1, "it was not listed in ranges");
    const reality = (await Array.fromAsync(memory.list())).flat();
    assert.deepEqual([...known.keys()].sort(compareKeys), reality.map(({ key }) => key));
    assert.deepEqual(
      reality.filter(({ key, etag }) => known.get(key)?.etag !== etag),
      [],
    );
  }
});

test("W10: a filter that throws fails the poll, and nothing is lost", async () => {
  const objects: ObjectMeta[] = [{ key: "a", size: 1 }, { key: "b", size: 1 }];
  let failing = false;
  const poller = new ObjectStorePoller(listing(objects), {
    filter: ({ key }) => {
      if (failing && key === "b") throw new Error("cannot say: https://u:hunter2@host");
      return key !== "a";
    },
  });
  assert.deepEqual(await shortOf(poller), ["added b"]);
  failing = true;
  objects.length = 1;
  objects.push({ key: "b", size: 2 });
  const message = /^Cannot poll 'test:\/\/' as 'filter' failed for 'b': cannot say/;
  const error = await poll(poller).catch((error) => error);
  isError("invalid", message)(error);
  assert.doesNotMatch(`${error.message} ${error.cause?.message}`, /hunter/);
  failing = false;
  assert.deepEqual(await shortOf(poller), ["modified b"]);
});

test("minAge: a young object is as it was until it is old enough", async () => {
  mock.timers.enable({ apis: ["Date"], now: 10_000 });
  try {
    const objects: ObjectMeta[] = [
      { key: "changed", size: 1, lastModified: 0 },
      { key: "timeless", size: 1 },
    ];
    const poller = new ObjectStorePoller(listing(objects), { minAge: 1_000 });
    assert.deepEqual(await shortOf(poller), ["added changed", "added timeless"]);
    objects[0] = { key: "changed", size: 2, lastModified: 10_000 };
    objects.push({ key: "new", size: 1, lastModified: 9_001 });
    assert.deepEqual(await shortOf(poller), []);
    mock.timers.tick(1);
    assert.deepEqual(await shortOf(poller), ["added new"]);
    mock.timers.tick(999);
    assert.deepEqual(await poll(poller), [{
      type: "modified",
      item: { key: "changed", size: 2, lastModified: 10_000 },
      previous: { key: "changed", size: 1, lastModified: 0 },
    }]);
    objects.shift();
    assert.deepEqual(await shortOf(poller), ["removed changed"]);
  } finally {
    mock.timers.reset();
  }
});

test("maxRemoved: a larger share fails the poll before its first event", async () => {
  const objects = Array.from({ length: 10 }, (_, i) => ({ key: `${i}`, size: 1 }));
  const poller = new ObjectStorePoller(listing(objects), { maxRemoved: 0.3 });
  await poll(poller);
  objects.splice(0, 3);
  assert.deepEqual(await shortOf(poller), ["removed 0", "removed 1", "removed 2"]);
  objects.splice(0, 3, { key: "x", size: 1 });
  const guard = isError("removal-guard", /3 of 7 would be removed.*'maxRemoved' \(0\.3\)/);
  await assert.rejects(poll(poller), guard);
  await assert.rejects(poll(poller), guard);
  objects.push({ key: "3", size: 1 });
  assert.deepEqual(await shortOf(poller), ["removed 4", "removed 5", "added x"]);
});

test("an abort rejects with its reason at once, also where the store hangs", async () => {
  let returned = 0;
  const hanging: AsyncIterable<never> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<never>(() => {}),
      return: () => {
        returned++;
        return new Promise<never>(() => {});
      },
    }),
  };
  const poller = new ObjectStorePoller(storeOf(() => hanging));
  const controller = new AbortController();
  const polling = poller.poll({ signal: controller.signal });
  controller.abort("enough");
  await assert.rejects(polling, (error) => error === "enough");
  assert.equal(returned, 1);
});

test("saved state is tied to the store and the prefix", async () => {
  const poller = new ObjectStorePoller(listing([{ key: "a/b", size: 1 }]), { prefix: "a" });
  await poll(poller);
  const state = poller.save();
  const same = new ObjectStorePoller(listing([]), { prefix: "a", name: "another name" });
  same.restore(state);
  assert.deepEqual(await shortOf(same), ["removed a/b"]);
  const others = [
    new ObjectStorePoller(listing([])),
    new ObjectStorePoller(new MemoryStore(), { prefix: "a" }),
  ];
  for (const other of others) {
    const before = other.save();
    assert.throws(() => other.restore(state), isError("checkpoint", /./));
    assert.deepEqual(other.save(), before);
  }
});

test("the name is that of the store, with the prefix behind it, or what was asked for", () => {
  const store = listing([]);
  assert.equal(new ObjectStorePoller(store).name, "test://");
  assert.equal(new ObjectStorePoller(store, { prefix: "a/" }).name, "test:///a/");
  assert.equal(new ObjectStorePoller(store, { prefix: "a/", name: "mine" }).name, "mine");
});

test("wrong options are refused", () => {
  const store = listing([]);
  const wrong = (options: Record<string, unknown>) => () => new ObjectStorePoller(store, options);
  assert.throws(() => new ObjectStorePoller({} as ObjectStore), TypeError);
  assert.throws(() => new ObjectStorePoller(undefined as unknown as ObjectStore), TypeError);
  assert.throws(wrong({ prefix: 1 }), TypeError);
  assert.throws(wrong({ filter: "*.csv" }), TypeError);
  assert.throws(wrong({ minAge: -1 }), RangeError);
  assert.throws(wrong({ minAge: NaN }), RangeError);
  assert.throws(wrong({ maxRemoved: 1.1 }), RangeError);
  assert.throws(wrong({ maxRemoved: "half" }), TypeError);
  for (const concurrency of [0, -1, 1.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(wrong({ concurrency }), RangeError, String(concurrency));
  }
  assert.throws(wrong({ concurrency: "16" }), TypeError);
  for (const name of ["", 1, null, "a\nb", "a\x1b[31m", "a\x85", "a\u2028b"]) {
    assert.throws(wrong({ name }), TypeError, JSON.stringify(name));
  }
  // A key may have anything in it; what logs and checkpoints call it may not.
  assert.throws(wrong({ prefix: "a\n" }), /'name'/);
  assert.equal(new ObjectStorePoller(store, { prefix: "a\n", name: "mine" }).name, "mine");
});
