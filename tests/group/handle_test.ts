import { MemoryCheckpointStore, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { Calls, lists, until } from "./_calls.ts";
import { NamedSource, withGroup } from "./_group.ts";
import { Shares } from "./_owner.ts";

test("E1: handlers run side by side over all sources, in turns, up to 'concurrency'", async () => {
  const { group, add } = lists();
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 3 });
  add("a", "1", "2", "3", "4");
  await until(() => calls.all.length === 3);
  add("b", "1", "2");
  await calls.all[0]!.done();
  await calls.all[1]!.done();
  await calls.all[2]!.done();
  await until(() => calls.all.length >= 5);
  for (let i = 3; i < 6; i++) {
    await until(() => calls.all.length > i);
    await calls.all[i]!.done();
  }
  assert.deepEqual(calls.short.toSorted(), [
    "a added 1",
    "a added 2",
    "a added 3",
    "a added 4",
    "b added 1",
    "b added 2",
  ]);
  assert.equal(calls.most, 3);
  group.close();
  await handling;
});

test("E1: keys are told apart by their source", async () => {
  const { group, add } = lists();
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 10 });
  add("a", "1");
  add("b", "1");
  await until(() => calls.all.length === 2);
  assert.deepEqual(calls.short.toSorted(), ["a added 1", "b added 1"]);
  for (const { done } of calls.all) await done();
  group.close();
  await handling;
});

test("polls begin only while another handler could", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    reader.releaseLock();
    const calls = new Calls();
    const handling = group.handle(calls.handler, { concurrency: 1 });
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    await clock.tick(0);
    await a.last.answer(added("1"));
    group.add(b);
    await clock.tick(1_000);
    assert.equal(b.polls.length, 0);
    await calls.all[0]!.done();
    await clock.tick(0);
    assert.equal(b.polls.length, 1);
    group.close();
    await b.last.answer();
    await handling;
  });
});

test("E3: a handler that fails sets its item aside, and touches no other item or source", async () => {
  const { items, errors, group, add } = lists();
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 4 });
  add("a", "1", "2");
  add("b", "1");
  await until(() => calls.all.length === 3);
  const failing = calls.all.find(({ event }) => event.source === "a" && event.item === "1")!;
  for (const call of calls.all) if (call !== failing) await call.done();
  items.set("a", ["1b", "2"]);
  await failing.fail();
  assert.deepEqual(errors.map(({ code, source, key, attempt }) => [code, source, key, attempt]), [
    ["handler", "a", "1", 1],
  ]);
  assert.equal(group.status("a")?.aside, 1);
  await until(() => calls.all.length === 4);
  const again = calls.all[3]!;
  assert.equal(again.attempt, 2);
  assert.match(calls.short[3]!, /^a added 1b?$/);
  await again.done();
  // Where it came again before the change was seen, that comes, too.
  if (again.event.item === "1") {
    await until(() => calls.all.length === 5);
    assert.equal(calls.short[4], "a modified 1b");
    await calls.all[4]!.done();
  }
  assert.equal(group.status("a")?.aside, undefined);
  group.close();
  await handling;
});

test("E3: an item that was set aside comes again while other events of its source are with handlers", async () => {
  const { group, add } = lists({ minBackoff: 20 });
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  add("a", "1", "2");
  await until(() => calls.all.length === 2);
  await calls.all[0]!.fail();
  await until(() => calls.all.length === 3);
  assert.equal(calls.short[2], "a added 1");
  assert.equal(calls.all[2]!.attempt, 2);
  await calls.all[2]!.done();
  await calls.all[1]!.done();
  group.close();
  await handling;
});

test("E4: close waits for the handlers under way, and saves what they handled", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const first = lists({ checkpoint });
  const calls = new Calls();
  const handling = first.group.handle(calls.handler, { concurrency: 2 });
  first.add("a", "1", "2", "3");
  await until(() => calls.all.length === 2);
  first.group.close();
  assert.ok(await pending(handling));
  assert.equal(calls.all[0]!.signal.aborted, false);
  await calls.all[0]!.done();
  await calls.all[1]!.done();
  await handling;
  assert.equal(calls.all.length, 2, "nothing more is handed out");

  const second = lists({ checkpoint });
  const rest = new Calls();
  const going = second.group.handle(rest.handler, { concurrency: 4 });
  second.add("a", "1", "2", "3");
  await until(() => rest.all.length === 1);
  await settle();
  assert.deepEqual(rest.short, ["a added 3"]);
  await rest.all[0]!.done();
  second.group.close();
  await going;
});

test("E4: close ends a group of which a poll was just saving what it found", async () => {
  const store = new MemoryCheckpointStore();
  const saving = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const checkpoint = {
    load: (key: string) => store.load(key),
    async save(key: string, state: Uint8Array) {
      saving.resolve();
      await mayGoOn.promise;
      await store.save(key, state);
    },
  };
  const { group, add } = lists({ checkpoint });
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  add("a", "1");
  await saving.promise;
  group.close();
  mayGoOn.resolve();
  await handling;
  assert.deepEqual(calls.short, [], "what was found comes with the next start");
});

test("E4: cancel and abort abort the signals of the handlers under way", async () => {
  const controller = new AbortController();
  const { group, add } = lists({ signal: controller.signal });
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  handling.catch(() => {});
  add("a", "1", "2");
  await until(() => calls.all.length === 2);
  const { signal } = calls.all[0]!;
  const reason = new Error("shutdown");
  controller.abort(reason);
  assert.equal(signal.reason, reason);
  await assert.rejects(handling, reason);
});

test("G3, G5: the handlers of a source that is removed or lost are aborted, those of others go on", async () => {
  for (const how of ["remove", "lose"] as const) {
    const shares = new Shares();
    await shares.give("a", "me");
    await shares.give("b", "me");
    const { group, add } = lists({ owner: shares.ownerFor("me") });
    const calls = new Calls();
    const handling = group.handle(calls.handler, { concurrency: 2 });
    add("a", "1", "2");
    await until(() => calls.all.length === 2);
    const signals = calls.all.map(({ signal }) => signal);
    add("b", "1");
    if (how === "remove") await group.remove("a");
    else await shares.give("a", "you");
    assert.ok(signals.every(({ aborted }) => aborted));
    // Their places are free.
    await until(() => calls.all.length === 3);
    assert.equal(calls.short[2], "b added 1");
    for (const { done } of calls.all) await done();
    group.close();
    await handling;
  }
});

test("G3: with 'report' handlers get what was known as removed, and the removal waits for them", async () => {
  const { group, add } = lists();
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  add("a", "1", "2", "3");
  await until(() => calls.all.length === 2);
  await calls.all[0]!.done();
  await until(() => calls.all.length === 3);
  // Two are out, and are waited for.
  const removed = group.remove("a", { report: true });
  await calls.all[1]!.done();
  await calls.all[2]!.done();
  await until(() => calls.all.length === 5);
  await calls.all[3]!.fail();
  await calls.all[4]!.done();
  await until(() => calls.all.length === 7);
  const again = calls.all.find(({ attempt }) => attempt === 2)!;
  for (const call of calls.all.slice(5)) if (call !== again) await call.done();
  assert.ok(await pending(removed), "one was set aside");
  await again.done();
  assert.equal(await removed, true);
  const last = calls.short.slice(3);
  assert.deepEqual([...new Set(last)].toSorted(), ["a removed 1", "a removed 2", "a removed 3"]);
  group.close();
  await handling;
});

test("a plain source is handled one by one, and a failure ends its delivery alone", async () => {
  await withGroup({}, async ({ clock, group, reader, failures }) => {
    reader.releaseLock();
    const calls = new Calls();
    const handling = group.handle(calls.handler, { concurrency: 4 });
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    await clock.tick(100);
    await a.last.answer(added("1"), added("2"));
    await b.last.answer(added("1"));
    assert.deepEqual(calls.short, ["a added 1", "b added 1"]);
    await calls.all[0]!.fail();
    await calls.all[1]!.done();
    assert.equal(a.commits, 0);
    assert.equal(b.commits, 1);
    assert.equal(failures[0]!.error.code, "handler");
    await clock.tick(200);
    await a.last.answer(added("1"), added("2"));
    await b.last.answer();
    await calls.all[2]!.done();
    await calls.all[3]!.done();
    assert.deepEqual(calls.short.slice(2), ["a added 1", "a added 2"]);
    assert.equal(a.commits, 1);
    group.close();
    await handling;
  });
});

test("a group is read or handled, not both; and what is wrong is refused at once", async () => {
  const group = new WatchGroup<string>({ interval: 1 });
  assert.throws(() => group.handle("no" as never), TypeError);
  assert.throws(() => group.handle(() => {}, { concurrency: 0 }), RangeError);
  const handling = group.handle(() => {});
  assert.throws(() => group.handle(() => {}), TypeError);
  assert.throws(() => group.getReader(), TypeError);
  group.close();
  await handling;
  await group.handle(() => {});
});

test("what was read in part before 'handle' comes again", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const a = new NamedSource("a");
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.answer(added("1"), added("2"));
    await read;
    reader.releaseLock();
    const calls = new Calls();
    const handling = group.handle(calls.handler);
    await clock.tick(0);
    await a.last.answer(added("1"), added("2"));
    await calls.all[0]!.done();
    await calls.all[1]!.done();
    assert.deepEqual(calls.short, ["a added 1", "a added 2"]);
    group.close();
    await handling;
  });
});
