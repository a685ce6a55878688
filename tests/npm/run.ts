// Runs the tests on Node and Bun, against the npm tarball that `deno task pack` makes:
// deno run -A tests/npm/run.ts [--servers] [--prepare] [--project=FOLDER] [node@22] [node@24] [bun@1.4.5]
// It needs npm. --prepare makes the project and runs nothing; --project uses one that is made, or keeps it there.
import { spawn } from "node:child_process";
import { createWriteStream, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { countRun, type Counts, failuresOf, format, readIfAny } from "./junit.ts";
import { config, locate, prepareProject } from "./project.ts";

const { values, positionals } = parseArgs({
  options: {
    servers: { type: "boolean", default: false },
    prepare: { type: "boolean", default: false },
    project: { type: "string" },
  },
  allowPositionals: true,
});
const runtimes = positionals.length > 0 ? positionals : ["node@22", "node@24", "bun@1.4.5"];

const project = values.project === undefined
  ? mkdtempSync(join(tmpdir(), "koprs-external-npm-"))
  : resolve(values.project);
let total: Counts = { passed: 0, failed: 0, skipped: 0 };
try {
  if (values.prepare || !existsSync(join(project, "node_modules"))) {
    prepareProject(project, ["tests", "examples"]);
  }
  if (!values.prepare) {
    for (const runtime of runtimes) add(await test(runtime));
    console.log(format(total));
  }
} finally {
  if (values.project === undefined) rmSync(project, { recursive: true, force: true });
}
process.exit(total.failed > 0 ? 1 : 0);

async function test(runtime: string): Promise<Counts> {
  const start = performance.now();
  console.log(`# ${runtime}, ${values.servers ? "real servers" : "plain"}`);
  const isBun = runtime.startsWith("bun");
  const program = locate(runtime, project);
  const junit = join(project, `${runtime}.xml`);
  rmSync(junit, { force: true });
  // The task names the files, for Deno as for Node and Bun.
  const task: string = config.tasks[values.servers ? "test:servers" : "test"].command;
  const globs = [...task.matchAll(/'([^']*_test\.ts)'/g)].map(([, glob = ""]) => glob);
  if (!values.servers) globs.push("tests/npm/*_test.ts");
  const files = globSync(globs, { cwd: project }).sort().map((file) => `./${file}`);
  const args = isBun
    ? ["test", "--timeout=120000", "--reporter=junit", `--reporter-outfile=${junit}`, ...files]
    : [
      "--test",
      // One file at a time: servers and clocks share two cores.
      "--test-concurrency=1",
      // For all of a file: each test has a bound of its own.
      "--test-timeout=400000",
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=junit",
      `--test-reporter-destination=${junit}`,
      "--disable-warning=ExperimentalWarning",
      ...files,
    ];
  const log = join(project, `${runtime}.log`);
  const code = await run(program, args, log);
  // Only Deno needs the log to be counted.
  const counts = countRun(code, junit, "");
  for (const line of failuresOf(readIfAny(junit))) console.log(line);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${runtime}: ${format(counts)} (${files.length} files, exit code ${code}, ${seconds} s)`,
  );
  return counts;
}

function run(program: string, args: readonly string[], log: string): Promise<number | null> {
  const child = spawn(program, args, {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      NO_COLOR: "1",
      // For tests of what the runtimes do to each other.
      TEST_DENO: process.execPath,
      PATH: dirname(program) + delimiter + (process.env.PATH ?? ""),
    },
  });
  const file = createWriteStream(log);
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes: Uint8Array) => {
      file.write(bytes);
      process.stdout.write(bytes);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // Not only "close": a process left behind by a test may hold the output open.
    child.once("exit", (code) => {
      const end = () => file.end(() => resolve(code));
      const timer = setTimeout(end, 1000);
      child.once("close", () => {
        clearTimeout(timer);
        end();
      });
    });
  });
}

function add({ passed, failed, skipped }: Counts): void {
  total = {
    passed: total.passed + passed,
    failed: total.failed + failed,
    skipped: total.skipped + skipped,
  };
}
