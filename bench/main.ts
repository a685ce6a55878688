/**
 * Runs all benchmarks, each as a process of its own, and prints one table of their results: `deno task bench`.
 *
 * Run: `deno run -A bench/main.ts [--smoke] [part…]`. It fails if a part fails, or misses a budget in a full run.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { cpus, platform, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { commandFor, printTable, type Row, RUNTIME, SMOKE } from "./_harness.ts";
import { HERE, npmPlaces, type Place } from "./_places.ts";

/** How long one run may take, in seconds. */
const LIMIT = SMOKE ? 60 : 300;

type Args = readonly string[];

/** The runs of a part, each with its arguments. Any other part has one run, without arguments. */
const RUNS: Readonly<Record<string, readonly Args[]>> = {
  s3_listing: SMOKE ? [[], ["minio"]] : [[], ["50000", "20", "100"], ["minio"]],
};
/** The parts that also run on Node and Bun, and their arguments: less work where that is enough. */
const EVERYWHERE: Readonly<Record<string, Args>> = {
  azure_listing: ["10000"],
  gcs_listing: ["20000"],
  http_304: [],
  s3_listing: ["30000", "0", "100"],
  stream: [],
};

const began = performance.now();
const asked = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const parts = readdirSync(HERE.folder)
  .filter((name) => /^[a-z]\w*\.ts$/.test(name) && name !== "main.ts")
  .map((name) => name.slice(0, -3))
  .filter((name) => asked.length === 0 || asked.includes(name))
  .sort();

const groups: Record<string, Row[]> = {};
let passed = 0, failed = 0;

for (const part of parts) for (const args of RUNS[part] ?? [[]]) await run(part, args, HERE);
const everywhere = parts.filter((part) => part in EVERYWHERE);
if (!SMOKE && everywhere.length > 0) {
  const project = mkdtempSync(join(tmpdir(), "koprs-external-bench-"));
  try {
    const start = performance.now();
    const places = npmPlaces(project);
    console.log(`the package and its development dependencies by npm (${secondsSince(start)} s)`);
    for (const place of places) {
      for (const part of everywhere) await run(part, EVERYWHERE[part] ?? [], place);
    }
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}
if (parts.length === 0) {
  console.log(`No benchmark is called ${asked.join(" or ")}`);
  failed++;
}

const { length: cores, 0: core } = cpus();
console.log(
  `\n${core?.model.trim()}, ${cores} cores, ${(totalmem() / 1e9).toFixed(0)} GB, ` +
    `${platform()} ${release()}, ${RUNTIME}; ${secondsSince(began)} s in all${
      SMOKE ? "; a small part of the work: no figure counts" : ""
    }\n`,
);
printTable(groups);
// In the same form as the last line of the tests.
console.log(`\n${passed} passed, ${failed} failed, 0 skipped`);
process.exit(failed === 0 ? 0 : 1);

function secondsSince(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}

/** Runs a part, and adds its rows to the table. */
async function run(part: string, args: Args, place: Place): Promise<void> {
  const start = performance.now();
  const { rows, outcome, output } = await runChild(part, args, place);
  console.log(
    `${[part, ...args].join(" ")} on ${place.kind}: ${outcome} (${secondsSince(start)} s)`,
  );
  (groups[part] ??= []).push(...rows);
  if (outcome === "ok") passed++;
  else failed++;
  // A missed budget shows in the table.
  if (rows.length === 0 || outcome.startsWith("failed")) console.log(output.trim());
}

interface Outcome {
  readonly rows: readonly Row[];
  readonly outcome: string;
  readonly output: string;
}

function runChild(part: string, args: Args, place: Place): Promise<Outcome> {
  const [program = "", ...rest] = commandFor(
    `${place.folder}${part}.ts`,
    [...args, "--json"],
    place,
  );
  const child = spawn(program, rest, {
    // A process group of its own, so that a timeout also ends the processes that the program has started.
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
