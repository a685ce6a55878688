// Closing a group that is read: what was found can be read, what was handled is saved, and then the stream ends.
import { ExternalError, type ExternalSource, MemoryCheckpointStore } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { NamedSource, short, withGroup } from "./_group.ts";
import { Shares } from "./_owner.ts";

/** A store whose saves the test settles. */
class SlowStore {
  readonly saves: PromiseWithResolvers<void>[] = [];

  load(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  save(): Promise<void> {
    const save = Promise.withResolvers<void>();
    this.saves.push(save);
    return save.promise;
  }
}

/** A source that has these items once, and saves. */
function saving(name: string, ...items: string[]): ExternalSource<string> {
  let left = items.map(added);
  return {
    name,
    poll: () => Promise.resolve(left),
    save: () => (left = [], new Uint8Array(1)),
    restore: () => {},
  };
}

test("an event that is being announced while the group closes can still be read", async () => {
  const checkpoint = new SlowStore();
  await withGroup({ checkpoint }, async ({ clock, group, reader }) => {
    group.add(saving("a", "1"));
    const read = reader.read();
    await clock.tick(0);
    group.close();
    assert.ok(await pending(read));
    checkpoint.saves[0]!.resolve();
    assert.equal(await short(read), "a added 1");
    assert.equal(await short(reader.read()), "end");
  });
});

test("a save that failed is tried once more by close, which waits for it", async () => {
  for (const end of ["good", "bad", "fatal"] as const) {
    const checkpoint = new SlowStore();
    await withGroup({ checkpoint }, async ({ clock, group, reader, failures }) => {
      group.add(saving("a"));
      group.add(new NamedSource("b"), { checkpoint: undefined as never });
      const read = reader.read();
      await clock.tick(0);
      checkpoint.saves[0]!.reject(new Error("disk full"));
      await settle();
      assert.equal(failures.length, 1);
      group.close();
      await settle();
      assert.equal(checkpoint.saves.length, 2);
      assert.ok(await pending(read));
      if (end === "good") checkpoint.saves[1]!.resolve();
      else if (end === "bad") checkpoint.saves[1]!.reject(new Error("disk full"));
      else checkpoint.saves[1]!.reject(new ExternalError("checkpoint", "not yours"));
      assert.equal(await short(read), "end");
      const infos = failures.map(({ info }) => info);
      assert.equal(infos.length, end === "good" ? 1 : 2);
      if (end === "fatal") assert.deepEqual(infos[1], { attempt: 1, wait: Infinity });
    });
  }
});

test("a source that is lost after close does not keep the group open", async () => {
  for (const told of [true, false]) {
    const shares = new Shares();
    await shares.give("a", "me");
    await withGroup({ owner: shares.ownerFor("me") }, async ({ clock, group, reader }) => {
      const a = new NamedSource("a");
      group.add(a);
      const read = reader.read();
      await clock.tick(0);
      await a.last.answer(added("1"), added("2"));
      assert.equal(await short(read), "a added 1");
      group.close();
      const given = shares.give("a", "you");
      if (told) await given;
      assert.equal(await short(reader.read()), "end");
      await given;
    });
  }
});

test("a source that is gained after close is not polled", async () => {
  const shares = new Shares();
  await shares.give("a", "me");
  await withGroup({ owner: shares.ownerFor("me") }, async ({ clock, group, reader }) => {
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    const read = reader.read();
    await clock.tick(100);
    await a.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "a added 1");
    group.close();
    await shares.give("b", "me");
    await clock.tick(1_000);
    assert.equal(b.polls.length, 0);
    assert.equal(group.status("b")?.phase, "idle");
    assert.equal(await short(reader.read()), "a added 2");
    assert.equal(await short(reader.read()), "end");
  });
});

test("close lets the events of several sources be read in turns, and keeps what was handled", async () => {
  const checkpoint = new MemoryCheckpointStore();
  await withGroup({ checkpoint }, async ({ clock, group, reader }) => {
    group.add(saving("a", "1", "2"));
    group.add(saving("b", "1"));
    group.refresh();
    const read = reader.read();
    await clock.tick(100);
    group.close();
    group.close();
    const seen = [await short(read)];
    for (let i = 0; i < 3; i++) seen.push(await short(reader.read()));
    assert.deepEqual(seen.toSorted(), ["a added 1", "a added 2", "b added 1", "end"]);
    assert.notEqual(await checkpoint.load("a"), undefined);
    assert.notEqual(await checkpoint.load("b"), undefined);
  });
});

test("how a group ends is the reason with which its polls are aborted", async () => {
  const reason = new Error("shutdown");
  const ends: [string, (group: { close(): void; cancel(reason?: unknown): unknown }) => void][] = [
    ["The watch of 'a' was closed", (group) => group.close()],
    ["The group was closed", (group) => void group.cancel()],
    ["shutdown", (group) => void group.cancel(reason)],
  ];
  for (const [message, end] of ends) {
    await withGroup({}, async ({ clock, group, reader }) => {
      const a = new NamedSource("a");
      group.add(a);
      const read = reader.read();
      await clock.tick(0);
      end({ close: () => group.close(), cancel: (reason) => reader.cancel(reason) });
      assert.equal((a.last.signal.reason as Error).message, message);
      assert.equal(await short(read), "end");
    });
  }
});

test("the listener on the signal of a source is taken off with the source, and with the group", async () => {
  await withGroup({}, async ({ group, reader }) => {
    const live = new Map<string, number>();
    const signalOf = (name: string): AbortSignal => {
      const { signal } = new AbortController();
      live.set(name, 0);
      const count = (by: number) => live.set(name, (live.get(name) ?? 0) + by);
      return Object.assign(signal, {
        addEventListener: () => void count(1),
        removeEventListener: () => void count(-1),
      });
    };
    for (const name of ["a", "b"]) {
      group.add(new NamedSource(name), { signal: signalOf(name) });
    }
    assert.deepEqual([...live.values()], [1, 1]);
    await group.remove("a");
    assert.deepEqual([...live.values()], [0, 1]);
    await reader.cancel();
    assert.deepEqual([...live.values()], [0, 0]);
  });
});

test("a source that is added with an aborted signal is not there, and is free for others", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const a = new NamedSource("a");
    group.add(a, { signal: AbortSignal.abort() });
    assert.equal(group.size, 0);
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
  });
});
