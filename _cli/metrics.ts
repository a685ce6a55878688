/**
 * Metrics in the text format of Prometheus. Their names are those that OpenTelemetry's exporter
 * gives the library's metrics.
 */
import { createServer, type Server } from "node:http";
import type { PollInfo } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import type { Address } from "./options.ts";
import { UsageError } from "./usage.ts";

const BOUNDS = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
  60,
];

interface Series {
  readonly source: string;
  readonly labels: string;
  count: number;
  sum: number;
  readonly buckets: number[];
}

interface Watched {
  readonly since: number;
  /** Returns undefined once the source is no longer watched. */
  readonly status: () => WatchStatus | undefined;
}

export class Metrics {
  readonly #polls = new Map<string, Series>();
  readonly #watched = new Map<string, Watched>();

  /** Includes the status of a source from now on. */
  watch(source: string, status: () => WatchStatus | undefined): void {
    this.#watched.set(source, { since: Date.now(), status });
  }

  /** Counts a poll that has ended. */
  record(source: string, { outcome, duration, error }: PollInfo): void {
    const seconds = duration / 1000;
    const labels = label("koprs_external_outcome", outcome) + "," +
      sourceLabel(source) +
      (error === undefined ? "" : "," + label("error_type", error.code));
    let series = this.#polls.get(labels);
    if (series === undefined) {
      series = { source, labels, count: 0, sum: 0, buckets: BOUNDS.map(() => 0) };
      this.#polls.set(labels, series);
    }
    series.count++;
    series.sum += seconds;
    for (const [at, bound] of BOUNDS.entries()) {
      if (seconds <= bound) series.buckets[at] = (series.buckets[at] ?? 0) + 1;
    }
  }

  /** The text with which a request of Prometheus is answered. */
  text(): string {
    const watched = this.#now();
    const polls = [...this.#polls.values()];
    const now = Date.now();
    return [
      ...family("koprs_external_polls_total", "counter", "Polls, by outcome"),
      ...polls.map(({ labels, count }) => `koprs_external_polls_total{${labels}} ${count}`),
      ...family(
        "koprs_external_poll_duration_seconds",
        "histogram",
        "Duration of a poll",
      ),
      ...polls.flatMap(histogram),
      ...family(
        "koprs_external_events_total",
        "counter",
        "Events handed to the consumer",
      ),
      ...watched.map(({ source, status }) =>
        `koprs_external_events_total{${sourceLabel(source)}} ${status.events}`
      ),
      ...family(
        "koprs_external_poll_consecutive_failures",
        "gauge",
        "Failed polls in a row",
      ),
      ...watched.map(({ source, status }) =>
        `koprs_external_poll_consecutive_failures{${sourceLabel(source)}} ${status.failures}`
      ),
      ...family(
        "koprs_external_poll_last_success_age_seconds",
        "gauge",
        "Time since the last good poll, or since the watch began where there was none",
      ),
      ...watched.map(({ source, since, status }) => {
        const age = (now - (status.lastSuccess ?? since)) / 1000;
        return `koprs_external_poll_last_success_age_seconds{${sourceLabel(source)}} ${age}`;
      }),
      "",
    ].join("\n");
  }

  /** The status of every source that is still watched. Forgets the others. */
  #now(): { source: string; since: number; status: WatchStatus }[] {
    const all = [];
    for (const [source, { since, status: statusOf }] of this.#watched) {
      const status = statusOf();
      if (status !== undefined) all.push({ source, since, status });
      else {
        this.#watched.delete(source);
        this.#forget(source);
      }
    }
    return all;
  }

  #forget(source: string): void {
    for (const [labels, series] of this.#polls) {
      if (series.source === source) this.#polls.delete(labels);
    }
  }
}

/** Serves the metrics until the server is closed. */
export function serveMetrics(
  metrics: Metrics,
  { host, port }: Address,
): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.replace(/\?.*$/s, "");
    if (path !== "/metrics") {
      response.writeHead(404, { "content-type": "text/plain" }).end(
        "See /metrics\n",
      );
      return;
    }
    response.writeHead(200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    })
      .end(metrics.text());
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new UsageError(
          `Cannot serve metrics at port ${port}: ${error.message}`,
        ),
      );
    });
    server.listen({ port, ...(host !== undefined && { host }) }, () => {
      // The server alone must not keep the process running.
      server.unref();
      resolve(server);
    });
  });
}

function family(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function histogram({ labels, count, sum, buckets }: Series): string[] {
  const name = "koprs_external_poll_duration_seconds";
  return [
    ...BOUNDS.map((bound, at) => `${name}_bucket{${labels},le="${bound}"} ${buckets[at]}`),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${sum}`,
    `${name}_count{${labels}} ${count}`,
  ];
}

function sourceLabel(source: string): string {
  return label("koprs_external_source", source);
}

function label(name: string, value: string): string {
  const escaped = value.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(
    /\n/g,
    "\\n",
  );
  return `${name}="${escaped}"`;
}
