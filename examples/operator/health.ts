/** What Kubernetes and Prometheus ask a replica: whether it is alive, whether it is ready, and its metrics. */
import { createServer, type Server } from "node:http";
import type { Operator } from "./operator.ts";

/** Serves `/healthz`, `/readyz` and `/metrics`. */
export async function serveHealth(operator: Operator, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string) => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
    };
    switch (request.url) {
      // Any answer says that it is alive, also if it cannot reach the API server: a restart would not help.
      case "/healthz":
        return answer(200, "ok\n");
      case "/readyz":
        return operator.isReady ? answer(200, "ok\n") : answer(503, "not ready\n");
      case "/metrics":
        return answer(200, metricsOf(operator));
      default:
        return answer(404, "not found\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, resolve);
  });
  return server;
}

/** The metrics in the text format of Prometheus: no series per source, as the number of sources is not bounded. */
function metricsOf(operator: Operator): string {
  let [sources, failing, aside, polls, oldest] = [0, 0, 0, 0, 0];
  const now = Date.now();
  for (const [, status] of operator.statuses()) {
    sources++;
    polls += status.polls;
    aside += status.aside ?? 0;
    if (status.failures > 0) failing++;
    const { lastSuccess } = status;
    if (lastSuccess !== undefined) oldest = Math.max(oldest, now - lastSuccess);
  }
  const { changes, failures } = operator.totals;
  const lines = [
    ["external_operator_sources", "gauge", "Sources that this replica polls", sources],
    ["external_operator_failing", "gauge", "Sources whose last poll failed", failing],
    ["external_operator_aside", "gauge", "Items that could not be applied yet", aside],
    ["external_operator_polls", "gauge", "Polls of the sources it has now", polls],
    [
      "external_operator_oldest_success_seconds",
      "gauge",
      "Since the last good poll of the source that waits longest",
      oldest / 1000,
    ],
    ["external_operator_changes_total", "counter", "Changes of ConfigMaps", changes],
    ["external_operator_failures_total", "counter", "Failed polls, saves and applies", failures],
    ["external_operator_ready", "gauge", "Whether it is ready", operator.isReady ? 1 : 0],
  ];
  return lines.map(([name, type, help, value]) =>
    `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`
  ).join("");
}
