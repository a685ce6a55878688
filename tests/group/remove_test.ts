import {
  CollectionPoller,
  type ExternalEvent,
  MemoryCheckpointStore,
  WatchGroup,
} from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { addPolled, NamedSource, short, withGroup } from "./_group.ts";

/** A list that the test changes, and what polls it. */
class List {
  items: string[] = [];
  polls = 0;

  poller(name = "list"): CollectionPoller<string> {
    return new CollectionPoller({
      name,
      list: async function* (this: List) {
        this.polls++;
        yield this.items;
      }.bind(this),
      key: (item) => item,
    });
  }
}

/** Reads until nothing comes any more for a turn or two. */
async function readAll<T>(
  reader: ReadableStreamDefaultReader<ExternalEvent<T> & { source: string }>,
  count: number,
): Promise<string[]> {
  const seen: string[] = [];
  while (seen.length < count) {
    const { done, value } = await reader.read();
    if (done) break;
    seen.push(`${value.source} ${value.type} ${value.item}`);
  }
  return seen;
}

test("remove of an unknown name says false, and so does a second one", async () => {
  await withGroup({}, async ({ group }) => {
    assert.equal(await group.remove("nobody"), false);
    group.add(new NamedSource("a"));
    assert.equal(await group.remove("a"), true);
    assert.equal(await group.remove("a"), false);
    assert.equal(group.size, 0);
  });
});

test("a name twice is refused, and can be had again once its source is removed", async () => {
  await withGroup({}, async ({ group }) => {
    group.add(new NamedSource("a"));
    assert.throws(() => group.add(new NamedSource("a")), {
      name: "TypeError",
      message: /^Cannot add 'a' as the group has a source of this name already/,
    });
    await group.remove("a");
    group.add(new NamedSource("a"));
    assert.equal(group.size, 1);
    assert.throws(() => group.add(new NamedSource("b"), { interval: -1 }), RangeError);
    assert.equal(group.size, 1);
  });
});

test("G3: remove aborts the poll under way, and nothing of its source comes any more", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, reader } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    const { read } = await addPolled(setup, a, b);
    await clock.tick(200);
    assert.ok(a.isAsked);
    const { signal } = a.last;
    assert.equal(await group.remove("a"), true);
    assert.ok(signal.aborted);
    assert.equal((signal.reason as Error).message, "'a' was removed from its group");
    await a.last.answer(added("late"));
    await b.last.answer(added("1"));
    assert.equal(await short(read), "b added 1");
    const { length } = a.polls;
    const next = reader.read();
    await clock.tick(1_000);
    await b.last.answer();
    await clock.tick(1_000);
    assert.equal(a.polls.length, length);
    assert.ok(await pending(next));
  });
});

test("G3: events found and not read are gone with their source", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, reader } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    const { read } = await addPolled(setup, a, b);
    await clock.tick(200);
    await a.last.answer(added("1"), added("2"), added("3"));
    await b.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "a added 1");
    // The reader has an event of it.
    assert.equal(await group.remove("a"), true);
    assert.equal(await short(reader.read()), "b added 1");
    assert.equal(await short(reader.read()), "b added 2");
    assert.equal(a.commits, a.polls.length - 1, "nothing of the last poll was handled whole");
  });
});

test("G3: with 'report' all that is known comes as removed, and then nothing", async () => {
  const list = new List();
  list.items = ["a", "b", "c"];
  const group = new WatchGroup<string>({ interval: 1, jitter: 0 });
  group.add(list.poller());
  const reader = group.getReader();
  assert.deepEqual(await readAll(reader, 3), ["list added a", "list added b", "list added c"]);
  let settled = false;
  const removed = group.remove("list", { report: true }).then((had) => {
    settled = true;
    return had;
  });
  assert.throws(() => group.add(list.poller()), /is still being removed/);
  const { polls } = list;
  const other = new List();
  other.items = ["x"];
  assert.deepEqual(
    await readAll(reader, 3),
    ["list removed a", "list removed b", "list removed c"],
  );
  await settle();
  assert.equal(settled, false, "the last event was not handled yet");
  const read = reader.read();
  assert.equal(await removed, true);
  assert.equal(list.polls, polls, "no request was made");
  assert.equal(group.size, 0);
  group.add(other.poller("other"));
  assert.equal(await short(read), "other added x");
  await reader.cancel();
});

test("G3: with 'report' what was told in part is taken back in part, and more", async () => {
  const list = new List();
  list.items = ["a", "b", "c"];
  const group = new WatchGroup<string>({ interval: 1, jitter: 0 });
  group.add(list.poller());
  const reader = group.getReader();
  assert.deepEqual(await readAll(reader, 2), ["list added a", "list added b"]);
  const removed = group.remove("list", { report: true });
  assert.deepEqual(await readAll(reader, 2), ["list removed a", "list removed b"]);
  const read = reader.read();
  assert.equal(await removed, true);
  await reader.cancel();
  await read;
});

test("G3: a removal that is not reported to its end settles with the group, or with one that reports nothing", async () => {
  for (const end of ["cancel", "remove"] as const) {
    const list = new List();
    list.items = ["a", "b"];
    const group = new WatchGroup<string>({ interval: 1, jitter: 0 });
    group.add(list.poller());
    const reader = group.getReader();
    await readAll(reader, 2);
    const removed = group.remove("list", { report: true });
    assert.ok(await pending(removed), "nobody reads");
    if (end === "cancel") await reader.cancel();
    else assert.equal(await group.remove("list"), true);
    assert.equal(await removed, true);
    await reader.cancel();
  }
});

test("G3: a source added again goes on from its checkpoint, or begins afresh after 'forget'", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const list = new List();
  list.items = ["a", "b"];
  const group = new WatchGroup<string>({ interval: 1, jitter: 0, checkpoint });
  const reader = group.getReader();
  group.add(list.poller());
  assert.deepEqual(await readAll(reader, 2), ["list added a", "list added b"]);
  let read = reader.read(); // Says that both were handled.
  await settle();
  await group.remove("list");
  list.items = ["b", "c"];
  group.add(list.poller());
  assert.equal(await short(read), "list removed a");
  assert.deepEqual(await readAll(reader, 1), ["list added c"]);
  read = reader.read();
  await settle();
  const removed = group.remove("list", { forget: true });
  assert.throws(() => group.add(list.poller()), TypeError);
  await removed;
  assert.equal(await checkpoint.load("list"), undefined);
  group.add(list.poller());
  assert.equal(await short(read), "list added b");
  assert.deepEqual(await readAll(reader, 1), ["list added c"]);
  await reader.cancel();
});

test("G3: 'forget' deletes behind a save under way, so that a late one brings nothing back", async () => {
  const saves: (() => void)[] = [];
  const kept = new Map<string, Uint8Array>();
  const checkpoint = {
    load: (key: string) => Promise.resolve(kept.get(key)),
    save: (key: string, state: Uint8Array) =>
      new Promise<void>((resolve) => {
        saves.push(() => {
          kept.set(key, state.slice());
          resolve();
        });
      }),
    delete: (key: string) => (kept.delete(key), Promise.resolve()),
  };
  const list = new List();
  list.items = ["a"];
  const group = new WatchGroup<string>({ interval: 1, jitter: 0, checkpoint });
  const reader = group.getReader();
  group.add(list.poller());
  const read = reader.read();
  while (saves.length === 0) await settle();
  const removed = group.remove("list", { forget: true });
  assert.ok(await pending(removed));
  saves[0]!();
  assert.equal(await removed, true);
  assert.deepEqual([...kept], []);
  await reader.cancel();
  await read;
});

test("what a source or a store cannot do is refused, and the source stays", async () => {
  const { load, save } = new MemoryCheckpointStore();
  const checkpoint = { load, save };
  const group = new WatchGroup<string>({ interval: 1 });
  group.add(new List().poller(), { checkpoint });
  group.add(new NamedSource("a"));
  await assert.rejects(group.remove("list", { forget: true }), {
    name: "TypeError",
    message: "Cannot forget 'list' as its checkpoint store has no 'delete' method",
  });
  await assert.rejects(group.remove("a", { report: true }), {
    name: "TypeError",
    message: "Cannot report what is known of 'a' as the source has no 'withdraw' method",
  });
  assert.equal(group.size, 2);
  await group.cancel();
});

test("the signal that a source is added with removes it", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, reader } = setup;
    const controller = new AbortController();
    const a = new NamedSource("a");
    group.add(a, { signal: controller.signal });
    const read = reader.read();
    read.catch(() => {});
    await clock.tick(0);
    controller.abort();
    await settle();
    assert.ok(a.last.signal.aborted);
    assert.equal(group.size, 0);
    assert.ok(await pending(read));
  });
});
