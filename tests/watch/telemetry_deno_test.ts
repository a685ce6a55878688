import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { runScript } from "./_script.ts";
import { isDeno } from "./_watch.ts";

interface Attribute {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: string;
    readonly doubleValue?: number;
  };
}

interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes?: readonly Attribute[];
  readonly status?: { readonly code?: number };
}

interface Metric {
  readonly name: string;
  readonly unit?: string;
}

// What OTLP/HTTP posts as JSON, as far as it is looked at here.
interface Export {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly { readonly spans: Span[] }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: Metric[] }[];
  }[];
}

test("T1: Deno's own OpenTelemetry exports the spans and metrics of a watch", {
  skip: isDeno
    ? false
    : "OTEL_DENO is Deno's own: the other runtimes use an SDK, see telemetry_test.ts",
}, async () => {
  const spans: Span[] = [];
  const metrics: Metric[] = [];
  const server = createServer(async (request, response) => {
    if (request.url === "/data") return response.end("data");
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const sent = JSON.parse(await new Blob(chunks as BlobPart[]).text()) as Export;
    for (const { scopeSpans } of sent.resourceSpans ?? []) {
      spans.push(...scopeSpans.flatMap(({ spans }) => spans));
    }
    for (const { scopeMetrics } of sent.resourceMetrics ?? []) {
      metrics.push(...scopeMetrics.flatMap(({ metrics }) => metrics));
    }
    response.setHeader("content-type", "application/json").end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const { code, stdout, stderr } = await runScript(
      `
      import { watchExternal } from "@koprs/external";
      let polls = 0;
      const poll = async ({ onRequest }) => {
        if (++polls === 1) throw new Error("down");
        onRequest();
        await (await fetch("${origin}/data")).text();
        return [{ type: "added", item: polls }];
      };
      for await (const event of watchExternal({ name: "exported", poll }, { interval: 1, logger: false })) {
        if (event.item === 3) break;
      }
      `,
      {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_ENDPOINT: origin,
      },
    );
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
  } finally {
    server.closeAllConnections();
    server.close();
  }

  const polls = spans.filter(({ name }) => name === "poll exported");
  const attribute = (span: Span, name: string) => {
    const value = span.attributes?.find(({ key }) => key === name)?.value;
    return value?.stringValue ?? value?.intValue ?? value?.doubleValue;
  };
  assert.deepEqual(
    polls.map((span) => attribute(span, "koprs.external.outcome")),
    ["failed", "changed", "cancelled"],
  );
  const [failed, changed] = polls;
  assert.equal(failed!.status?.code, 2);
  assert.equal(attribute(failed!, "error.type"), "internal");
  assert.equal(Number(attribute(changed!, "koprs.external.requests")), 1);
  assert.equal(Number(attribute(changed!, "koprs.external.events")), 1);
  assert.ok(
    spans.some(({ name, parentSpanId }) => name === "GET" && parentSpanId === changed!.spanId),
    "the fetch of the poll is a child of its span",
  );
  const units = Object.fromEntries(metrics.map(({ name, unit }) => [name, unit]));
  assert.equal(units["koprs.external.polls"], "{poll}");
  assert.equal(units["koprs.external.poll.duration"], "s");
  assert.equal(units["koprs.external.events"], "{event}");
});
