import { type ExternalSource, HttpPoller } from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { START } from "../watch/_watch.ts";
import { addPolled, NamedSource, withGroup } from "./_group.ts";

/** A source that notes when it was polled. */
function noting(name: string): { source: ExternalSource<string>; times: number[] } {
  const times: number[] = [];
  return {
    times,
    source: { name, poll: () => (times.push(Date.now() - START), Promise.resolve([])) },
  };
}

/** How many of the times, from 0 to 1,000, are in each tenth. */
function tenths(times: readonly number[]): number[] {
  const counts = Array.from({ length: 10 }, () => 0);
  for (const time of times) counts[Math.min(Math.floor(time / 100), 9)]!++;
  return counts;
}

test("G1: the first polls of sources that come together are spread over the interval", async () => {
  await withGroup({ interval: 1_000, jitter: 0.1 }, async ({ clock, group, reader }) => {
    const sources = Array.from({ length: 100 }, (_, i) => noting(`s${i}`));
    for (const { source } of sources) group.add(source);
    const read = reader.read();
    read.catch(() => {});
    for (let ms = 0; ms <= 1_000; ms += 5) await clock.tick(ms === 0 ? 0 : 5);
    const first = tenths(sources.map(({ times }) => times[0] ?? NaN));
    for (const count of first) assert.ok(count >= 7 && count <= 13, String(first));
  });
});

test("G1: sources that came to be polled together are led apart again", async () => {
  const options = { interval: 1_000, jitter: 0.1, polls: 1_000 };
  await withGroup(options, async ({ clock, group, reader }) => {
    const sources = Array.from({ length: 50 }, (_, i) => noting(`s${i}`));
    for (const { source } of sources) group.add(source);
    await clock.tick(5_000); // Nobody reads for so long: all are due.
    const read = reader.read();
    read.catch(() => {});
    await clock.tick(0);
    assert.ok(sources.every(({ times }) => times[0] === 5_000));
    for (let ms = 0; ms < 15_000; ms += 10) await clock.tick(10);
    const last = sources.map(({ times }) => times.at(-1)! % 1_050);
    const counts = tenths(last.map((time) => time / 1.05));
    for (const count of counts) assert.ok(count >= 2 && count <= 9, String(counts));
    // The waits are those of a watch all the while.
    for (const { times } of sources) {
      times.slice(1).forEach((time, i) => {
        const wait = time - times[i]!;
        assert.ok(wait >= 1_000 && wait <= 1_110, `a wait of ${wait} ms`);
      });
    }
  });
});

test("a source that comes alone is polled at once", async () => {
  await withGroup({ interval: 60_000 }, async (setup) => {
    const { clock, group, reader } = setup;
    const read = reader.read();
    read.catch(() => {});
    for (const name of ["a", "b", "c"]) {
      const source = new NamedSource(name);
      group.add(source);
      await clock.tick(0);
      assert.ok(source.isAsked, name);
      await source.last.answer();
    }
  });
});

test("G2: one timer serves all", async () => {
  await withGroup({}, async (setup) => {
    const sources = Array.from({ length: 20 }, (_, i) => new NamedSource(`s${i}`));
    await addPolled(setup, ...sources);
    assert.equal(setup.clock.timers, 1);
  });
});

test("G2: the one timer also ends requests and polls that take too long, each by itself", async () => {
  const now = mock.method(performance, "now", () => Date.now() - START);
  try {
    await withGroup({ interval: 60_000 }, async ({ clock, group, reader, failures }) => {
      const read = reader.read();
      read.catch(() => {});
      const signals: AbortSignal[] = [];
      // A server that never answers.
      const fetch: typeof globalThis.fetch = (_, init) =>
        new Promise((_, reject) => {
          const { signal } = init ?? {};
          assert.ok(signal);
          signals.push(signal);
          signal.addEventListener("abort", () => reject(signal.reason));
        });
      for (const [name, timeout] of [["a", 1_000], ["b", 2_000]] as const) {
        const source = new HttpPoller("http://127.0.0.1/", { name, timeout, fetch });
        group.add(source as ExternalSource<unknown> as ExternalSource<string>);
        group.refresh(name);
      }
      const plain = new NamedSource("c");
      group.add(plain, { timeout: 1_500 });
      group.refresh("c");
      await clock.tick(0);
      assert.ok(plain.isAsked);
      assert.equal(clock.timers, 1);
      await clock.tick(999);
      assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false]);
      await clock.tick(1);
      assert.deepEqual(signals.map(({ aborted }) => aborted), [true, false]);
      await clock.tick(500);
      assert.ok(plain.last.signal.aborted);
      await clock.tick(500);
      assert.deepEqual(failures.map(({ error }) => error.code), ["timeout", "timeout", "timeout"]);
      assert.deepEqual(failures.map(({ error }) => error.source), ["a", "c", "b"]);
      assert.equal(clock.timers, 1, "for their next polls");
    });
  } finally {
    now.mock.restore();
  }
});

test("a source keeps to its own interval", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const [quick, slow] = [noting("quick"), noting("slow")];
    group.add(quick.source);
    group.add(slow.source, { interval: 1_000 });
    const read = reader.read();
    read.catch(() => {});
    for (let ms = 0; ms < 2_000; ms += 10) await clock.tick(10);
    assert.ok(quick.times.length >= 19 && quick.times.length <= 21, String(quick.times.length));
    assert.ok(slow.times.length >= 1 && slow.times.length <= 3, String(slow.times.length));
  });
});

test("refresh polls now, one or all", async () => {
  await withGroup({ interval: 60_000 }, async (setup) => {
    const { clock, group, reader } = setup;
    const sources = ["a", "b", "c"].map((name) => new NamedSource(name));
    const read = reader.read();
    read.catch(() => {});
    for (const source of sources) {
      group.add(source);
      await clock.tick(0);
      await source.last.answer();
    }
    assert.equal(group.refresh("b"), true);
    await clock.tick(0);
    assert.deepEqual(sources.map(({ polls }) => polls.length), [1, 2, 1]);
    // Asked for during a poll, which may have looked too early.
    group.refresh("b");
    await sources[1]!.last.answer();
    await clock.tick(0);
    assert.deepEqual(sources.map(({ polls }) => polls.length), [1, 3, 1]);
    await sources[1]!.last.answer();
    assert.equal(group.refresh(), true);
    await clock.tick(0);
    assert.deepEqual(sources.map(({ polls }) => polls.length), [2, 4, 2]);
    assert.equal(group.refresh("nobody"), false);
  });
});

test("a wall clock that is set back holds up nobody", async () => {
  await withGroup({}, async (setup) => {
    const sources = Array.from({ length: 10 }, (_, i) => new NamedSource(`s${i}`));
    await addPolled(setup, ...sources);
    const { now } = Date;
    Date.now = () => now() - 3_600_000;
    try {
      for (const { last } of sources) await last.answer();
      const before = sources.map(({ polls }) => polls.length);
      for (let ms = 0; ms < 210; ms += 10) {
        await setup.clock.tick(10);
        for (const source of sources) if (source.isAsked) await source.last.answer();
      }
      sources.forEach(({ polls }, i) => assert.ok(polls.length > before[i]!, `s${i}`));
    } finally {
      Date.now = now;
    }
  });
});
