// A file of targets, watched as one group: what is told of it and of its sources, and when it ends.
import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { Metrics } from "../../_cli/metrics.ts";
import { parseOptions } from "../../_cli/options.ts";
import { SourcesWatch } from "../../_cli/watch_sources.ts";
import { MemoryCheckpointStore } from "../../checkpoints/memory.ts";
import { withClock } from "../watch/_watch.ts";
import { temporaryFolder } from "./_program.ts";
import { recordingReport } from "./_report.ts";
import { recordingScreen } from "./_screen.ts";

const options = { timeout: 30_000 };

interface Setup extends ReturnType<typeof recordingReport> {
  readonly folder: string;
  readonly file: string;
  readonly metrics: Metrics;
  readonly checkpoint: MemoryCheckpointStore;
  readonly watch: SourcesWatch;
  readonly ending: AbortController;
  /** How often a failure has asked to end all. */
  readonly ends: () => number;
  /** Puts this into the file, as a whole. */
  say(value: unknown): Promise<void>;
  /** Lets time pass until the condition holds. */
  passUntil(condition: () => boolean): Promise<void>;
}

/** Runs the body with a file, and folders `one` and `two` with a file `a` in each, beside it. */
async function withSources(
  t: TestContext,
  args: readonly string[],
  body: (setup: Setup) => Promise<void>,
): Promise<void> {
  const folder = await temporaryFolder(t);
  for (const name of ["one", "two"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "a"), name);
  }
  const file = join(folder, "sources.json");
  const ending = new AbortController();
  const recorded = recordingReport();
  const metrics = new Metrics();
  const checkpoint = new MemoryCheckpointStore();
  let ends = 0;
  const watch = new SourcesWatch(file, {
    options: parseOptions(args),
    screen: recordingScreen().screen,
    report: recorded.report,
    metrics,
    // In the program it is a folder, which makes no difference here.
    checkpoint: checkpoint as never,
    signal: ending.signal,
    end: () => {
      ends++;
      ending.abort();
    },
  });
  await withClock((clock) =>
    body({
      ...recorded,
      ...{ folder, file, metrics, checkpoint, watch, ending },
      ends: () => ends,
      async say(value) {
        await writeFile(`${file}.new`, typeof value === "string" ? value : JSON.stringify(value));
        await rename(`${file}.new`, file);
      },
      async passUntil(condition) {
        const end = performance.now() + 10_000;
        while (!condition()) {
          if (performance.now() > end) throw new Error(`It does not come: ${condition}`);
          await clock.tick(20);
        }
      },
    }).finally(() => ending.abort())
  );
}

test(
  "it has the sources that the file names",
  options,
  (t) =>
    withSources(t, ["-i", "1s"], async (all) => {
      const { folder, file, watch, metrics, ending, events, notes, failures, recovered } = all;
      const [one, two] = ["one", "two"].map((name) => join(folder, name)) as [string, string];
      const named = (text: string) =>
        ["one", "two"].filter((name) => text.includes(pathToFileURL(join(folder, name)).href));
      await all.say([one, two]);
      const done = watch.run();
      await all.passUntil(() => events.length === 2);
      assert.deepEqual(notes, [`${file}: 2 targets`]);
      const watched = [...watch.watched()];
      assert.deepEqual(named(watched.map(({ name }) => name).join()), ["one", "two"]);
      for (const { progress, status } of watched) {
        assert.deepEqual([progress.known, status.events], [1, 1]);
      }
      assert.deepEqual(named(metrics.text()), ["one", "two"]);

      // A broken file changes nothing, and is told with what is wrong with it.
      await all.say("[");
      await all.passUntil(() => failures.length === 1);
      recovered.length = 0;
      assert.deepEqual([failures[0]?.source, failures[0]?.info?.attempt], [file, 1]);
      assert.match(failures[0]?.error.message ?? "", /^Cannot read '.*' as it is not JSON/);
      await writeFile(join(one, "b"), "");
      await all.passUntil(() => events.length === 3);
      assert.ok(!recovered.includes(file));

      await all.say([one]);
      await all.passUntil(() => notes.length === 2);
      assert.deepEqual(notes[1], `${file}: 1 target`);
      assert.ok(recovered.includes(file));
      await all.passUntil(() => [...watch.watched()].length === 1);
      assert.deepEqual(named(metrics.text()), ["one"]);
      assert.equal(all.ends(), 0);

      await all.say([]);
      await all.passUntil(() => notes.length === 3);
      assert.deepEqual(notes[2], `${file}: 0 targets`);
      ending.abort();
      assert.equal(await done, true);
      assert.equal(events.length, 3);
      // The next run continues where this one stopped.
      assert.notEqual(await all.checkpoint.load(pathToFileURL(two).href), undefined);
    }),
);

test(
  "a file that is broken from the start ends all",
  options,
  (t) =>
    withSources(t, [], async ({ say, watch, failures, ends }) => {
      await say([{ target: "a", intervall: 5 }]);
      assert.equal(await watch.run(), false);
      assert.deepEqual([failures.length, failures[0]?.info, ends()], [1, undefined, 1]);
      assert.match(failures[0]?.error.message ?? "", /^Cannot read '.*' as there is no such field/);
    }),
);

test(
  "told to wait, it waits for a file",
  options,
  (t) =>
    withSources(t, ["--wait"], async ({ folder, file, say, watch, failures, ...all }) => {
      const done = watch.run();
      await all.passUntil(() => failures.length === 2);
      // A look each second, however often it has failed.
      assert.deepEqual(failures.map(({ source, info }) => [source, info?.attempt]), [
        ...[[file, 1], [file, 2]],
      ]);
      assert.ok(failures.every(({ info }) => info !== undefined && info.wait <= 1_000));
      await say([join(folder, "one")]);
      await all.passUntil(() => all.events.length === 1);
      all.ending.abort();
      assert.deepEqual([await done, all.ends()], [true, 0]);
    }),
);

test(
  "a target that is there twice is refused",
  options,
  (t) =>
    withSources(t, [], async ({ folder, say, watch, failures }) => {
      const target = join(folder, "one");
      await say([target, { target, interval: "5s" }]);
      assert.equal(await watch.run(), false);
      assert.match(
        failures[0]?.error.message ?? "",
        /^Cannot read '.*' as 'file:.*' is there twice$/,
      );
    }),
);

test(
  "a source fails and recovers by itself",
  options,
  (t) =>
    withSources(t, ["-i", "1s"], async ({ folder, say, watch, failures, recovered, ...all }) => {
      const missing = join(folder, "three");
      const { href: name } = pathToFileURL(missing);
      await say([missing]);
      const done = watch.run();
      await all.passUntil(() => failures.length === 1);
      const [{ source, info } = { source: "", info: undefined }] = failures;
      assert.deepEqual([source, info?.attempt], [name, 1]);
      assert.ok(!recovered.includes(name));
      assert.match(all.metrics.text(), /outcome="failed".*three.*\} 1\n/);
      await mkdir(missing);
      await writeFile(join(missing, "a"), "");
      await all.passUntil(() => all.events.length === 1);
      await all.passUntil(() => recovered.includes(name));
      assert.equal(all.events[0]?.source, name);
      all.ending.abort();
      assert.deepEqual([await done, all.ends()], [true, 0]);
    }),
);

test(
  "each target has its own filter and interval",
  options,
  (t) =>
    withSources(t, ["-i", "1h"], async ({ folder, say, watch, events, ...all }) => {
      const one = join(folder, "one");
      const keys = () => events.map(({ event: { item } }) => (item as { key: string }).key);
      await say([{ target: one, interval: 1, filter: "b" }, join(folder, "two")]);
      const done = watch.run();
      await all.passUntil(() => events.length === 1);
      assert.deepEqual(keys(), ["a"]);
      await writeFile(join(one, "b"), "");
      await all.passUntil(() => events.length === 2);
      assert.deepEqual(keys(), ["a", "b"]);
      // Another filter makes it another source.
      await say([{ target: one, interval: 1, filter: "c" }, join(folder, "two")]);
      await writeFile(join(one, "c"), "");
      await all.passUntil(() => keys().includes("c"));
      all.ending.abort();
      assert.equal(await done, true);
    }),
);

test(
  "an event that no attempt can handle makes it end as a failure",
  options,
  (t) =>
    withSources(t, ["--exec", "echo {key}"], async ({ folder, say, watch, notes, ...all }) => {
      await writeFile(join(folder, "one", "-rf"), "");
      await say([{ target: join(folder, "one"), filter: "-*" }]);
      const done = watch.run();
      await all.passUntil(() => notes.some((note) => /begins with '-'/.test(note)));
      all.ending.abort();
      assert.equal(await done, false);
    }),
);

test(
  "if all is to end already, it ends at once",
  options,
  (t) =>
    withSources(t, [], async ({ folder, say, watch, ending, events, failures }) => {
      await say([join(folder, "one")]);
      ending.abort();
      assert.equal(await watch.run(), true);
      assert.deepEqual([events, failures], [[], []]);
    }),
);
