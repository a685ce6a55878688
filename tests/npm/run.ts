// Runs the tests on Node and Bun, against the npm tarball that `deno pack` makes:
// deno run -A tests/npm/run.ts [--servers] [--prepare] [--project=FOLDER] [node@22] [node@24] [bun@1.4.5]
// It needs npm. --prepare makes the project and runs nothing; --project uses one that is made, or keeps it there.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  createWriteStream,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { countRun, type Counts, format } from "./junit.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const config = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
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
  if (values.prepare || !existsSync(join(project, "node_modules"))) prepare();
  if (!values.prepare) {
    for (const runtime of runtimes) add(await test(runtime));
    console.log(format(total));
  }
} finally {
  if (values.project === undefined) rmSync(project, { recursive: true, force: true });
}
process.exit(total.failed > 0 ? 1 : 0);

/** A project outside the repository, with the tarball and the development dependencies installed. */
function prepare(): void {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  const tarball = join(project, "package.tgz");
  must(process.execPath, ["pack", "--allow-dirty", "--output", tarball], root);

  // npm: imports of deno.json; what the package itself depends on must come by the tarball.
  const dependencies: Record<string, string> = { [config.name]: "file:package.tgz" };
  for (const [name, specifier] of Object.entries<string>(config.imports)) {
    const match = /^npm:(@?[^@]+)@(.+)$/.exec(specifier);
    if (match === null || name === "@opentelemetry/api") continue;
    const [, target, range] = match;
    dependencies[name] = name === target ? `${range}` : `npm:${target}@${range}`;
  }
  dependencies["typescript"] ??= "^5.9.0";
  dependencies["@types/node"] ??= "^22.0.0";
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies }, null, 2),
  );
  must(
    "npm",
    [
      "install",
      "--no-audit",
      "--no-fund",
      "--no-package-lock",
      "--prefer-offline",
      "--loglevel=error",
    ],
    project,
  );

  cpSync(join(root, "tests"), join(project, "tests"), { recursive: true });
  cpSync(join(root, "deno.json"), join(project, "deno.json"));
  // Tests reach private files by relative paths: give them those of the tarball, so that there is one
  // class of each kind, and what is tested is what ships.
  const packed = join(project, "node_modules", config.name);
  for (const file of globSync(["*.ts", "stores/*.ts"], { cwd: root })) {
    const script = file.replace(/\.ts$/, ".js");
    if (!existsSync(join(packed, script))) {
      cpSync(join(root, file), join(project, file)); // not (yet) reached from an export
      continue;
    }
    const target = join(project, file);
    mkdirSync(dirname(target), { recursive: true });
    const from = relative(dirname(target), join(packed, script)).replaceAll("\\", "/");
    writeFileSync(target, `export * from ${JSON.stringify(`./${from}`)};\n`);
  }
}

async function test(runtime: string): Promise<Counts> {
  const start = performance.now();
  console.log(`# ${runtime}, ${values.servers ? "real servers" : "plain"}`);
  const isBun = runtime.startsWith("bun");
  const program = locate(runtime);
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
      "--test-timeout=120000",
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
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${runtime}: ${format(counts)} (${files.length} files, exit code ${code}, ${seconds} s)`,
  );
  return counts;
}

/** The program itself: `npx` costs a second each time, and hides the signals. */
function locate(runtime: string): string {
  const out = must("npx", ["-y", runtime, "-p", "process.execPath"], project, "pipe").trim();
  const path = out.split("\n").at(-1) ?? "";
  if (!existsSync(path)) throw new Error(`Cannot run ${runtime} as npx names no program: ${out}`);
  return path;
}

function run(program: string, args: readonly string[], log: string): Promise<number | null> {
  const child = spawn(program, args, {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      NO_COLOR: "1",
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

function must(
  command: string,
  args: readonly string[],
  cwd: string,
  stdout: "inherit" | "pipe" = "inherit",
): string {
  const { status, error, stdout: out } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", stdout, "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    throw new Error(`Cannot go on as this failed: ${command} ${args.join(" ")}`, { cause: error });
  }
  return out ?? "";
}

function add({ passed, failed, skipped }: Counts): void {
  total = {
    passed: total.passed + passed,
    failed: total.failed + failed,
    skipped: total.skipped + skipped,
  };
}
