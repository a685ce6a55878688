import {
  CollectionPoller,
  type ExternalError,
  MemoryCheckpointStore,
  WatchGroup,
} from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { NamedSource, short, withGroup } from "./_group.ts";
import { Shares } from "./_owner.ts";

test("G5: only owned sources are polled; one that is lost stops at once, one that is gained begins", async () => {
  const shares = new Shares();
  await shares.give("a", "me");
  await withGroup({ owner: shares.ownerFor("me") }, async (setup) => {
    const { clock, group, reader } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    assert.equal(shares.listeners("me"), 0, "nothing begins before the first read");
    const read = reader.read();
    await clock.tick(200);
    assert.ok(a.isAsked);
    assert.equal(b.polls.length, 0);
    assert.deepEqual(group.status("b"), { phase: "idle", polls: 0, events: 0, failures: 0 });
    const { signal } = a.last;
    await shares.give("a", "you");
    assert.ok(signal.aborted, "the poll under way");
    await a.last.answer(added("late"));
    assert.equal(group.status("a")?.phase, "idle");
    await shares.give("b", "me");
    await clock.tick(200);
    assert.equal(a.polls.length, 1);
    await b.last.answer(added("1"));
    assert.equal(await short(read), "b added 1");
    await shares.give("a", "me");
    const next = reader.read();
    await clock.tick(200);
    assert.equal(a.polls.length, 2);
    await a.last.answer(added("2"));
    assert.equal(await short(next), "a added 2");
  });
  assert.equal(shares.listeners("me"), 0);
});

test("G5: an event of a source that was lost is not handed over, whether the group was told of the loss or not", async () => {
  for (const told of [true, false]) {
    const shares = new Shares();
    await shares.give("a", "me");
    await shares.give("b", "me");
    await withGroup({ owner: shares.ownerFor("me") }, async (setup) => {
      const { clock, group, reader } = setup;
      const [a, b] = [new NamedSource("a"), new NamedSource("b")];
      group.add(a);
      group.add(b);
      const read = reader.read();
      await clock.tick(200);
      await a.last.answer(added("1"), added("2"));
      await b.last.answer(added("1"), added("2"));
      assert.equal(await short(read), "a added 1");
      // What the owner says counts, also before it tells that it has changed.
      const given = shares.give("a", "you");
      if (told) await given;
      assert.equal(await short(reader.read()), "b added 1");
      assert.equal(await short(reader.read()), "b added 2");
      assert.equal(a.commits, 0);
      await given;
    });
  }
});

/** A list shared by several groups, each with pollers and a store object of its own, as several processes have them. */
class Replicas {
  readonly shares = new Shares();
  readonly store = new MemoryCheckpointStore();
  items: string[] = [];

  member(name: string, minBackoff = 2, interval = 1) {
    const failures: ExternalError[] = [];
    const group = new WatchGroup<string>({
      interval,
      jitter: 0,
      minBackoff,
      maxBackoff: minBackoff,
      logger: false,
      checkpoint: this.store.instance(),
      owner: this.shares.ownerFor(name),
      onError: (error) => failures.push(error),
    });
    const items = () => this.items;
    group.add(
      new CollectionPoller<string>({
        name: "list",
        async *list() {
          yield items();
        },
        key: (item) => item.slice(0, 1),
      }),
    );
    return { group, reader: group.getReader(), failures };
  }
}

test("G5: whoever gains a source goes on from what the other one has saved", async () => {
  const replicas = new Replicas();
  await replicas.shares.give("list", "one");
  const [one, two] = [replicas.member("one"), replicas.member("two")];
  replicas.items = ["a1", "b1", "c1"];
  const seen = [await short(one.reader.read()), await short(one.reader.read())];
  const waiting = two.reader.read();
  assert.ok(await pending(waiting));
  // The third is in doubt: it is on its way to the first when that loses the source.
  seen.push(await short(one.reader.read()));
  replicas.items = ["b1", "c1", "d1"];
  await replicas.shares.give("list", "two");
  seen.push(await short(waiting));
  for (let i = 0; i < 3; i++) seen.push(await short(two.reader.read()));
  // The first one saved when its delivery began: all of it is told once more, as it is now.
  assert.deepEqual(seen, [
    "list added a1",
    "list added b1",
    "list added c1",
    "list removed a1",
    "list added b1",
    "list added c1",
    "list added d1",
  ]);
  const again = two.reader.read();
  await settle();
  // Back again, with the state that it was in the other group, and not the one it has in memory.
  const back = one.reader.read();
  await replicas.shares.give("list", "one");
  assert.ok(await pending(back), "nothing has changed");
  replicas.items = ["b1", "c1", "d2"];
  assert.equal(await short(back), "list modified d2");
  await one.reader.cancel();
  await two.reader.cancel();
  await again;
});

test("G5: one that was frozen while it had a source overwrites nothing, stops by itself, and comes back when it is its own", async () => {
  const replicas = new Replicas();
  const { shares, store } = replicas;
  await shares.give("list", "one");
  // So long that it does not claim it back before it hears of the loss.
  const [one, two] = [replicas.member("one", 3_600_000), replicas.member("two")];
  replicas.items = ["a1"];
  assert.equal(await short(one.reader.read()), "list added a1");
  const lateRead = one.reader.read();
  await settle();
  shares.frozen.add("one");
  await shares.give("list", "two");
  replicas.items = ["a2", "b1"];
  // It takes over, and both see the changes: the first one cannot save them.
  assert.equal(await short(two.reader.read()), "list modified a2");
  assert.equal(await short(two.reader.read()), "list added b1");
  const next = two.reader.read();
  await settle();
  const saved = await store.load("list");
  while (one.failures.length === 0) await settle();
  assert.equal(one.failures[0]!.code, "checkpoint");
  assert.ok(await pending(lateRead), "what could not be announced is not handed over");
  assert.deepEqual(await store.load("list"), saved);
  assert.equal(one.group.status("list")?.phase, "closed");
  // It hears of the loss, and later has the source again.
  shares.frozen.delete("one");
  await shares.tell();
  assert.equal(one.group.status("list")?.phase, "idle");
  await shares.give("list", "one");
  replicas.items = ["a3", "b1"];
  assert.equal(await short(lateRead), "list modified a3");
  assert.ok(await pending(next));
  await one.reader.cancel();
  await two.reader.cancel();
  await next;
});

test("G5: a source is claimed before anything of it is saved", async () => {
  const replicas = new Replicas();
  const { shares, store } = replicas;
  await shares.give("list", "one");
  const [one, two] = [replicas.member("one", 3_600_000), replicas.member("two", 2, 3_600_000)];
  replicas.items = ["a1"];
  assert.equal(await short(one.reader.read()), "list added a1");
  const lateRead = one.reader.read();
  const next = two.reader.read();
  await settle();
  const saved = await store.load("list");
  shares.frozen.add("one");
  await shares.give("list", "two");
  while (two.group.status("list")?.lastSuccess === undefined) await settle();
  assert.deepEqual(await store.load("list"), saved, "it found no change, and saved nothing");
  replicas.items = ["a2"];
  while (one.failures.length === 0) await settle();
  assert.equal(one.failures[0]!.code, "checkpoint");
  assert.ok(await pending(lateRead));
  assert.deepEqual(await store.load("list"), saved);
  two.group.refresh();
  assert.equal(await short(next), "list modified a2");
  await one.reader.cancel();
  await two.reader.cancel();
});

test("G5: a source that was claimed by another, and is its own still, is claimed back after a back-off", async () => {
  const replicas = new Replicas();
  await replicas.shares.give("list", "one");
  const one = replicas.member("one");
  replicas.items = ["a1"];
  assert.equal(await short(one.reader.read()), "list added a1");
  const read = one.reader.read();
  await settle();
  await replicas.store.instance().claim("list");
  replicas.items = ["a2"];
  assert.equal(await short(read), "list modified a2");
  assert.equal(one.failures.length, 1);
  assert.match(one.failures[0]!.message, /another one has taken it over/);
  await one.reader.cancel();
});

test("an owner that fails ends the stream, and one that has no more to say does not", async () => {
  const reason = new Error("the lease is gone");
  const failing = {
    owns: () => true,
    // deno-lint-ignore require-yield
    changes: (async function* () {
      await settle();
      throw reason;
    })(),
  };
  await withGroup({ owner: failing }, async ({ reader }) => {
    await assert.rejects(reader.read(), reason);
  });
  const silent = { owns: () => true, changes: (async function* () {})() };
  await withGroup({ owner: silent }, async ({ clock, group, reader }) => {
    const source = new NamedSource("a");
    group.add(source);
    const read = reader.read();
    await clock.tick(0);
    await source.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
  });
});

test("G3: what another process has is removed here, and deleted there", async () => {
  const replicas = new Replicas();
  await replicas.shares.give("list", "one");
  const [one, two] = [replicas.member("one"), replicas.member("two")];
  replicas.items = ["a1"];
  assert.equal(await short(one.reader.read()), "list added a1");
  const reads = [one.reader.read(), two.reader.read()];
  await settle();
  assert.equal(await two.group.remove("list", { report: true, forget: true }), true);
  assert.notEqual(await replicas.store.load("list"), undefined);
  assert.equal(await one.group.remove("list", { forget: true }), true);
  assert.equal(await replicas.store.load("list"), undefined);
  await one.reader.cancel();
  await two.reader.cancel();
  await Promise.all(reads);
});
