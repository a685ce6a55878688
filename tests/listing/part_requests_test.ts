// What a part costs, and what it asks for: a key one request, keys that lie close together one, never more than everything.
import { ExternalError, type ExternalPart } from "@koprs/external";
import { type ListOptions, type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderFault } from "../../_listing/order_fault.ts";

const signal = new AbortController().signal;

/** A store that notes what it is asked for. */
class Asked extends MemoryStore {
  asked: ListOptions[] = [];

  override async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    this.asked.push(options);
    for await (const page of super.list(options)) yield page;
  }
}

/** Keys in ten folders of a hundred. */
async function filled(pageSize = 100): Promise<Asked> {
  const store = new Asked({ pageSize });
  for (let i = 0; i < 1_000; i++) {
    await store.put(`f${Math.floor(i / 100)}/${String(i % 100).padStart(3, "0")}`, "x");
  }
  return store;
}

/** Polls all, and then a part: what that asked for. */
async function askedFor(
  part: ExternalPart,
  options: { prefix?: string; filter?: () => boolean } = {},
): Promise<{ asked: ListOptions[]; events: string[]; requests: number }> {
  const store = await filled();
  const poller = new ObjectStorePoller(store, options);
  [...await poller.poll({ signal })];
  await store.put("f3/007", "changed");
  await store.put("f3/new", "new");
  await store.delete("f4/000");
  store.asked = [];
  let requests = 0;
  const events = await poller.poll({ signal, part, onRequest: () => requests++ });
  const told = [...events].map(({ type, item }) => `${type} ${item.key}`);
  return { asked: store.asked.map(({ signal: _, ...asked }) => asked), events: told, requests };
}

test("a key is one request for a page of one", async () => {
  const { asked, events, requests } = await askedFor({ keys: ["f3/007"] });
  assert.deepEqual(asked, [{ prefix: "f3/007", until: "f3/007", pageSize: 1 }]);
  assert.deepEqual(events, ["modified f3/007"]);
  assert.equal(requests, 1);
});

test("a key that is gone, and one that is new, are found", async () => {
  assert.deepEqual((await askedFor({ keys: ["f4/000"] })).events, ["removed f4/000"]);
  assert.deepEqual((await askedFor({ keys: ["f3/new"] })).events, ["added f3/new"]);
  assert.deepEqual((await askedFor({ keys: ["f3/none", "f3/008"] })).events, []);
});

test("keys that lie close together are one request", async () => {
  const { asked, events } = await askedFor({ keys: ["f4/000", "f3/new", "f3/007", "f3/007"] });
  assert.deepEqual(asked, [
    { prefix: "f3/", until: "f3/new" },
    { prefix: "f4/000", until: "f4/000", pageSize: 1 },
  ]);
  assert.deepEqual(events, ["modified f3/007", "added f3/new", "removed f4/000"]);
});

test("with a filter nobody knows what lies between two keys: each is a request", async () => {
  const { asked } = await askedFor({ keys: ["f3/007", "f3/new"] }, { filter: () => true });
  assert.deepEqual(asked.map(({ prefix }) => prefix), ["f3/007", "f3/new"]);
});

test("a prefix is listed alone", async () => {
  const { asked, events, requests } = await askedFor({ prefix: "f3/0" });
  assert.deepEqual(asked, [{ prefix: "f3/0" }]);
  assert.deepEqual(events, ["modified f3/007"]);
  assert.equal(requests, 1);
});

test("what lies outside of the poller's prefix is nothing", async () => {
  const outside = await askedFor({ prefix: "f4/", keys: ["f4/000"] }, { prefix: "f3/" });
  assert.deepEqual([outside.asked, outside.events], [[], []]);
  const all = await askedFor({ prefix: "f" }, { prefix: "f3/" });
  assert.deepEqual(all.asked.map(({ prefix }) => prefix), ["f3/"]);
  assert.deepEqual(all.events, ["modified f3/007", "added f3/new"]);
});

test("keys that take more requests than everything are listed with everything", async () => {
  const keys = [..."ghijklmnopqr"].map((letter) => `${letter}/none`);
  const { asked, events } = await askedFor({ keys });
  assert.ok(asked.every(({ prefix }) => prefix === undefined), "it is a listing of everything");
  assert.deepEqual(events, ["modified f3/007", "added f3/new", "removed f4/000"]);
});

test("a store that turns out to have no order is asked for the prefix alone", async () => {
  class Disordered extends Asked {
    override async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
      if (options.until !== undefined) throw orderFault(this.name, "its keys come as they like");
      yield* super.list(options);
    }
  }
  const store = new Disordered();
  await store.put("a", "1");
  const poller = new ObjectStorePoller(store);
  const events = await poller.poll({ signal, part: { keys: ["a"] } });
  assert.deepEqual([...events].map(({ type }) => type), ["added"]);
  assert.deepEqual(store.asked.map(({ prefix, until }) => [prefix, until]), [["a", undefined]]);
});

test("a store that ignores the prefix is found out", async () => {
  class Deaf extends MemoryStore {
    override list(): AsyncGenerator<readonly ObjectMeta[]> {
      return super.list();
    }
  }
  const store = new Deaf();
  await store.put("a", "1");
  await store.put("b", "1");
  const poller = new ObjectStorePoller(store);
  for (const part of [{ keys: ["b"] }, { prefix: "b" }]) {
    await assert.rejects(
      poller.poll({ signal, part }),
      (error) => error instanceof ExternalError && error.code === "protocol",
    );
  }
});

test("the guard's share is of all objects, also for a part", async () => {
  const store = await filled();
  const poller = new ObjectStorePoller(store, { maxRemoved: 0.05 });
  [...await poller.poll({ signal })];
  for (let i = 0; i < 40; i++) await store.delete(`f3/0${String(i).padStart(2, "0")}`);
  const part = { prefix: "f3/" };
  assert.equal([...await poller.poll({ signal, part })].length, 40);
  for (let i = 40; i < 99; i++) await store.delete(`f3/0${String(i).padStart(2, "0")}`);
  await assert.rejects(
    poller.poll({ signal, part }),
    (error) => error instanceof ExternalError && error.code === "removal-guard",
  );
});

test("what is no part is refused before any request", async () => {
  const store = await filled();
  store.asked = [];
  const poller = new ObjectStorePoller(store);
  const wrong = [{}, { prefix: 1 }, { keys: "a" }, { keys: [""] }, { keys: [1] }, {
    prefix: "\ud800",
  }];
  for (const part of wrong) {
    await assert.rejects(poller.poll({ signal, part: part as ExternalPart }), TypeError);
  }
  assert.deepEqual(store.asked, []);
});
