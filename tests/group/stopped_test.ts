// Sources that an error has stopped, or that cannot be started: when they are tried again, and what is told of them.
import { ExternalError, type ExternalEvent, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, settle } from "../watch/_watch.ts";
import { addPolled, NamedSource, short, withGroup } from "./_group.ts";
import { Shares } from "./_owner.ts";

const taken = () => new ExternalError("checkpoint", "another one has taken it over");

test("a stopped source that is still owned is tried again after a back-off, which a good poll resets", async () => {
  const shares = new Shares();
  await shares.give("a", "me");
  const owner = shares.ownerFor("me");
  await withGroup({ owner }, async ({ clock, group, reader, failures, statuses }) => {
    const a = new NamedSource("a");
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    for (const wait of [200, 400, 800]) {
      const { length } = a.polls;
      await a.last.fail(taken());
      assert.equal(group.status("a")?.phase, "closed");
      await clock.tick(wait - 1);
      assert.equal(a.polls.length, length);
      await clock.tick(1);
      assert.equal(a.polls.length, length + 1);
    }
    assert.deepEqual(failures.map(({ info }) => info), [
      { attempt: 1, wait: 200 },
      { attempt: 2, wait: 400 },
      { attempt: 3, wait: 800 },
    ]);
    assert.deepEqual(statuses.map(([name, { phase }]) => `${name} ${phase}`), ["a closed"]);
    await a.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
    const next = reader.read();
    await clock.tick(100);
    await a.last.fail(taken());
    assert.deepEqual(failures.at(-1)?.info, { attempt: 1, wait: 200 });
    await clock.tick(200);
    await a.last.answer(added("2"));
    assert.equal(await short(next), "a added 2");
  });
});

test("a stopped source that is lost meanwhile is not tried again, and is when it comes back", async () => {
  const shares = new Shares();
  await shares.give("a", "me");
  await withGroup({ owner: shares.ownerFor("me") }, async ({ clock, group, reader }) => {
    const a = new NamedSource("a");
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.fail(taken());
    await shares.give("a", "you");
    assert.equal(group.status("a")?.phase, "idle");
    await clock.tick(1_000);
    assert.equal(a.polls.length, 1);
    await shares.give("a", "me");
    await clock.tick(0);
    assert.equal(a.polls.length, 2);
    await a.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
  });
});

test("a source that another watch still uses when it is gained is tried again after the interval", async () => {
  const shares = new Shares();
  const a = new NamedSource("a");
  const other = new WatchGroup<string>({ interval: 1_000 });
  await withGroup({ owner: shares.ownerFor("me") }, async (setup) => {
    const { clock, group, reader, failures } = setup;
    group.add(a);
    other.add(a);
    const read = reader.read();
    await settle();
    await shares.give("a", "me");
    assert.deepEqual(failures.map(({ info }) => info), [{ attempt: 1, wait: 100 }]);
    assert.match(failures[0]!.error.message, /^Cannot poll 'a': .*is being watched already/);
    await clock.tick(100);
    assert.deepEqual(failures[1]?.info, { attempt: 2, wait: 100 });
    await other.cancel();
    await clock.tick(99);
    assert.equal(a.polls.length, 0);
    await clock.tick(1);
    assert.equal(a.polls.length, 1);
    await a.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
    assert.equal(failures.length, 2);
  });
});

test("an owner that has changed its mind without a word is asked before each poll", async () => {
  let isOurs = true;
  const owner = { owns: () => isOurs, changes: (async function* () {})() };
  await withGroup({ owner }, async (setup) => {
    const { clock, group } = setup;
    const a = new NamedSource("a");
    await addPolled(setup, a);
    if (a.isAsked) await a.last.answer();
    const { length } = a.polls;
    isOurs = false;
    await clock.tick(1_000);
    assert.equal(a.polls.length, length);
    assert.equal(group.status("a")?.phase, "idle");
  });
});

/** A source that says what it withdraws, or fails to. */
class Withdrawing extends NamedSource {
  onWithdraw: () => Iterable<ExternalEvent<string>> = () => [];

  withdraw(): Iterable<ExternalEvent<string>> {
    return this.onWithdraw();
  }
}

test("a removal to be reported rejects with what stops its source, and the source is gone", async () => {
  await withGroup({ interval: 60_000 }, async ({ clock, group, reader }) => {
    const a = new Withdrawing("a");
    const error = taken();
    a.onWithdraw = () => {
      throw error;
    };
    group.add(a);
    reader.read().catch(() => {});
    await clock.tick(0);
    await a.last.answer();
    const removed = group.remove("a", { report: true });
    const rejected = assert.rejects(removed, (thrown) => thrown === error);
    await clock.tick(0);
    await rejected;
    assert.equal(group.size, 0);
  });
});

test("what is withdrawn comes at once: not after the interval, a back-off or a budget", async () => {
  const maxRequests = { count: 1, per: 1_000_000 };
  await withGroup({ interval: 60_000, maxRequests }, async ({ clock, group, reader, failures }) => {
    const [a, b] = [new Withdrawing("a"), new Withdrawing("b")];
    for (const source of [a, b]) {
      source.onWithdraw = () => [{ type: "removed", item: "1" }];
      group.add(source);
    }
    const read = reader.read();
    await clock.tick(60_000);
    a.last.onRequest?.();
    await a.last.answer();
    await b.last.fail();
    const gone = [group.remove("a", { report: true }), group.remove("b", { report: true })];
    await clock.tick(0);
    const seen = [await short(read), await short(reader.read())];
    assert.deepEqual(seen.toSorted(), ["a removed 1", "b removed 1"]);
    const next = reader.read();
    await Promise.all(gone);
    assert.equal(group.size, 0);
    assert.equal(failures.length, 1);
    next.catch(() => {});
  });
});

test("handlers get what is withdrawn at once, too, whatever the budget says", async () => {
  const maxRequests = { count: 1, per: 1_000_000 };
  await withGroup({ interval: 60_000, maxRequests }, async ({ clock, group, reader }) => {
    reader.releaseLock();
    const a = new Withdrawing("a");
    a.onWithdraw = () => [{ type: "removed", item: "1" }];
    group.add(a);
    const seen: string[] = [];
    const handling = group.handle(({ type, item }) => void seen.push(`${type} ${item}`));
    await clock.tick(0);
    a.last.onRequest?.();
    await a.last.answer();
    const removed = group.remove("a", { report: true });
    await clock.tick(0);
    assert.equal(await removed, true);
    assert.deepEqual(seen, ["removed 1"]);
    group.close();
    await handling;
  });
});

test("what cannot be withdrawn is asked for again after a back-off", async () => {
  await withGroup({ interval: 60_000, minBackoff: 100 }, async (setup) => {
    const { clock, group, reader, failures } = setup;
    const a = new Withdrawing("a");
    let asked = 0;
    a.onWithdraw = () => {
      if (++asked === 1) throw new Error("not now");
      return [];
    };
    group.add(a);
    reader.read().catch(() => {});
    await clock.tick(0);
    await a.last.answer();
    const removed = group.remove("a", { report: true });
    await clock.tick(99);
    assert.deepEqual([asked, failures.length], [1, 1]);
    await clock.tick(1);
    assert.equal(await removed, true);
    assert.equal(asked, 2);
  });
});

test("a removal during a poll breaks it off, and that is no failure", async () => {
  await withGroup({}, async ({ clock, group, reader, failures, statuses }) => {
    const a = new Withdrawing("a");
    a.onWithdraw = () => [{ type: "removed", item: "1" }];
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.answer();
    await clock.tick(100);
    const { signal } = a.last;
    const removed = group.remove("a", { report: true });
    assert.ok(signal.aborted);
    await a.last.answer(added("late"));
    await clock.tick(0);
    assert.equal(await short(read), "a removed 1");
    const next = reader.read();
    assert.equal(await removed, true);
    assert.deepEqual(failures, []);
    assert.equal(statuses.length, 1, "its first poll");
    next.catch(() => {});
  });
});

test("of two removals the second joins the first, and can ask for more", async () => {
  const deleted: string[] = [];
  const checkpoint = {
    load: () => Promise.resolve(undefined),
    save: () => Promise.resolve(),
    delete: (key: string) => (deleted.push(key), Promise.resolve()),
  };
  await withGroup({ interval: 60_000 }, async ({ clock, group, reader }) => {
    const source = (name: string) =>
      Object.assign(new Withdrawing(name), {
        onWithdraw: () => [{ type: "removed", item: "1" }],
        save: () => new Uint8Array(),
        restore: () => {},
      }) as Withdrawing;
    const [a, b] = [source("a"), source("b")];
    for (const one of [a, b]) group.add(one, { checkpoint });
    const read = reader.read();
    await clock.tick(60_000);
    await a.last.answer();
    await b.last.answer();
    const first = ["a", "b"].map((name) => group.remove(name, { report: true }));
    const second = [
      group.remove("a", { report: true, forget: true }),
      group.remove("b", { report: true }),
    ];
    await assert.rejects(group.remove("a", { forget: 1 as never }), {
      name: "TypeError",
      message: "Cannot remove 'a' as 'report' and 'forget' must be true or false",
    });
    await clock.tick(0);
    assert.equal(group.size, 2, "both wait for what they have to report");
    await short(read);
    await short(reader.read());
    const next = reader.read();
    assert.deepEqual(await Promise.all([...first, ...second]), [true, true, true, true]);
    assert.deepEqual(deleted, ["a"]);
    next.catch(() => {});
  });
});

test("a source that leaves its group while it is asked for an event gives none", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    const read = reader.read();
    await clock.tick(100);
    const leaving = function* () {
      void group.remove("a");
      yield added("1");
    };
    await a.last.answerWith(leaving());
    await b.last.answer(added("1"));
    assert.equal(await short(read), "b added 1");
    assert.equal(group.size, 1);
  });
});
