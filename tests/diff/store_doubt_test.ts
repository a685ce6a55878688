// What a poller of a store does with what is in doubt after a crash, and with the state of another store of the same name.
import { ExternalError, watchExternal } from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import {
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
  type ObjectStorePollerOptions,
} from "@koprs/external/store";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { poll } from "./_replay.ts";

/** A store that lists what the array holds at the time. */
function storeOf(objects: ObjectMeta[], identity?: () => string | Promise<string>): ObjectStore {
  return {
    name: "s3://data",
    async *list() {
      for (let i = 0; i < objects.length; i += 100) yield objects.slice(i, i + 100);
    },
    get: () => Promise.reject(new Error("a poll reads no content")),
    ...(identity && { identity }),
  };
}

/** Polls, hands over so many events, and dies: another process goes on from the state at that time. */
async function crash(
  store: ObjectStore,
  options: ObjectStorePollerOptions,
  handed: number,
  before?: Uint8Array,
): Promise<{ state: Uint8Array; restored: ObjectStorePoller }> {
  const poller = new ObjectStorePoller(store, options);
  if (before !== undefined) poller.restore(before);
  const events = await poller.poll({ signal: new AbortController().signal });
  const iterator = events[Symbol.iterator]();
  for (let i = 0; i < handed; i++) iterator.next();
  const state = poller.save();
  const restored = new ObjectStorePoller(store, options);
  restored.restore(state);
  return { state, restored };
}

const short = async (poller: ObjectStorePoller) =>
  (await poll(poller)).map(({ type, item }) => `${type} ${item.key} ${item.size}`);

test("maxRemoved: 600 of 1,000 in doubt are not removed past a guard of a tenth", async () => {
  const objects = Array.from({ length: 1_000 }, (_, i) => ({ key: `k${1_000 + i}`, size: 1 }));
  const all = [...objects];
  const store = storeOf(objects);
  const { restored } = await crash(store, { maxRemoved: 0.1 }, 401);
  objects.length = 400;
  await assert.rejects(poll(restored), (error) => {
    assert.ok(error instanceof ExternalError && error.code === "removal-guard");
    assert.match(error.message, /600 of 1000 would be removed/);
    return true;
  });
  objects.splice(0, 400, ...all.slice(0, 950));
  const events = await poll(restored);
  assert.equal(events.filter(({ type }) => type === "removed").length, 50);
});

test("minAge: an object that was told and then rewritten stays as it was told", async () => {
  mock.timers.enable({ apis: ["Date"], now: 100_000 });
  try {
    const objects: ObjectMeta[] = [
      { key: "a", size: 1, lastModified: 0 },
      { key: "b", size: 1, lastModified: 0 },
    ];
    const store = storeOf(objects);
    const options = { minAge: 1_000 };
    // "a" was told, or not, and is rewritten.
    const first = await crash(store, options, 1);
    objects[0] = { key: "a", size: 2, lastModified: 100_000 };
    assert.deepEqual(await short(first.restored), ["added a 1", "added b 1"]);
    assert.deepEqual(await short(first.restored), []);
    mock.timers.tick(1_000);
    // "a" with 2 bytes was told, or not, and is rewritten once more: not back to 1 byte.
    const second = await crash(store, options, 1, first.restored.save());
    objects[0] = { key: "a", size: 3, lastModified: 101_000 };
    assert.deepEqual(await short(second.restored), ["modified a 2"]);
    mock.timers.tick(1_000);
    assert.deepEqual(await short(second.restored), ["modified a 3"]);
    // "a" was told to be gone, or not, and is back.
    const [a] = objects.splice(0, 1) as [ObjectMeta];
    const third = await crash(store, options, 1, second.restored.save());
    objects.unshift({ ...a, size: 4, lastModified: 102_000 });
    assert.deepEqual(await short(third.restored), ["modified a 3"]);
    // Gone for good.
    objects.shift();
    assert.deepEqual(await short(third.restored), ["removed a 3"]);
  } finally {
    mock.timers.reset();
  }
});

const isOfAnother = (error: unknown): boolean => {
  assert.ok(error instanceof ExternalError, String(error));
  assert.equal(error.code, "checkpoint");
  assert.match(error.message, /belongs to '\["objects","s3:\/\/data","","https:\/\/one"\]'/);
  return true;
};

test("the state of a store of the same name elsewhere is refused before anything is listed", async () => {
  const one = new ObjectStorePoller(storeOf([{ key: "a", size: 1 }], () => "https://one"));
  await poll(one);
  let listed = 0;
  const elsewhere = storeOf([], () => Promise.resolve("https://two"));
  const counting = { ...elsewhere, list: () => (listed++, elsewhere.list()) };
  const two = new ObjectStorePoller(counting);
  two.restore(one.save());
  await assert.rejects(poll(two), isOfAnother);
  await assert.rejects(poll(two), isOfAnother);
  assert.equal(listed, 0);
  assert.deepEqual(two.save(), one.save());
  // The same one, asked once.
  let asked = 0;
  const again = new ObjectStorePoller(storeOf([], () => (asked++, "https://one")));
  again.restore(one.save());
  assert.deepEqual(await short(again), ["removed a 1"]);
  assert.deepEqual(await short(again), []);
  assert.equal(asked, 1);
});

test("a watch ends with the error of another store's state", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const watch = (origin: string) =>
    watchExternal(new ObjectStorePoller(storeOf([{ key: "a", size: 1 }], () => origin)), {
      interval: 1,
      checkpoint,
    });
  const first = watch("https://one").getReader();
  await first.read();
  await first.cancel();
  await assert.rejects(watch("https://two").getReader().read(), isOfAnother);
});

test("an identity that cannot be had fails the poll, and is asked for again", async () => {
  const answers: (() => unknown)[] = [
    () => Promise.reject(new Error("no credentials")),
    () => {
      throw new Error("no region");
    },
    () => undefined,
    () => "https://one",
  ];
  const identity = () => (answers.shift() as () => string)();
  const poller = new ObjectStorePoller(storeOf([{ key: "a", size: 1 }], identity));
  for (const message of [/no credentials/, /no region/, /'identity' of its store gave no string/]) {
    await assert.rejects(
      poll(poller),
      (error) =>
        error instanceof ExternalError && error.code === "store" && message.test(error.message),
    );
  }
  assert.equal((await poll(poller)).length, 1);
});

test("an abort ends the wait for an identity, with its reason", async () => {
  const controller = new AbortController();
  const poller = new ObjectStorePoller(storeOf([], () => new Promise(() => {})));
  const polling = poller.poll({ signal: controller.signal });
  controller.abort("enough");
  await assert.rejects(polling, (error) => error === "enough");
});
