// Closing a group that is handled: no handler is left, what was handled is saved, and the promise resolves.
import { MemoryCheckpointStore } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { Calls, lists, until } from "./_calls.ts";
import { NamedSource, withGroup } from "./_group.ts";
import { Shares } from "./_owner.ts";

test("events of one source that wait for the handler of another do not keep the group open", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const { group, add } = lists({ checkpoint });
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 1 });
  add("a", "1", "2");
  await until(() => calls.all.length === 1);
  add("b", "1");
  await calls.all[0]!.done();
  await until(() => calls.all.length === 2);
  group.close();
  assert.ok(await pending(handling));
  await calls.all[1]!.done();
  await handling;
  assert.equal(calls.all.length, 2);
});

test("close without a handler running ends the group at once", async () => {
  const { group, add } = lists();
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  add("a", "1");
  await until(() => calls.all.length === 1);
  await calls.all[0]!.done();
  group.close();
  await handling;
});

test("a save that failed is tried once more by close", async () => {
  const store = new MemoryCheckpointStore();
  let failing = false;
  const checkpoint = {
    load: (key: string) => store.load(key),
    save: async (key: string, state: Uint8Array) => {
      if (failing) throw new Error("disk full");
      await store.save(key, state);
    },
  };
  const first = lists({ checkpoint, interval: 3_600_000 });
  const calls = new Calls();
  const handling = first.group.handle(calls.handler);
  first.add("a", "1", "2");
  await until(() => calls.all.length === 1);
  failing = true;
  await calls.all[0]!.done();
  await calls.all[1]!.done();
  await until(() => first.errors.length === 1);
  failing = false;
  first.group.close();
  await handling;
  // A later run knows that both were handled.
  const second = lists({ checkpoint });
  const rest = new Calls();
  const going = second.group.handle(rest.handler);
  second.add("a", "1", "2", "3");
  await until(() => rest.all.length === 1);
  assert.deepEqual(rest.short, ["a added 3"]);
  await rest.all[0]!.done();
  second.group.close();
  await going;
});

test("a source that was lost with handlers running, and came back, can be closed", async () => {
  const shares = new Shares();
  await shares.give("a", "me");
  const { group, add } = lists({ owner: shares.ownerFor("me") });
  const calls = new Calls();
  const handling = group.handle(calls.handler, { concurrency: 2 });
  add("a", "1", "2");
  await until(() => calls.all.length === 2);
  await shares.give("a", "you");
  await shares.give("a", "me");
  await until(() => calls.all.length === 4);
  // What the first two handlers say now is of no account.
  await calls.all[0]!.done();
  await calls.all[1]!.fail();
  group.close();
  assert.ok(await pending(handling));
  await calls.all[2]!.done();
  await calls.all[3]!.done();
  await handling;
});

test("a group that is cancelled during the last save after close ends all the same", async () => {
  const saves: (() => void)[] = [];
  const checkpoint = {
    load: () => Promise.resolve(undefined),
    save: () => new Promise<void>((resolve) => void saves.push(resolve)),
  };
  const { group, add } = lists({ checkpoint });
  const calls = new Calls();
  const handling = group.handle(calls.handler);
  add("a", "1");
  await until(() => saves.length === 1);
  saves[0]!();
  await until(() => calls.all.length === 1);
  group.close();
  await calls.all[0]!.done();
  await until(() => saves.length === 2);
  assert.ok(await pending(handling), "it waits for the save");
  await group[Symbol.asyncDispose]();
  await handling;
  saves[1]!();
  await settle();
});

test("handling a group that is closing, with events that nobody has read, ends it", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const a = new NamedSource("a");
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.answer(added("1"), added("2"));
    await read;
    group.close();
    reader.releaseLock();
    await group.handle(() => assert.fail("nothing is handed out after close"));
    assert.equal(a.commits, 0);
  });
});
