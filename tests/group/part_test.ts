// Parts of the sources of a group, and one budget for all of them.
import type { ExternalPart, PollOptions } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "../watch/_watch.ts";
import { NamedSource, withGroup } from "./_group.ts";

class PartSource extends NamedSource {
  readonly parts: boolean = true;
  readonly asked: (ExternalPart | "all")[] = [];

  override poll(options: PollOptions): Promise<Iterable<Event>> {
    this.asked.push(options.part ?? "all");
    return super.poll(options);
  }
}

test("refresh polls a part of one source, or of all that can", () =>
  withGroup({ interval: 60_000 }, async ({ clock, group, reader }) => {
    const a = new PartSource("a"), b = new PartSource("b"), whole = new NamedSource("whole");
    reader.read().catch(() => {});
    for (const source of [a, b, whole]) {
      group.add(source);
      await clock.tick(0);
      await source.last.answer();
    }
    assert.equal(group.refresh("a", { keys: ["x"] }), true);
    await clock.tick(0);
    assert.deepEqual([a.asked, b.asked], [["all", { keys: ["x"] }], ["all"]]);
    await a.last.answer();
    group.refresh(undefined, { prefix: "y/" });
    await clock.tick(0);
    assert.deepEqual([a.asked.length, b.asked.at(-1)], [3, { prefix: "y/" }]);
    assert.equal(whole.polls.length, 1);
    await a.last.answer();
    await b.last.answer();
    assert.equal(group.refresh("nobody", { keys: ["x"] }), false);
    assert.throws(() => group.refresh("whole", { keys: ["x"] }), TypeError);
    assert.throws(() => group.refresh("nobody", {}), TypeError);
  }));

test("a part that failed waits for its back-off, and takes along what is asked for meanwhile", () =>
  withGroup({ interval: 60_000, minBackoff: 200 }, async ({ clock, group, reader, failures }) => {
    const a = new PartSource("a");
    reader.read().catch(() => {});
    group.add(a);
    await clock.tick(0);
    await a.last.answer();
    group.refresh("a", { keys: ["x"] });
    await clock.tick(0);
    await a.last.fail();
    group.refresh("a", { keys: ["y"] });
    await clock.tick(190);
    assert.equal(a.asked.length, 2);
    await clock.tick(20);
    assert.deepEqual(a.asked[2], { keys: ["x", "y"] });
    await a.last.answer();
    assert.equal(failures.length, 1);
  }));

test("a group has one budget for all of its sources", () =>
  withGroup({ maxRequests: { count: 10, per: 1_000 } }, async ({ clock, group, reader }) => {
    const sources = ["a", "b", "c"].map((name) => new NamedSource(name));
    const answerAll = async () => {
      for (const source of sources.filter(({ isAsked }) => isAsked)) {
        for (let i = 0; i < 5; i++) source.last.onRequest?.();
        await source.last.answer();
      }
    };
    reader.read().catch(() => {});
    for (const source of sources) group.add(source);
    for (let ms = 0; ms < 10_000; ms += 10) {
      await clock.tick(10);
      await answerAll();
    }
    const polls = sources.reduce((sum, source) => sum + source.polls.length, 0);
    // Of five requests each, ten a second.
    assert.ok(polls >= 18 && polls <= 23, `${polls} polls in ten seconds`);
  }));
