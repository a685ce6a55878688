// Metrics: the text for Prometheus, and the server of it.
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { mock, test, type TestContext } from "node:test";
import { Metrics, serveMetrics } from "../../_cli/metrics.ts";
import { UsageError } from "../../_cli/usage.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import type { WatchStatus } from "../../_watch/status.ts";

const status: WatchStatus = { phase: "waiting", polls: 3, events: 2, failures: 1 };
const good = { outcome: "changed", duration: 10, requests: 1, events: 1, wait: 0 } as const;
const error = new ExternalError("status", "down", { status: 503 });
const bad = { ...good, outcome: "failed", duration: 60_001, error } as const;

/** The lines of one metric. */
function linesOf(metrics: Metrics, name: string): string[] {
  return metrics.text().split("\n").filter((line) => line.startsWith(name));
}

test("polls are counted by outcome, error and source, and by how long they took", () => {
  const metrics = new Metrics();
  metrics.record("s", good);
  metrics.record("s", { ...good, duration: 25 });
  metrics.record("s", bad);
  metrics.record('a"\\\n', good);
  const labels = 'koprs_external_outcome="changed",koprs_external_source="s"';
  const failed = 'koprs_external_outcome="failed",koprs_external_source="s",error_type="status"';
  const escaped = 'koprs_external_outcome="changed",koprs_external_source="a\\"\\\\\\n"';
  assert.deepEqual(linesOf(metrics, "koprs_external_polls_total"), [
    `koprs_external_polls_total{${labels}} 2`,
    `koprs_external_polls_total{${failed}} 1`,
    `koprs_external_polls_total{${escaped}} 1`,
  ]);
  const name = "koprs_external_poll_duration_seconds";
  const bounds = [..."0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30 60".split(" "), "+Inf"];
  const of = (labels: string, counts: number[], sum: number) => [
    ...bounds.map((bound, at) => `${name}_bucket{${labels},le="${bound}"} ${counts[at]}`),
    `${name}_sum{${labels}} ${sum}`,
    `${name}_count{${labels}} ${counts.at(-1)}`,
  ];
  assert.deepEqual(linesOf(metrics, name), [
    ...of(labels, [0, 1, ...Array(12).fill(2)], 0.035),
    ...of(failed, [...Array(13).fill(0), 1], 60.001),
    ...of(escaped, [0, ...Array(13).fill(1)], 0.01),
  ]);
});

test("a source that is watched has its events, its failures and its age", () => {
  const metrics = new Metrics();
  mock.timers.enable({ apis: ["Date"], now: 10_000 });
  try {
    metrics.watch("new", () => status);
    metrics.watch("old", () => ({ ...status, events: 5, failures: 0, lastSuccess: 2_500 }));
    mock.timers.tick(5_000);
    assert.equal(
      metrics.text(),
      `# HELP koprs_external_polls_total Polls, by outcome
# TYPE koprs_external_polls_total counter
# HELP koprs_external_poll_duration_seconds Duration of a poll
# TYPE koprs_external_poll_duration_seconds histogram
# HELP koprs_external_events_total Events handed to the consumer
# TYPE koprs_external_events_total counter
koprs_external_events_total{koprs_external_source="new"} 2
koprs_external_events_total{koprs_external_source="old"} 5
# HELP koprs_external_poll_consecutive_failures Failed polls in a row
# TYPE koprs_external_poll_consecutive_failures gauge
koprs_external_poll_consecutive_failures{koprs_external_source="new"} 1
koprs_external_poll_consecutive_failures{koprs_external_source="old"} 0
# HELP koprs_external_poll_last_success_age_seconds Time since the last good poll, or since the watch began where there was none
# TYPE koprs_external_poll_last_success_age_seconds gauge
koprs_external_poll_last_success_age_seconds{koprs_external_source="new"} 5
koprs_external_poll_last_success_age_seconds{koprs_external_source="old"} 12.5
`,
    );
  } finally {
    mock.timers.reset();
  }
});

test("a source that is not watched any more is forgotten, and no other one", () => {
  const metrics = new Metrics();
  const watched = new Set(["s", "a/s", ",error_type=s"]);
  for (const source of watched) {
    metrics.watch(source, () => watched.has(source) ? status : undefined);
    metrics.record(source, good);
    metrics.record(source, bad);
  }
  assert.equal(linesOf(metrics, "koprs_external_polls_total").length, 6);
  watched.delete("s");
  watched.delete(",error_type=s");
  assert.equal(linesOf(metrics, "koprs_external_polls_total").length, 2);
  assert.equal(linesOf(metrics, "koprs_external_events_total").length, 1);
  // It is not asked about again.
  watched.add("s");
  assert.equal(linesOf(metrics, "koprs_external_events_total").length, 1);
});

async function serving(t: TestContext, metrics: Metrics): Promise<number> {
  const server = await serveMetrics(metrics, { host: "127.0.0.1", port: 0 });
  assert.equal((server.address() as AddressInfo).address, "127.0.0.1");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("they are served at one path", { timeout: 30_000 }, async (t) => {
  const metrics = new Metrics();
  metrics.record("s", good);
  const at = `http://127.0.0.1:${await serving(t, metrics)}`;
  for (const path of ["/metrics", "/metrics?x=/y"]) {
    const response = await fetch(at + path);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(await response.text(), metrics.text());
  }
  for (const path of ["/", "/metrics/", "/x?/metrics"]) {
    const response = await fetch(at + path);
    assert.equal(response.status, 404);
    assert.equal(response.headers.get("content-type"), "text/plain");
    assert.equal(await response.text(), "See /metrics\n");
  }
});

test("a port that is taken is said", { timeout: 30_000 }, async (t) => {
  const port = await serving(t, new Metrics());
  await assert.rejects(serveMetrics(new Metrics(), { host: "127.0.0.1", port }), {
    constructor: UsageError,
    message: new RegExp(`^Cannot serve metrics at port ${port}: .*EADDRINUSE|in use`),
  });
});

test("without a host, they are served at every address", { timeout: 30_000 }, async () => {
  const server = await serveMetrics(new Metrics(), { port: 0 });
  const { address, port } = server.address() as AddressInfo;
  assert.match(address, /^(?:::|0\.0\.0\.0)$/);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 404);
  server.closeAllConnections();
  await once(server.close(), "close");
});
