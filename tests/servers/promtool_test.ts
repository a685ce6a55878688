// The alert rules, the dashboard and the metrics of the command-line program, read by Prometheus's own tool.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Metrics } from "../../_cli/metrics.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import { root } from "../npm/root.ts";
import { cachedTool, promtool } from "./tools.ts";

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly description: string;
  readonly gridPos: Record<"x" | "y" | "w" | "h", number>;
  readonly targets: readonly { readonly refId: string; readonly expr: string }[];
}

const folder = join(root, "docs/observability");
const tool = await cachedTool(promtool);
const skip = !existsSync(folder)
  ? "only in the repository itself"
  : "missing" in tool && tool.missing;

test("the alert rules are rules, and tell what they should and nothing else", { skip }, () => {
  run(["check", "rules", "alerts.yml"]);
  run(["test", "rules", "alerts_test.yml"]);
});

test("the dashboard asks for what Prometheus understands, each panel in a place of its own", {
  skip,
}, (t) => {
  const { panels } = dashboard();
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  const taken = new Set<string>();
  for (const { title, description, gridPos: { x, y, w, h }, targets } of panels) {
    assert.ok(description.length > 5 && targets.length > 0 && x + w <= 24, title);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        assert.ok(!taken.has(`${column} ${row}`), `${title} covers another`);
        taken.add(`${column} ${row}`);
      }
    }
  }
  // Each query as a rule: what Grafana fills in is filled in.
  const rules = panels.flatMap(({ id, targets }) =>
    targets.map(({ refId, expr }) => ({
      record: `panel:${id}:${refId}`,
      expr: expr.replace(/\$__rate_interval|\$__range/g, "5m").replaceAll("$source", ".*"),
    }))
  );
  const temporary = mkdtempSync(join(tmpdir(), "koprs-external-promtool-"));
  t.after(() => rmSync(temporary, { recursive: true }));
  // JSON is YAML.
  const file = join(temporary, "dashboard.yml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
  assert.match(run(["check", "rules", file]), new RegExp(`${rules.length} rules found`));
});

test("what is served is well-formed, and what is asked for is served", { skip }, () => {
  const metrics = new Metrics();
  const status = { phase: "waiting", polls: 1, events: 1, failures: 0 } as const;
  metrics.watch('s3://"b"\\\n', () => status);
  const error = new ExternalError("network", "Cannot poll");
  const poll = {
    outcome: "failed",
    duration: 200,
    requests: 1,
    events: 0,
    error,
    wait: 1,
  } as const;
  metrics.record('s3://"b"\\\n', poll);
  const text = metrics.text();
  run(["check", "metrics"], text);
  const asked = [readFileSync(join(folder, "alerts.yml"), "utf8"), JSON.stringify(dashboard())]
    .join("\n")
    .match(/\bkoprs_external_(?:poll|event)\w*/g);
  for (const name of new Set(asked)) assert.match(text, new RegExp(`^${name}\\{`, "m"), name);
  for (const name of ["koprs_external_source", "koprs_external_outcome", "error_type"]) {
    assert.ok(text.includes(`${name}="`), name);
  }
});

function dashboard(): { readonly panels: readonly Panel[] } {
  return JSON.parse(readFileSync(join(folder, "dashboard.json"), "utf8"));
}

function run(args: readonly string[], input = ""): string {
  assert.ok("path" in tool);
  const { status, stdout, stderr } = spawnSync(tool.path, args, {
    cwd: folder,
    encoding: "utf8",
    input,
  });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}
