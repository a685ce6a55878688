import {
  ExternalError,
  type ExternalSource,
  MemoryCheckpointStore,
  WatchGroup,
} from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { added, pending, settle, withClock } from "../watch/_watch.ts";
import { addPolled, NamedSource, short, withGroup } from "./_group.ts";

const REASON = { why: "shutdown" };

/** A group with one source in each phase: polling, with events to read, waiting, and one that waits for room. */
async function inEveryPhase(
  options: { signal?: AbortSignal },
  body: (setup: {
    group: WatchGroup<string>;
    reader: ReadableStreamDefaultReader<unknown>;
    sources: readonly NamedSource[];
    read: Promise<ReadableStreamReadResult<unknown>>;
  }) => Promise<void>,
): Promise<void> {
  await withGroup({ polls: 3, ...options }, async (setup) => {
    const { clock, group, reader } = setup;
    const sources = ["polling", "ready", "waiting", "parked"].map((name) => new NamedSource(name));
    const [polling, ready, waiting] = sources as [NamedSource, NamedSource, NamedSource];
    const { read } = await addPolled(setup, ready, waiting);
    for (let i = 0; i < 4; i++) {
      if (ready.isAsked || i === 3) break;
      await clock.tick(50);
      if (waiting.isAsked) await waiting.last.answer();
    }
    await ready.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "ready added 1");
    group.add(polling);
    group.add(sources[3]!);
    const next = reader.read();
    next.catch(() => {});
    await settle();
    await body({ group, reader, sources, read: next });
    await settle();
    for (const source of sources.filter(({ isAsked }) => isAsked)) {
      assert.ok(source.last.signal.aborted, source.name);
      await source.last.answer(added("late"));
    }
    const polls = sources.map((source) => source.polls.length);
    await clock.tick(10_000);
    assert.deepEqual(sources.map((source) => source.polls.length), polls);
    assert.equal(clock.timers, 0);
    assert.ok(
      [...group.statuses()].every(([, { phase }]) => phase === "closed" || phase === "idle"),
    );
    // The sources are free again.
    const other = new WatchGroup<string>({ interval: 1_000 });
    for (const source of sources) other.add(source);
    await other.cancel();
  });
}

test("W6: cancel ends every source", async () => {
  await inEveryPhase({}, async ({ reader }) => {
    await reader.cancel(REASON);
  });
});

test("W6: dispose ends every source, and the stream closes", async () => {
  await inEveryPhase({}, async ({ group, reader, read }) => {
    await read;
    const next = reader.read();
    await group[Symbol.asyncDispose]();
    assert.deepEqual(await next, { done: true, value: undefined });
  });
});

test("W7: abort errors the stream with the reason, untouched, and takes its listener off", async () => {
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  await inEveryPhase({ signal: controller.signal }, async ({ reader, read }) => {
    assert.equal(listeners(), 1);
    await read;
    const next = reader.read();
    controller.abort(REASON);
    await assert.rejects(next, (error) => error === REASON);
    assert.equal(listeners(), 0);
  });
});

test("W7: an aborted signal polls nothing", async () => {
  await withClock(async () => {
    const group = new WatchGroup<string>({ interval: 1, signal: AbortSignal.abort(REASON) });
    const source = new NamedSource("a");
    assert.throws(() => group.add(source), /^TypeError: Cannot add 'a' as the group has ended$/);
    await assert.rejects(group.getReader().read(), (error) => error === REASON);
    assert.equal(source.polls.length, 0);
  });
});

test("close lets the events that were found be read, and then ends the stream", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, reader } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    const { read } = await addPolled(setup, a, b);
    await clock.tick(200);
    await a.last.answer(added("1"), added("2"));
    assert.equal(await short(read), "a added 1");
    group.close();
    assert.ok(b.last.signal.aborted);
    assert.throws(() => group.add(new NamedSource("c")), TypeError);
    assert.equal(await short(reader.read()), "a added 2");
    assert.equal(await short(reader.read()), "end");
    assert.equal(a.commits, a.polls.length);
    await reader.closed;
  });
});

test("close with a read pending and nothing found ends the stream at once", async () => {
  await withGroup({}, async (setup) => {
    const { read } = await addPolled(setup, new NamedSource("a"));
    setup.group.close();
    assert.equal(await short(read), "end");
    assert.equal(setup.clock.timers, 0);
  });
  await withGroup({}, async ({ group, reader }) => {
    group.close();
    assert.equal(await short(reader.read()), "end");
  });
});

test("close waits for a save under way", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    let saved: (() => void) | undefined;
    const checkpoint = {
      load: () => Promise.resolve(undefined),
      save: () => new Promise<void>((resolve) => saved = resolve),
    };
    const source: ExternalSource<string> = {
      name: "a",
      poll: () => Promise.resolve([]),
      save: () => new Uint8Array(1),
      restore: () => {},
    };
    group.add(source, { checkpoint });
    const read = reader.read();
    await clock.tick(0);
    assert.notEqual(saved, undefined);
    group.close();
    assert.ok(await pending(read));
    saved?.();
    assert.equal(await short(read), "end");
  });
});

test("W10: what a callback of the user throws ends the stream with it", async () => {
  const thrown = new Error("a bug");
  for (const callback of ["onError", "onStatus"] as const) {
    for (const how of ["throws", "rejects"] as const) {
      const call = () => {
        if (how === "throws") throw thrown;
        return Promise.reject(thrown);
      };
      await withGroup({ [callback]: call }, async ({ clock, group, reader }) => {
        const [a, b] = [new NamedSource("a"), new NamedSource("b")];
        group.add(a);
        group.add(b);
        const read = reader.read();
        read.catch(() => {});
        await clock.tick(100);
        await a.last.fail();
        await assert.rejects(read, (error) => error === thrown);
        assert.ok(b.last.signal.aborted);
      });
    }
  }
});

test("an error that would end a watch stops its source alone, and tells", async () => {
  await withGroup({}, async (setup) => {
    const { clock, group, reader, failures, statuses } = setup;
    const [a, b] = [new NamedSource("a"), new NamedSource("b")];
    const { read } = await addPolled(setup, a, b);
    statuses.length = 0;
    await clock.tick(200);
    const error = new ExternalError("checkpoint", "the state is of another URL");
    await a.last.fail(error);
    assert.equal(failures.length, 1);
    assert.equal(failures[0]!.error, error);
    assert.deepEqual(failures[0]!.info, { attempt: 1, wait: Infinity });
    assert.deepEqual(statuses.map(([name, { phase }]) => [name, phase]), [["a", "closed"]]);
    const status = group.status("a");
    assert.equal(status?.phase, "closed");
    assert.equal(status?.lastError, error);
    await b.last.answer(added("1"));
    assert.equal(await short(read), "b added 1");
    const next = reader.read();
    const { length } = a.polls;
    await clock.tick(100_000);
    assert.equal(a.polls.length, length);
    assert.ok(await pending(next));
    // Taken out, and made again.
    assert.equal(await group.remove("a"), true);
    group.add(a);
    await clock.tick(100);
    assert.equal(a.polls.length, length + 1);
  });
});

test("a state of another URL stops its source, until it is removed and forgotten", async () => {
  const checkpoint = new MemoryCheckpointStore();
  const source = (url: string, restored: string[]): ExternalSource<string> => ({
    name: "config",
    poll: () => Promise.resolve([added(url)]),
    save: () => new TextEncoder().encode(url),
    restore(state) {
      const found = new TextDecoder().decode(state);
      restored.push(found);
      if (found !== url) throw new ExternalError("checkpoint", `that is ${found}`);
    },
  });
  await withGroup({ checkpoint }, async ({ clock, group, reader, failures }) => {
    const restored: string[] = [];
    group.add(source("one", restored));
    const first = reader.read();
    await clock.tick(0);
    assert.equal(await short(first), "config added one");
    const read = reader.read();
    await settle();
    await group.remove("config");
    group.add(source("two", restored));
    await clock.tick(100);
    assert.deepEqual(restored, ["one"]);
    assert.equal(failures[0]!.error.message, "that is one");
    assert.equal(group.status("config")?.phase, "closed");
    assert.equal(await group.remove("config", { forget: true }), true);
    group.add(source("two", restored));
    await clock.tick(100);
    assert.equal(await short(read), "config added two");
  });
});

test("E6: return ends a pending next at once", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    reader.releaseLock();
    const source = new NamedSource("a");
    group.add(source);
    const events = group.values();
    const next = events.next();
    await clock.tick(0);
    await events.return();
    assert.equal((await next).done, true);
    assert.ok(source.last.signal.aborted);
  });
});
