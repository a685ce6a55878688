/**
 * Spans and metrics of a watch, through the OpenTelemetry API. Where no SDK is registered the API's own
 * no-op implementation makes all of this nearly free.
 */
import {
  type Attributes,
  context,
  type Counter,
  type Histogram,
  INVALID_TRACEID,
  type MeterProvider,
  metrics,
  type Span,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { VERSION } from "./version.ts";

const SCOPE = "@koprs/external";
const SOURCE = "koprs.external.source";
const OUTCOME = "koprs.external.outcome";
const PART = "koprs.external.part";

/** How a poll ended. `changed` and `unchanged` are good polls, all of whose events were handled. */
export type PollOutcome = "changed" | "unchanged" | "failed" | "cancelled";

/** What the gauges read from a live watch whenever a metric reader collects. */
export interface Observed {
  readonly source: string;
  readonly failures: number;
  /** Milliseconds since the epoch of the last good poll, or of the start where there was none. */
  readonly healthyAt: number;
  /** Items whose handler failed and that were not handled since; undefined without handlers. */
  readonly aside: number | undefined;
  /** Milliseconds by which a budget puts off the next poll; undefined without a budget. */
  readonly putOff: number | undefined;
}

const live = new Set<Observed>();

/** Adds a watch to what the gauges report. Returns a function that takes it out again. */
export function observe(watch: Observed): () => void {
  live.add(watch);
  return () => live.delete(watch);
}

/** Counts a handler that has ended. */
export function countHandled(
  source: string,
  outcome: "handled" | "failed",
  totals: boolean,
): void {
  instruments().handled.add(1, { ...(!totals && { [SOURCE]: source }), [OUTCOME]: outcome });
}

/** The telemetry of one poll: a span, and the metrics that are recorded with its end. */
export class PollTelemetry {
  /** Requests made so far. */
  requests = 0;
  /** The part that is polled; undefined for all of the source. */
  readonly part: ExternalPart | undefined;
  readonly #source: string;
  readonly #totals: boolean;
  readonly #startedAt = now();
  readonly #span: Span;
  #endedAt: number | undefined;

  /** @param totals Whether the metrics leave out the name of the source. The span has it. */
  constructor(source: string, totals: boolean, part: ExternalPart | undefined) {
    this.#source = source;
    this.#totals = totals;
    this.part = part;
    // Now and not only at the end: the gauges must also report a first poll that hangs.
    instruments();
    this.#span = trace.getTracer(SCOPE, VERSION).startSpan(`poll ${source}`, {
      startTime: this.#startedAt,
      attributes: { [SOURCE]: source },
    });
  }

  /** Runs `body` with this poll's span as the parent of whatever spans it starts. */
  run<R>(body: () => R): R {
    // Where no SDK is registered there is no parent to hand on.
    if (this.#span.spanContext().traceId === INVALID_TRACEID) return body();
    return context.with(trace.setSpan(context.active(), this.#span), body);
  }

  /**
   * Marks when the poll itself was done. The span is closed later, once the events are handled and their number is
   * known, but the time that a slow consumer takes does not count as part of the poll.
   */
  answered(): void {
    this.#endedAt = now();
  }

  /** Milliseconds that the poll took. */
  get duration(): number {
    return (this.#endedAt ?? now()) - this.#startedAt;
  }

  /** Closes the span and records the metrics. */
  end(outcome: PollOutcome, events: number, error?: ExternalError): void {
    const endedAt = this.#endedAt ?? now();
    const named: Attributes = this.#totals ? {} : { [SOURCE]: this.#source };
    const attributes: Attributes = {
      ...named,
      [OUTCOME]: outcome,
      ...(this.part && { [PART]: true }),
    };
    if (error !== undefined) {
      attributes["error.type"] = error.code;
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      if (error.status !== undefined) {
        this.#span.setAttribute("http.response.status_code", error.status);
      }
    }
    this.#span.setAttributes({
      ...attributes,
      "koprs.external.events": events,
      "koprs.external.requests": this.requests,
    });
    this.#span.end(endedAt);

    const { polls, duration, eventCount, requestCount } = instruments();
    polls.add(1, attributes);
    duration.record((endedAt - this.#startedAt) / 1000, attributes);
    if (events > 0) eventCount.add(events, named);
    if (this.requests > 0) requestCount.add(this.requests, named);
  }
}

// Epoch milliseconds with a fraction, from the monotonic clock: a span must not end before it starts
// because the wall clock was set back.
function now(): number {
  return performance.timeOrigin + performance.now();
}

interface Instruments {
  readonly provider: MeterProvider;
  readonly polls: Counter;
  readonly duration: Histogram;
  readonly eventCount: Counter;
  readonly requestCount: Counter;
  readonly handled: Counter;
}

let current: Instruments | undefined;

// Looked up by provider, since an SDK may be registered after the first watch was made: unlike the
// tracer, the API's meter does not follow a provider that comes later.
function instruments(): Instruments {
  const provider = metrics.getMeterProvider();
  if (current?.provider === provider) return current;
  const meter = provider.getMeter(SCOPE, VERSION);
  meter.createObservableGauge("koprs.external.poll.consecutive_failures", {
    description: "Failed polls in a row; 0 after a good one",
    unit: "{poll}",
  }).addCallback((result) => {
    for (const watch of live) result.observe(watch.failures, { [SOURCE]: watch.source });
  });
  meter.createObservableGauge("koprs.external.poll.last_success.age", {
    description: "Time since the last good poll, or since the watch began where there was none",
    unit: "s",
  }).addCallback((result) => {
    for (const watch of live) {
      result.observe((Date.now() - watch.healthyAt) / 1000, { [SOURCE]: watch.source });
    }
  });
  meter.createObservableGauge("koprs.external.requests.put_off", {
    description: "Time by which the budget of requests puts off the next poll",
    unit: "s",
  }).addCallback((result) => {
    for (const { source, putOff } of live) {
      if (putOff !== undefined) result.observe(putOff / 1000, { [SOURCE]: source });
    }
  });
  meter.createObservableGauge("koprs.external.aside", {
    description: "Items set aside, as a handler failed for them, and not handled since",
    unit: "{item}",
  }).addCallback((result) => {
    for (const { source, aside } of live) {
      if (aside !== undefined) result.observe(aside, { [SOURCE]: source });
    }
  });
  return current = {
    provider,
    polls: meter.createCounter("koprs.external.polls", {
      description: "Polls, by outcome",
      unit: "{poll}",
    }),
    duration: meter.createHistogram("koprs.external.poll.duration", {
      description: "Duration of a poll, without the time its events took to be handled",
      unit: "s",
      advice: {
        explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      },
    }),
    requestCount: meter.createCounter("koprs.external.requests", {
      description: "Requests made, as far as sources count them",
      unit: "{request}",
    }),
    eventCount: meter.createCounter("koprs.external.events", {
      description: "Events handed to the consumer",
      unit: "{event}",
    }),
    handled: meter.createCounter("koprs.external.handled", {
      description: "Handlers that have ended, by outcome",
      unit: "{event}",
    }),
  };
}
