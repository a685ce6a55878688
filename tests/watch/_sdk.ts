/** A real SDK of OpenTelemetry for the tests, and how to read what it was given. */
import { type Attributes, context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import assert from "node:assert/strict";
import type { Clock } from "./_watch.ts";

export interface Point {
  readonly attributes: Attributes;
  readonly value: unknown;
}

export interface Metric {
  readonly unit: string;
  readonly description: string;
  readonly points: Point[];
}

/** A real SDK, registered as the application would, that keeps what it is given. */
export class Sdk {
  readonly spans = new InMemorySpanExporter();
  // Not cumulative: that repeats the last value of a gauge whose watch has long ended.
  readonly #metrics = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  readonly #meterProvider = new MeterProvider({
    readers: [
      new PeriodicExportingMetricReader({
        exporter: this.#metrics,
        exportIntervalMillis: 3_600_000,
        exportTimeoutMillis: 1_000,
      }),
    ],
  });
  readonly #tracerProvider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter: this.spans })],
  });

  constructor() {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(this.#tracerProvider);
    metrics.setGlobalMeterProvider(this.#meterProvider);
  }

  get polls() {
    return this.spans.getFinishedSpans().filter(({ name }) => name.startsWith("poll "));
  }

  /** Collects. The exporter sets a timer: where the clock is moved by hand, it moves by 1 ms. */
  async collect(clock?: Clock): Promise<Record<string, Metric>> {
    this.#metrics.reset();
    const flushed = this.#meterProvider.forceFlush();
    await clock?.tick(1);
    await flushed;
    const found: Record<string, Metric> = {};
    for (const { scopeMetrics } of this.#metrics.getMetrics()) {
      for (const { scope, metrics } of scopeMetrics) {
        assert.equal(scope.name, "@koprs/external");
        assert.match(scope.version ?? "", /^\d+\.\d+\.\d+/);
        for (const { descriptor: { name, unit, description }, dataPoints } of metrics) {
          found[name] = { unit, description, points: dataPoints };
        }
      }
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    trace.disable();
    metrics.disable();
    context.disable();
    await this.#meterProvider.shutdown();
    await this.#tracerProvider.shutdown();
  }
}

export async function withSdk(body: (sdk: Sdk) => Promise<void>): Promise<void> {
  const sdk = new Sdk();
  try {
    await body(sdk);
  } finally {
    await sdk[Symbol.asyncDispose]();
  }
}

/** The points of a metric that are of a source. */
export function of(metric: Metric | undefined, source: string): Point[] {
  assert.ok(metric !== undefined);
  return metric.points.filter(({ attributes }) => attributes["koprs.external.source"] === source);
}
