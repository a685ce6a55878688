// Pollers of collections and stores: events that are acknowledged one by one, everything once more, and nothing any more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionPoller, type CollectionPollerOptions } from "@koprs/external/collection";
import { ObjectStorePoller } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { ExternalEvent, ExternalSource, PollOptions } from "@koprs/external/watcher";

const { signal } = new AbortController();

interface Item {
  readonly at: Date;
  readonly version: number;
}

/** An item whose key cannot be made any more once it went through JSON. */
const item = (year: number, version = 1): Item => ({ at: new Date(Date.UTC(year, 0)), version });
const keyOf = ({ at }: Item) => String(at.getUTCFullYear());

/** A collection of these items, whole or by their versions alone. */
function collection(how: "json" | "version", items: () => readonly Item[]): CollectionPoller<Item> {
  const brief: Partial<CollectionPollerOptions<Item>> = {
    version: ({ version }) => String(version),
    remember: "version",
    removed: (key, version) => item(Number(key), Number(version)),
  };
  return new CollectionPoller<Item>({
    name: "items",
    list: items,
    key: keyOf,
    ...(how === "version" && brief),
  });
}

async function poll<T>(
  source: ExternalSource<T>,
  options: Partial<PollOptions> = { each: true },
): Promise<ExternalEvent<T>[]> {
  return [...await source.poll({ signal, ...options })];
}

for (const how of ["json", "version"] as const) {
  test(`an event is known by its key, whatever JSON made of its item: ${how}`, async () => {
    let items = [item(2021), item(2022)];
    const poller = collection(how, () => items);
    const { acknowledgement } = poller;
    const told = (events: readonly ExternalEvent<Item>[]) =>
      events.map((event) => `${event.type} ${acknowledgement.keyOf(event)} ${event.item.version}`);
    assert.deepEqual(told(await poll(poller)), ["added 2021 1", "added 2022 1"]);
    acknowledgement.handled("2021");
    acknowledgement.setAside("2022");
    assert.deepEqual([...acknowledgement.asideKeys()], ["2022"]);
    items = [item(2021, 2), item(2022, 2)];
    const again = async () => {
      const event = acknowledgement.again("2022");
      if (how === "json") return event === undefined ? [] : [event];
      assert.equal(event, undefined, "only a listing has the item");
      return await poll(poller);
    };
    if (how === "json") {
      assert.deepEqual(told(await poll(poller)), ["modified 2021 2"]);
      acknowledgement.handled("2021");
      assert.deepEqual(told(await again()), ["added 2022 2"]);
    } else {
      assert.deepEqual(told(await again()), ["modified 2021 2", "added 2022 2"]);
      acknowledgement.handled("2021");
    }
    acknowledgement.handled("2022");
    assert.deepEqual(await poll(poller), []);
    assert.equal(poller.size, 2);
    items = [];
    assert.deepEqual(told(await poll(poller)), ["removed 2021 2", "removed 2022 2"]);
  });

  test(`everything is told once more where that is asked for: ${how}`, async () => {
    const items = [item(2021), item(2022)];
    const poller = collection(how, () => items);
    await poll(poller, {});
    const events = await poll(poller, { all: true });
    assert.deepEqual(events.map(({ type }) => type), ["modified", "modified"]);
    if (how === "json") assert.deepEqual(events[0]?.previous, events[0]?.item);
    else assert.equal(events[0]?.item, items[0], "the item itself");
    assert.deepEqual(await poll(poller, {}), []);
  });

  test(`everything that is known or in doubt can be withdrawn: ${how}`, async () => {
    const poller = collection(how, () => [item(2021), item(2022)]);
    const { acknowledgement } = poller;
    assert.deepEqual([...poller.withdraw({ signal })], []);
    await poll(poller);
    acknowledgement.handled("2021");
    const events = [...poller.withdraw({ signal, each: true })];
    assert.deepEqual(
      events.map(({ type, item }) => `${type} ${new Date(item.at).getUTCFullYear()}`),
      [
        "removed 2021",
        "removed 2022",
      ],
    );
    assert.deepEqual(events.map(acknowledgement.keyOf), ["2021", "2022"]);
    for (const event of events) acknowledgement.handled(acknowledgement.keyOf(event));
    assert.deepEqual([...poller.withdraw({ signal })], []);
    assert.equal(poller.size, 0);
    assert.deepEqual((await poll(poller)).map(({ type }) => type), ["added", "added"]);
  });
}

test("an event of a poll that acknowledges nothing has the key of its item", async () => {
  const poller = collection("version", () => [item(2021)]);
  assert.equal(poller.name, "items");
  const [event] = await poll(poller, {});
  assert.equal(poller.acknowledgement.keyOf(event!), "2021");
});

test("objects of a store are acknowledged by their keys, and withdrawn as they were known", async () => {
  const store = new MemoryStore();
  await store.put("a", "1");
  await store.put("b", "1");
  const poller = new ObjectStorePoller(store);
  const { acknowledgement } = poller;
  const events = await poll(poller);
  assert.deepEqual(events.map(acknowledgement.keyOf), ["a", "b"]);
  acknowledgement.handled("a");
  acknowledgement.setAside("b");
  const { etag } = await store.put("b", "2");
  assert.deepEqual(await poll(poller), []);
  const again = acknowledgement.again("b");
  assert.equal(again?.type, "added");
  assert.equal(again.item.etag, etag);
  acknowledgement.handled("b");
  assert.deepEqual(await poll(poller), []);
  const withdrawn = [...poller.withdraw({ signal })];
  assert.deepEqual(withdrawn.map(({ type, item }) => `${type} ${item.key}`), [
    "removed a",
    "removed b",
  ]);
  assert.equal(withdrawn[1]?.item.etag, etag);
  assert.equal(poller.size, 0);
  assert.deepEqual([...poller.withdraw({ signal })], []);
});
