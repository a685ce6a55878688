// Runs every program of the folders by itself, without arguments or input, and counts those that exit with 0:
// deno run -A tests/each.ts [--timeout=SECONDS] [--quiet] [--npm] <folder>…
// With --npm on Node and Bun, where the package is installed from its tarball.
// Files that start with an underscore are parts of others.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { format } from "./npm/junit.ts";
import { locate, prepareProject } from "./npm/project.ts";

const { values, positionals: folders } = parseArgs({
  options: {
    timeout: { type: "string", default: "60" },
    quiet: { type: "boolean", default: false },
    npm: { type: "boolean", default: false },
  },
  allowPositionals: true,
});
if (folders.length === 0) throw new TypeError("Cannot run programs as no folder is given");

const files = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".ts") && !name.startsWith("_"))
    .sort()
    .map((name) => join(folder, name))
);
let passed = 0, failed = 0;
if (values.npm) {
  const project = mkdtempSync(join(tmpdir(), "koprs-external-each-"));
  try {
    prepareProject(project, ["tests", ...folders]);
    // The oldest Node that is supported: what it runs, newer ones run.
    for (const runtime of ["node@22", "bun@1.4.5"]) {
      await runAll(`${runtime} `, [locate(runtime, project)], project);
    }
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
} else await runAll("", [process.execPath, "run", "-A", "--no-check"], process.cwd());
if (files.length === 0) {
  console.log(`Nothing to run in ${folders.join(", ")}`);
  failed++;
}
console.log(format({ passed, failed, skipped: 0 }));
process.exit(failed === 0 ? 0 : 1);

/** Runs the files, one after the other. */
async function runAll(heading: string, command: readonly string[], cwd: string): Promise<void> {
  for (const path of files) {
    if (!values.quiet) console.log(`# ${heading}${path}`);
    const start = performance.now();
    const { outcome, output } = await run([...command, path], cwd);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    if (outcome === "ok") passed++;
    else failed++;
    if (values.quiet && outcome !== "ok") console.log(output);
    console.log(`${heading}${path}: ${outcome} (${seconds} s)`);
  }
}

function run(
  [program = "", ...args]: readonly string[],
  cwd: string,
): Promise<{ outcome: string; output: string }> {
  const child = spawn(program, args, {
    cwd,
    // A group of its own, so that a time-out ends what the program started, too.
    detached: true,
    stdio: ["ignore", values.quiet ? "pipe" : "inherit", values.quiet ? "pipe" : "inherit"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => output += text);
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      child.kill("SIGKILL");
    }
  }, Number(values.timeout) * 1000);
  return new Promise((resolve) => {
    // Not "close": a process left behind by the program may hold its output open.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      const outcome = late
        ? `failed: still running after ${values.timeout} s`
        : code === 0
        ? "ok"
        : `failed: ${signal ?? `exit code ${code}`}`;
      setTimeout(() => resolve({ outcome, output }), 50);
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      resolve({ outcome: `failed: ${error.message}`, output });
    });
  });
}
