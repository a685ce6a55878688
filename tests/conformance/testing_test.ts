import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { brokenCheckpoints } from "./_broken_checkpoints.ts";
import { brokenSources } from "./_broken_sources.ts";
import { brokenStores } from "./_broken_stores.ts";
import { FaultyStore, storeFixture } from "./_faulty_store.ts";
import { isBun, isDeno } from "../watch/_watch.ts";

testStore("MemoryStore", () => Promise.resolve(storeFixture(new FaultyStore())));

describe("each suite tells what is broken", () => {
  /** By suite and test: whether it failed. */
  let results: Map<string, Map<string, boolean>>;
  before(async () => {
    results = await run(fileURLToPath(new URL("./_broken_run.ts", import.meta.url)));
  });
  const failuresOf = (suite: string): string[] =>
    [...results.get(suite) ?? []].filter(([, failed]) => failed).map(([test]) => test);

  const kinds = { store: brokenStores, source: brokenSources, checkpoint: brokenCheckpoints };
  for (const [kind, cases] of Object.entries(kinds)) {
    for (const { name, fails } of cases) {
      test(`${kind}: ${name}`, () => {
        assert.ok(results.has(`${kind}: ${name}`), "it did not run");
        assert.deepEqual(failuresOf(`${kind}: ${name}`).sort(), [...fails].sort());
      });
    }
    test(`${kind}: every test has failed once`, () => {
      const never = new Set(results.get(`${kind}: nothing`)?.keys());
      assert.ok(never.size > 10);
      for (const { fails } of cases) for (const test of fails) never.delete(test);
      assert.deepEqual([...never], []);
    });
  }
});

/** Runs a test file in a process of its own, on the runtime of this one. */
async function run(file: string): Promise<Map<string, Map<string, boolean>>> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-testing-"));
  try {
    const report = join(folder, "junit.xml");
    const args = isDeno
      ? ["test", "-A", "--no-check", `--junit-path=${report}`, file]
      : isBun
      ? ["test", "--reporter=junit", `--reporter-outfile=${report}`, file]
      : ["--test-reporter=junit", `--test-reporter-destination=${report}`, file];
    // Node's runner tells its children by this variable to report to it.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, args, { stdio: "ignore", timeout: 100_000, env });
    await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve));
    return parse(await readFile(report, "utf8"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function parse(junit: string): Map<string, Map<string, boolean>> {
  const results = new Map<string, Map<string, boolean>>();
  let suite = "";
  const element = /<(testsuite|testcase)\b((?:[^>"]|"[^"]*")*?)(?:\/>|>(?=(\s*<failure\b)?))/g;
  for (const [, kind, attributes = "", failure] of junit.matchAll(element)) {
    const name = unescape(/\bname="([^"]*)"/.exec(attributes)?.[1] ?? "");
    if (kind === "testsuite") {
      suite = name;
      continue;
    }
    // Deno names suite and test in one.
    const parts = name.split(" > ");
    const test = parts.pop() ?? "";
    const of = parts.pop() ?? suite;
    results.set(of, (results.get(of) ?? new Map()).set(test, failure !== undefined));
  }
  return results;
}

function unescape(text: string): string {
  const characters: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => characters[name] ?? "");
}
