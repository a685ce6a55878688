// Which polls count against the limits: those of sources that are slow or fail, and those whose events nobody has read.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { added, START } from "../watch/_watch.ts";
import { addPolled, type GroupSetup, NamedSource, short, withGroup } from "./_group.ts";

const asked = (sources: readonly NamedSource[]) => sources.filter(({ isAsked }) => isAsked).length;

/** Lets both sources be due, once a poll of each has ended in a way. */
async function after(
  t: TestContext,
  end: (source: NamedSource, clock: GroupSetup["clock"]) => Promise<void>,
): Promise<number> {
  const time = t.mock.method(performance, "now", () => Date.now() - START);
  let count = 0;
  await withGroup({ polls: 2, maxBackoff: 200 }, async (setup) => {
    const { clock } = setup;
    const sources = [new NamedSource("a"), new NamedSource("b")];
    await addPolled(setup, ...sources);
    for (const source of sources) {
      while (!source.isAsked) await clock.tick(10);
      for (const other of sources) if (other !== source && other.isAsked) await other.last.answer();
      await end(source, clock);
    }
    await clock.tick(500);
    count = asked(sources);
  });
  time.mock.restore();
  return count;
}

test("a source whose last poll was slow or bad may hang: only half of the polls are for those", async (t) => {
  assert.equal(await after(t, async ({ last }) => await last.answer()), 2);
  const slowly = (ms: number) => async ({ last }: NamedSource, clock: GroupSetup["clock"]) => {
    await clock.tick(ms);
    await last.answer();
  };
  assert.equal(await after(t, slowly(990)), 2);
  assert.equal(await after(t, slowly(1_010)), 1);
  assert.equal(await after(t, async ({ last }) => await last.fail()), 1);
});

test("a poll whose events nobody has begun to read takes the room of one, until one is read or its source is gone", async () => {
  for (const how of ["read", "remove"] as const) {
    await withGroup({ polls: 2 }, async (setup) => {
      const { clock, group, reader } = setup;
      const [a, b, c] = [new NamedSource("a"), new NamedSource("b"), new NamedSource("c")];
      const { read } = await addPolled(setup, a, b, c);
      await clock.tick(300);
      // Two are under way, the third waits for room.
      const sources = [a, b, c];
      const [first, second] = sources.filter(({ isAsked }) => isAsked) as [
        NamedSource,
        NamedSource,
      ];
      const third = sources.find(({ isAsked }) => !isAsked)!;
      await first.last.answer(added("1"), added("2"));
      assert.equal(await short(read), `${first.name} added 1`);
      const { length } = third.polls;
      await second.last.answer(added("1"), added("2"));
      assert.equal(third.polls.length, length, "nobody reads");
      if (how === "remove") await group.remove(second.name);
      const next = reader.read();
      next.catch(() => {});
      await clock.tick(0);
      assert.equal(third.polls.length, length + 1);
      const [name, nth] = how === "read" ? [second.name, 1] : [first.name, 2];
      assert.equal(await short(next), `${name} added ${nth}`);
      if (how === "read") return;
      // No room is lost with the source that is gone.
      reader.read().catch(() => {});
      await clock.tick(300);
      assert.equal(asked([first, third]), 2);
    });
  }
});

test("with room for one poll, a source with unread events holds up all others", async () => {
  await withGroup({ polls: 1 }, async (setup) => {
    const { clock, group, reader } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    const read = reader.read();
    await clock.tick(0);
    await a.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "a added 1");
    group.add(b);
    // Its events have had their first turn: there is room for another poll.
    const next = reader.read();
    await clock.tick(0);
    assert.equal(await short(next), "a added 2");
    const last = reader.read();
    last.catch(() => {});
    await clock.tick(100);
    assert.equal(asked([a, b]), 1);
  });
});

test("a source that comes alone is polled at once, also where others were removed before their first poll", async () => {
  await withGroup({ interval: 60_000 }, async ({ clock, group, reader }) => {
    group.add(new NamedSource("a"));
    await group.remove("a");
    const b = new NamedSource("b");
    group.add(b);
    reader.read().catch(() => {});
    await clock.tick(0);
    assert.ok(b.isAsked);
  });
});

test("a refresh of a source that waits for room keeps its place, and polls it once", async () => {
  await withGroup({ polls: 100, pollsPerHost: 1 }, async (setup) => {
    const { clock, group } = setup;
    const [a, b] = [new NamedSource("a", "one"), new NamedSource("b", "one")];
    await addPolled(setup, a, b);
    await clock.tick(300);
    const [under, waiting] = a.isAsked ? [a, b] : [b, a];
    const { length } = waiting.polls;
    group.refresh(waiting.name);
    await clock.tick(0);
    assert.equal(waiting.polls.length, length);
    await under.last.answer();
    await clock.tick(0);
    assert.equal(waiting.polls.length, length + 1);
  });
});

test("while there is no room there is no timer either", async () => {
  await withGroup({ polls: 1, interval: 1_000 }, async (setup) => {
    const { clock, group } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    await addPolled(setup, a);
    group.add(b);
    await clock.tick(0);
    if (b.isAsked) await b.last.answer();
    assert.equal(clock.timers, 1);
    group.refresh("a");
    await clock.tick(0);
    assert.ok(a.isAsked);
    assert.equal(clock.timers, 0);
    await a.last.answer();
    assert.equal(clock.timers, 1);
  });
});

test("a read makes no more polls begin than there is room for beside what is unread", async () => {
  await withGroup({ polls: 2 }, async (setup) => {
    const { clock, group, reader } = setup;
    // One that was never polled takes no room, and gives none.
    group.add(new NamedSource("gone"));
    await group.remove("gone");
    const sources = ["a", "b", "c", "d"].map((name) => new NamedSource(name));
    const { read } = await addPolled(setup, ...sources);
    await clock.tick(300);
    const [first, second] = sources.filter(({ isAsked }) => isAsked) as [NamedSource, NamedSource];
    await first.last.answer(added("1"), added("2"));
    await read;
    await second.last.answer(added("1"), added("2"));
    assert.equal(asked(sources), 0);
    assert.equal(await short(reader.read()), `${second.name} added 1`);
    assert.equal(asked(sources), 1);
  });
});
