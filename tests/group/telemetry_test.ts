import { WatchGroup } from "@koprs/external";
import { type Attributes, metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, settle, withClock } from "../watch/_watch.ts";
import { NamedSource } from "./_group.ts";
import { withSdk } from "../watch/_sdk.ts";

interface Point {
  readonly attributes: Attributes;
  readonly value: unknown;
}

/** Every metric that a body leads to, by name. */
async function collected(body: () => Promise<void>): Promise<Record<string, Point[]>> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const provider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  });
  metrics.setGlobalMeterProvider(provider);
  try {
    await body();
    await provider.forceFlush();
    const found: Record<string, Point[]> = {};
    for (const { scopeMetrics } of exporter.getMetrics()) {
      for (const { metrics } of scopeMetrics) {
        for (const { descriptor, dataPoints } of metrics) {
          (found[descriptor.name] ??= []).push(...dataPoints);
        }
      }
    }
    return found;
  } finally {
    metrics.disable();
    await provider.shutdown();
  }
}

for (const telemetry of ["sources", "totals"] as const) {
  test(`T1: a group tells of all its sources, and of each unless told otherwise: ${telemetry}`, async () => {
    const group = new WatchGroup<string>({ interval: 60_000, name: "mine", telemetry });
    const reader = group.getReader();
    const found = await collected(async () => {
      const [a, b, c] = ["a", "b", "c"].map((name) => new NamedSource(name)) as [
        NamedSource,
        NamedSource,
        NamedSource,
      ];
      for (const source of [a, b, c]) group.add(source);
      group.refresh();
      const read = reader.read();
      while (![a, b, c].every(({ isAsked }) => isAsked)) await new Promise((r) => setTimeout(r, 1));
      await a.last.answer(added("1"), added("2"));
      await b.last.answer(added("1"), added("2"));
      await read;
    });
    await reader.cancel();
    await reader.closed;
    const of = (name: string) => found[`koprs.external.${name}`] ?? [];
    const group_ = (name: string) => of(`group.${name}`).map(({ value }) => value);
    assert.deepEqual(group_("sources"), [3]);
    assert.deepEqual(group_("polls"), [1]);
    assert.deepEqual(group_("deliveries"), [1]);
    assert.equal((group_("lag")[0] as { count: number }).count, 3);
    for (const name of ["sources", "polls", "deliveries", "lag"]) {
      assert.deepEqual(of(`group.${name}`)[0]!.attributes, { "koprs.external.group": "mine" });
    }
    const names = Object.values(found).flat().map(({ attributes }) =>
      attributes["koprs.external.source"]
    ).filter((name) => name !== undefined);
    if (telemetry === "totals") assert.deepEqual(names, []);
    else assert.deepEqual([...new Set(names)].toSorted(), ["a", "b", "c"]);
  });
}

test("T1: with totals, polls of all sources are one series of each outcome", async () => {
  const group = new WatchGroup<string>({ interval: 60_000, telemetry: "totals" });
  const reader = group.getReader();
  const found = await collected(async () => {
    const poll = () => Promise.resolve([added("1")]);
    for (const name of ["a", "b", "c"]) group.add({ name, poll });
    group.refresh();
    for (let i = 0; i < 3; i++) await reader.read();
    const read = reader.read();
    await settle();
    await reader.cancel();
    await read;
  });
  const polls = found["koprs.external.polls"]!;
  assert.deepEqual(polls.map(({ attributes, value }) => [attributes, value]), [
    [{ "koprs.external.outcome": "changed" }, 3],
  ]);
});

test("T1: the metrics of a group have units and descriptions, and end with the group", () =>
  withSdk(async (sdk) => {
    const group = new WatchGroup<string>({ interval: 60_000 });
    const unread = new WatchGroup<string>({ interval: 60_000, name: "unread" });
    const reader = group.getReader();
    const source = new NamedSource("a");
    group.add(source);
    unread.add(new NamedSource("b"));
    const read = reader.read();
    while (!source.isAsked) await settle();
    const found = await sdk.collect();
    const names = ["sources", "polls", "deliveries", "lag"];
    const metrics = names.map((name) => found[`koprs.external.group.${name}`]);
    assert.deepEqual(metrics.map((metric) => metric?.unit), [
      "{source}",
      "{poll}",
      "{source}",
      "s",
    ]);
    for (const metric of metrics) {
      assert.notEqual(metric?.description, "");
      assert.equal(metric?.points.length, 1, "a group that nobody reads is not there");
      assert.deepEqual(metric.points[0]?.attributes, { "koprs.external.group": "group" });
    }
    const lag = metrics[3]?.points[0]?.value as { buckets: { boundaries: number[] } };
    assert.deepEqual(
      lag.buckets.boundaries,
      [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60],
    );
    await source.last.answer();
    await reader.cancel();
    await read;
    await unread.cancel();
    const left = await sdk.collect();
    assert.equal(left["koprs.external.group.sources"]?.points.length ?? 0, 0);
  }));

test("T1: the lag of a poll is the seconds between its time and its beginning", () =>
  withSdk((sdk) =>
    withClock(async (clock) => {
      const group = new WatchGroup<string>({ interval: 1_000, jitter: 0, logger: false });
      const source = new NamedSource("a");
      group.add(source);
      await clock.tick(2_500);
      const reader = group.getReader();
      reader.read().catch(() => {});
      await settle();
      await source.last.answer();
      await clock.tick(1_000);
      assert.ok(source.isAsked);
      const found = await sdk.collect(clock);
      const [point] = found["koprs.external.group.lag"]?.points ?? [];
      const { count, min, max } = point?.value as { count: number; min: number; max: number };
      assert.deepEqual([count, min, max], [2, 0, 2.5]);
      await reader.cancel();
    })
  ));
