// What telemetry tells of handlers: how many have ended, by outcome, and how many items are set aside.
import { metrics } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { storeOf } from "./_handlers.ts";

test("handlers that have ended are counted by outcome, and what is aside is shown", async (t) => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const provider = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter,
        exportIntervalMillis: 3_600_000,
        exportTimeoutMillis: 1_000,
      }),
    ],
  });
  metrics.setGlobalMeterProvider(provider);
  t.after(async () => {
    metrics.disable();
    await provider.shutdown();
  });
  const collect = async () => {
    exporter.reset();
    await provider.forceFlush();
    const found: Record<string, unknown> = {};
    for (const { scopeMetrics } of exporter.getMetrics()) {
      for (const { descriptor: { name }, dataPoints } of scopeMetrics.flatMap((s) => s.metrics)) {
        if (name !== "koprs.external.handled" && name !== "koprs.external.aside") continue;
        found[name] = dataPoints.map(({ attributes, value }) => [attributes, value]);
      }
    }
    return found;
  };

  const store = await storeOf("a", "b", "poison");
  const watch = watchExternal(new ObjectStorePoller(store), { interval: 60_000, logger: false });
  const done = watch.handle(({ item }) => {
    if (item.key === "poison") throw new Error("cannot parse");
  });
  await watch.synced;
  const source = { "koprs.external.source": "memory://" };
  const handled = { ...source, "koprs.external.outcome": "handled" };
  const failed = { ...source, "koprs.external.outcome": "failed" };
  assert.deepEqual(await collect(), {
    "koprs.external.handled": [[handled, 2], [failed, 1]],
    "koprs.external.aside": [[source, 1]],
  });
  watch.close();
  await done;

  // A watch without handlers has nothing aside, and says nothing of it.
  const read = watchExternal(new ObjectStorePoller(store), { interval: 60_000, logger: false });
  for await (const _event of read) {
    assert.equal((await collect())["koprs.external.aside"], undefined);
    break;
  }
});
