/**
 * All benchmarks, each as a process of its own, and one table of what they found: `deno task bench`.
 *
 * Run: `deno run -A bench/main.ts [--smoke] [part…]`. It fails if a part fails, or misses a budget in a full run.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { printTable, type Row, RUNTIME, SMOKE } from "./_harness.ts";

/** How a part is run where it is not just its name: more than once, or with less work than by itself. */
const RUNS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  azure_listing: SMOKE ? [[]] : [["100000"]],
  s3_listing: SMOKE ? [[]] : [[], ["150000", "50"]],
  snapshot: SMOKE ? [[]] : [["500000"]],
};
/** Seconds for one run. */
const LIMIT = SMOKE ? 60 : 300;

const folder = fileURLToPath(new URL("./", import.meta.url));
const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const parts = readdirSync(folder)
  .filter((name) => name.endsWith(".ts") && !name.startsWith("_") && name !== "main.ts")
  .map((name) => name.slice(0, -3))
  .filter((name) => asked.length === 0 || asked.includes(name))
  .sort();

const rows: Row[] = [];
let passed = 0, failed = 0;
for (const part of parts) {
  for (const args of RUNS[part] ?? [[]]) {
    const start = performance.now();
    const { rows: found, outcome, output } = await run(part, args);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${[part, ...args].join(" ")}: ${outcome} (${seconds} s)`);
    rows.push(...found);
    if (outcome === "ok") passed++;
    else {
      failed++;
      // A budget that is missed shows in the table.
      if (found.length === 0) console.log(output);
    }
  }
}
if (parts.length === 0) {
  console.log(`No benchmark is called ${asked.join(" or ")}`);
  failed++;
}
const { length: cores, 0: core } = cpus();
console.log(
  `\n${core?.model.trim()}, ${cores} cores, ${(totalmem() / 1e9).toFixed(0)} GB, ` +
    `${platform()} ${release()}, ${RUNTIME}${
      SMOKE ? ", a small part of the work: no figure counts" : ""
    }\n`,
);
if (rows.length > 0) printTable(rows);
// As the tests count theirs.
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed === 0 ? 0 : 1);

interface Outcome {
  readonly rows: readonly Row[];
  readonly outcome: string;
  readonly output: string;
}

function run(part: string, args: readonly string[]): Promise<Outcome> {
  const path = `${folder}${part}.ts`;
  const command = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", path, "--json", ...args];
  const child = spawn(process.execPath, command, {
    // A group of its own, so that a time-out ends what the program started, too.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: SMOKE ? { ...process.env, BENCH_SMOKE: "1" } : process.env,
  });
  let output = "", errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      child.kill("SIGKILL");
    }
  }, LIMIT * 1000);
  return new Promise((resolve) => {
    child.once("error", (error) => errors += error.message);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      const lines = output.split("\n").filter((line) => line.startsWith("{"));
      const rows = lines.map((line): Row => JSON.parse(line));
      const outcome = late
        ? `failed: still running after ${LIMIT} s`
        : code === 0
        ? "ok"
        : rows.some(({ met }) => met === false)
        ? "a budget is missed"
        : `failed: ${signal ?? `exit code ${code}`}`;
      resolve({ rows, outcome, output: output + errors });
    });
  });
}
