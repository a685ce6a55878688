// One target: when its watch ends, and what is told of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Metrics } from "../../_cli/metrics.ts";
import { parseOptions } from "../../_cli/options.ts";
import { TargetWatch } from "../../_cli/watch_target.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "../../_diff/source.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import { MemoryCheckpointStore } from "../../checkpoints/memory.ts";
import { MemoryStore } from "../../stores/memory.ts";
import { ObjectStorePoller } from "../../_listing/object_store_poller.ts";
import { settle, withClock } from "../watch/_watch.ts";
import { recordingReport } from "./_report.ts";
import { recordingScreen } from "./_screen.ts";

const NAME = "https://host/x";
const options = { timeout: 30_000 };

type Answer = readonly ExternalEvent<unknown>[] | Error;

const gone = new ExternalError("status", "gone", { status: 404, source: NAME });
const busy = new ExternalError("status", "busy", { status: 503, source: NAME });
const event = (key: string): ExternalEvent<unknown> => ({ type: "added", item: { key } });

/** A source that gives these answers, and from then on nothing new. */
function sourceOf(...answers: Answer[]): ExternalSource<unknown> {
  return {
    name: NAME,
    poll({ onRequest }: PollOptions) {
      onRequest?.();
      const answer = answers.shift() ?? [];
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  };
}

function watching(args: readonly string[], ...answers: Answer[]) {
  const source = sourceOf(...answers);
  const recorded = recordingReport();
  const ending = new AbortController();
  const metrics = new Metrics();
  let ends = 0;
  const run = {
    options: parseOptions(args),
    screen: recordingScreen().screen,
    report: recorded.report,
    metrics,
    checkpoint: undefined,
    signal: ending.signal,
    end: () => {
      ends++;
      ending.abort();
    },
  };
  return {
    ...recorded,
    run,
    metrics,
    ending,
    ends: () => ends,
    start: () => new TargetWatch({ source }, run),
  };
}

/** The failures that were told: their message, and whether they are tried again. */
const told = ({ failures }: Pick<ReturnType<typeof watching>, "failures">) =>
  failures.map(({ error, info }) => `${error.message}${info === undefined ? "" : " again"}`);

test("events are handled until the program is to end", options, () =>
  withClock(async (clock) => {
    const all = watching(["-i", "1s"], [event("a")], [], [event("b")]);
    const watch = all.start();
    const done = watch.run();
    await settle();
    assert.deepEqual(all.events.map(({ source }) => source), [NAME]);
    assert.equal(watch.status.polls, 1);
    assert.equal(watch.name, NAME);
    assert.equal(watch.progress.requests, 1);
    await clock.tick(1_200);
    await clock.tick(1_200);
    assert.equal(all.events.length, 2);
    assert.deepEqual(all.recovered, [NAME, NAME, NAME]);
    const text = all.metrics.text();
    assert.match(text, /koprs_external_polls_total\{koprs_external_outcome="changed".*\} 2\n/);
    assert.match(text, /koprs_external_polls_total\{koprs_external_outcome="unchanged".*\} 1\n/);
    assert.match(text, /koprs_external_events_total\{.*\} 2\n/);
    all.ending.abort();
    assert.equal(await done, true);
    assert.equal(watch.status.phase, "closed");
    assert.deepEqual([all.unchanged, all.failures], [[], []]);
  }));

test(
  "after a failure it polls soon, however long the interval is",
  options,
  () =>
    withClock(async (clock) => {
      const all = watching(["-i", "1h"], busy, busy, [event("a")]);
      const done = all.start().run();
      await settle();
      assert.deepEqual([told(all), all.recovered], [["busy again"], []]);
      await clock.tick(1_200);
      assert.deepEqual(all.failures.map(({ info }) => info?.attempt), [1, 2]);
      await clock.tick(2_400);
      assert.deepEqual([all.events.length, all.recovered], [1, [NAME]]);
      all.ending.abort();
      assert.equal(await done, true);
      assert.match(all.metrics.text(), /outcome="failed".*error_type="status"\} 2\n/);
    }),
);

test(
  "a failure that lasts ends all, if nothing was ever good",
  options,
  () =>
    withClock(async () => {
      const all = watching(["-i", "1s"], gone);
      assert.equal(await all.start().run(), false);
      assert.deepEqual([told(all), all.ends()], [["gone"], 1]);
    }),
);

test(
  "a failure that lasts is tried again if something was good, or if told to wait",
  options,
  () =>
    withClock(async (clock) => {
      const later = watching(["-i", "1s"], [event("a")], gone);
      const patient = watching(["-i", "1s", "--wait"], gone, [event("a")]);
      for (const all of [later, patient]) {
        const done = all.start().run();
        await settle();
        await clock.tick(1_200);
        assert.deepEqual([told(all), all.events.length, all.ends()], [["gone again"], 1, 0]);
        all.ending.abort();
        assert.equal(await done, true);
      }
    }),
);

test(
  "what a handler fails with does not end it, whatever it is",
  options,
  () =>
    withClock(async (clock) => {
      const all = watching(["-i", "1s"], [event("a")]);
      all.report.event = () =>
        Promise.reject(Object.assign(new Error("no room"), { code: "ENOENT" }));
      const done = all.start().run();
      await settle();
      await clock.tick(10);
      assert.deepEqual([all.failures.map(({ error }) => error.code), all.ends()], [["handler"], 0]);
      assert.notEqual(all.failures[0]?.info, undefined);
      all.ending.abort();
      assert.equal(await done, true);
    }),
);

test("with --once, it ends after one poll, and says if that had nothing", options, async () => {
  const some = watching(["--once"], [event("a"), event("b")], [event("c")]);
  assert.equal(await some.start().run(), true);
  assert.deepEqual([some.events.length, some.unchanged], [2, []]);
  const none = watching(["--once"], []);
  assert.equal(await none.start().run(), true);
  assert.deepEqual([none.unchanged, none.ends()], [[NAME], 0]);
});

test("with --once, any failure is the last", options, async () => {
  for (const error of [busy, gone]) {
    const all = watching(["--once"], error, [event("a")]);
    assert.equal(await all.start().run(), false);
    // The other targets go on.
    assert.deepEqual([told(all), all.events, all.unchanged, all.ends()], [
      ...[[error.message], [], [], 0],
    ]);
  }
});

test("with --once, an item that fails does not stop the others", options, async () => {
  const all = watching(["--once"]);
  const store = new MemoryStore();
  for (const key of ["a", "b", "c"]) await store.put(key, key);
  const { report } = all;
  const { event } = report;
  report.event = (source, event_, done) =>
    (event_.item as { key: string }).key === "b"
      ? Promise.reject(new Error("no"))
      : event.call(report, source, event_, done);
  const source = new ObjectStorePoller(store, {});
  const checkpoint = new MemoryCheckpointStore();
  const run = { ...all.run, checkpoint: checkpoint as never };
  assert.equal(await new TargetWatch({ source, store }, run).run(), false);
  assert.deepEqual(all.events.map(({ event: { item } }) => (item as { key: string }).key), [
    ...["a", "c"],
  ]);
  assert.deepEqual([all.failures.length, all.failures[0]?.info, all.ends()], [1, undefined, 0]);
  assert.notEqual(await checkpoint.load(source.name), undefined);
});

test("with --once, an event that no attempt can handle is a failure", options, async () => {
  const all = watching(["--once", "--exec", "echo {key}"], [event("-rf")]);
  assert.equal(await all.start().run(), false);
  assert.equal(all.notes.length, 1);
});

test("if all is to end already, it ends at once, and nothing is unchanged", options, async () => {
  for (const args of [[], ["--once"]]) {
    const all = watching(args, [event("a")]);
    all.ending.abort();
    assert.equal(await all.start().run(), true);
    assert.deepEqual([all.events, all.unchanged, all.failures], [[], [], []]);
  }
});
