import assert from "node:assert/strict";
import { test } from "node:test";
import { added } from "../watch/_watch.ts";
import { addPolled, NamedSource, short, withGroup } from "./_group.ts";

const named = (count: number, host?: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => new NamedSource(`s${i}`, host?.(i)));

const asked = (sources: readonly NamedSource[]) => sources.filter(({ isAsked }) => isAsked);

test("G1: at most 'polls' polls are under way, and the others follow in the order they were due", async () => {
  await withGroup({ polls: 4 }, async (setup) => {
    const { clock, group } = setup;
    const sources = named(12);
    await addPolled(setup, ...sources);
    await clock.tick(1_000);
    assert.equal(asked(sources).length, 4);
    const due = (name: string) => group.status(name)?.nextPoll ?? 0;
    for (;;) {
      const first = asked(sources)[0];
      if (first === undefined) break;
      const waiting = sources.filter((source) => !source.isAsked && due(source.name) > 0);
      const next = waiting.toSorted((a, b) => due(a.name) - due(b.name))[0];
      if (next === undefined || due(next.name) > Date.now()) break;
      await first.last.answer();
      assert.ok(next.isAsked, next.name);
      assert.equal(asked(sources).length, 4);
    }
  });
});

test("at most 'pollsPerHost' ask one host, and those of other hosts pass them by", async () => {
  await withGroup({ polls: 100, pollsPerHost: 3 }, async (setup) => {
    const { clock } = setup;
    const sources = named(20, (i) => i < 10 ? "one" : i === 19 ? "two" : "three");
    await addPolled(setup, ...sources);
    await clock.tick(1_000);
    const hosts = () => asked(sources).map(({ host }) => host).toSorted();
    assert.deepEqual(hosts(), ["one", "one", "one", "three", "three", "three", "two"]);
    // One that ends makes room for one of the same host, until all were asked.
    const polled = new Set(asked(sources));
    for (;;) {
      const first = asked(sources).find(({ host }) => host !== "two");
      if (first === undefined) break;
      await first.last.answer();
      const more = asked(sources).filter((source) => !polled.has(source));
      for (const source of more) {
        assert.equal(source.host, first.host);
        polled.add(source);
      }
    }
    assert.equal(polled.size, 20);
  });
});

test("events that nobody has begun to read count as polls: a slow reader makes fewer of them", async () => {
  await withGroup({ polls: 4 }, async (setup) => {
    const { clock, reader } = setup;
    const sources = named(12);
    const { read } = await addPolled(setup, ...sources);
    await clock.tick(1_000);
    for (const source of asked(sources)) await source.last.answer(added("1"), added("2"));
    await read;
    let polled = 0;
    for (const { polls } of sources) polled += polls.length;
    await short(reader.read());
    await clock.tick(1_000);
    let now = 0;
    for (const { polls } of sources) now += polls.length;
    assert.ok(now - polled <= 2, `${now - polled} more`);
  });
});

test("G2: sources that hang leave half of the polls to the others", async () => {
  await withGroup({ polls: 8 }, async (setup) => {
    const { clock } = setup;
    const good = Array.from({ length: 6 }, (_, i) => new NamedSource(`good${i}`));
    await addPolled(setup, ...good);
    const hanging = Array.from({ length: 20 }, (_, i) => new NamedSource(`hanging${i}`));
    for (const source of hanging) setup.group.add(source);
    const before = good.map(({ polls }) => polls.length);
    for (let ms = 0; ms < 1_000; ms += 10) {
      await clock.tick(10);
      for (const source of good) if (source.isAsked) await source.last.answer();
    }
    assert.equal(asked(hanging).length, 4);
    good.forEach(({ polls }, i) => assert.ok(polls.length - before[i]! >= 9, `good${i}`));
  });
});

test("G2: a source that fails is backed off from, and touches no other", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, failures, statuses } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    await addPolled(setup, a, b);
    const polls = { a: a.polls.length, b: b.polls.length };
    for (let ms = 0; ms < 1_000; ms += 10) {
      await clock.tick(10);
      if (a.isAsked) await a.last.fail();
      if (b.isAsked) await b.last.answer();
    }
    assert.ok(b.polls.length - polls.b >= 9);
    // Waits of 200, 400 and 800 ms.
    assert.equal(a.polls.length - polls.a, 3);
    assert.deepEqual(failures.map(({ error, info }) => [error.source, info.attempt, info.wait]), [
      ["a", 1, 200],
      ["a", 2, 400],
      ["a", 3, 800],
    ]);
    assert.equal(group.status("a")?.failures, 3);
    assert.equal(group.status("b")?.failures, 0);
    await clock.tick(1_000);
    await a.last.answer();
    // Only what changed, the recovery included.
    const told = statuses.map(([name, { failures }]) => `${name} ${failures}`);
    assert.deepEqual(told.toSorted(), ["a 0", "a 0", "a 1", "b 0"]);
    assert.deepEqual(told.filter((line) => line.startsWith("a")), ["a 0", "a 1", "a 0"]);
  });
});
