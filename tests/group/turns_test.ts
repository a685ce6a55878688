import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending, settle } from "../watch/_watch.ts";
import { NamedSource, short, withGroup } from "./_group.ts";

test("G1: sources take turns, however many events one of them has", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const [big, small] = [new NamedSource("big"), new NamedSource("small")];
    group.add(big);
    const first = reader.read();
    await settle();
    await big.last.answer(...Array.from({ length: 1_000 }, (_, i) => added(String(i))));
    assert.equal(await short(first), "big added 0");
    group.add(small);
    assert.equal(await short(reader.read()), "big added 1");
    await clock.tick(100);
    assert.ok(small.isAsked, "polled while the other one is read");
    await small.last.answer(added("a"), added("b"), added("c"));
    const seen: string[] = [];
    for (let i = 0; i < 7; i++) seen.push(await short(reader.read()));
    assert.deepEqual(seen, [
      "small added a",
      "big added 2",
      "small added b",
      "big added 3",
      "small added c",
      "big added 4",
      "big added 5",
    ]);
  });
});

test("a poll begins only while somebody reads, and an event is handled when the next is asked for", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    await clock.tick(1_000);
    assert.equal(a.polls.length + b.polls.length, 0);
    const read = reader.read();
    await clock.tick(0);
    assert.equal(a.polls.length + b.polls.length, 2);
    await a.last.answer(added("1"));
    await b.last.answer();
    assert.equal(await short(read), "a added 1");
    await clock.tick(1_000);
    assert.equal(a.commits, 0);
    assert.equal(b.polls.length, 1, "nobody reads");
    const next = reader.read();
    await settle();
    assert.equal(a.commits, 1);
    assert.equal(b.polls.length, 2);
    assert.ok(await pending(next));
  });
});

test("an event with no one waiting keeps its source from being polled, and no other", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    group.add(a);
    group.add(b);
    const read = reader.read();
    await clock.tick(100);
    await a.last.answer(added("1"), added("2"), added("3"));
    await b.last.answer();
    assert.equal(await short(read), "a added 1");
    await clock.tick(500);
    assert.equal(await short(reader.read()), "a added 2");
    await clock.tick(500);
    assert.equal(a.polls.length, 1);
    assert.equal(b.polls.length, 2);
  });
});

test("sources that arrive together are handed over in the order in which they were polled", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const sources = ["a", "b", "c"].map((name) => new NamedSource(name));
    for (const source of sources) group.add(source);
    await clock.tick(100);
    const read = reader.read();
    await settle();
    const [a, b, c] = sources as [NamedSource, NamedSource, NamedSource];
    for (const source of [b, c, a]) await source.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "b added 1");
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) seen.push(await short(reader.read()));
    assert.deepEqual(seen, ["c added 1", "a added 1", "b added 2", "c added 2", "a added 2"]);
  });
});
