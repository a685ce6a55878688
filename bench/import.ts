/**
 * What `import "@koprs/external"` and each adapter cost: the time of a whole new process that imports it and ends, less that
 * of one that imports an empty module; the modules and bytes loaded; the npm installation.
 *
 * Run: `deno run -A bench/import.ts [--json]`. Node and Bun take part where npm is there, by the package of `deno pack`.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { inTurn, median, report, type Row, run, SMOKE } from "./_harness.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const config = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
const NAME: string = config.name;
const ROUNDS = SMOKE ? 1 : 15;
const ENTRIES = Object.keys(config.exports)
  .map((path) => NAME + path.slice(1))
  .filter((entry) => entry === NAME || entry.includes("/stores/"))
  .filter((entry) => !SMOKE || entry === NAME || entry.endsWith("/s3"));

interface Runtime {
  readonly name: string;
  /** Runs a file. */
  readonly command: readonly string[];
  readonly folder: string;
  /** Where the package comes from. */
  readonly specifier: (entry: string) => string;
}

/** The time of a process that imports one of the entries, or nothing. */
async function measure(runtime: Runtime): Promise<{ empty: number; times: Map<string, number> }> {
  const files = ["", ...ENTRIES].map((entry, i) => {
    const file = join(runtime.folder, `import_${i}.mjs`);
    const other = join(runtime.folder, "empty.mjs");
    writeFileSync(other, "export {};\n");
    const from = entry === "" ? pathToFileURL(other).href : runtime.specifier(entry);
    writeFileSync(file, `import ${JSON.stringify(from)};\n`);
    return file;
  });
  const all = await inTurn(
    files.map((file) => ({
      name: file,
      expected: 0,
      work: async () => (await run([...runtime.command, file], runtime.folder)).length,
    })),
    ROUNDS,
  );
  const [empty = NaN, ...rest] = all.map(median);
  return { empty, times: new Map(ENTRIES.map((entry, i) => [entry, rest[i] ?? NaN])) };
}

interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly size?: number }[];
}

/** The modules that an entry loads, types left out. */
async function graphOf(path: string): Promise<{ own: number; bytes: number; others: string[] }> {
  const text = await run([process.execPath, "info", "--json", join(root, path)], root);
  const own: number[] = [];
  const others: string[] = [];
  for (const { specifier, size = 0 } of (JSON.parse(text) as Graph).modules) {
    if (specifier.startsWith("file:")) own.push(size);
    else if (!/^node:|^npm:\/?@opentelemetry\/api@/.test(specifier)) others.push(specifier);
  }
  return { own: own.length, bytes: own.reduce((sum, size) => sum + size, 0), others };
}

/** Installs the package as npm does. Undefined where npm is missing. */
function install(folder: string): string | undefined {
  const tarball = join(folder, "package.tgz");
  const pack = ["pack", "--allow-dirty", "--quiet", "--output", tarball];
  if (spawnSync(process.execPath, pack, { cwd: root }).status !== 0) return undefined;
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  const args = [
    "install",
    "--no-audit",
    "--no-fund",
    "--prefer-offline",
    "--loglevel=error",
    tarball,
  ];
  return spawnSync("npm", args, { cwd: folder }).status === 0 ? tarball : undefined;
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** The program that `npx` gives. */
function programOf(specifier: string): string | undefined {
  const script = "console.log(process.execPath)";
  const { status, stdout } = spawnSync("npx", ["-y", specifier, "-e", script], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim().split("\n").at(-1) : undefined;
}

const temporary = mkdtempSync(join(tmpdir(), "koprs-external-import-"));
try {
  const rows: Row[] = [];
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`;
  const add = async (runtime: Runtime) => {
    const { empty, times } = await measure(runtime);
    for (const [entry, time] of times) {
      const cost = time - empty;
      const sign = cost < 0 ? "−" : "+";
      rows.push({
        what:
          `process that imports ${entry}, ${runtime.name}; rival: an empty module (ours ÷ rival)`,
        ours: `${time.toFixed(1)} ms (${sign}${Math.abs(cost).toFixed(1)})`,
        rival: `${empty.toFixed(1)} ms`,
        ratio: time / empty,
        ...(entry === NAME && runtime.name.startsWith("Deno") && {
          budget: "≤ 20 ms more",
          met: cost <= 20,
        }),
      });
    }
  };
  await add({
    name: `Deno ${process.versions.deno}`,
    command: [process.execPath, "run", "-A", "--no-check", "--config", join(root, "deno.json")],
    folder: temporary,
    specifier: (entry) => entry,
  });
  let foreign = 0;
  for (const entry of ENTRIES) {
    const { own, bytes, others } = await graphOf(config.exports[`.${entry.slice(NAME.length)}`]);
    foreign += others.length;
    if (others.length > 0) console.error(`${entry} loads ${others.join(", ")}`);
    rows.push({
      what: `source that ${entry} loads, comments included`,
      ours: `${kilobytes(bytes)} in ${own} modules`,
      rival: "–",
    });
  }
  rows.push({
    what: "modules loaded by any entry, beside its own, node: and @opentelemetry/api",
    ours: `${foreign}`,
    rival: "–",
    budget: "0",
    met: foreign === 0,
  });
  const npm = join(temporary, "npm");
  mkdirSync(npm);
  const tarball = SMOKE ? undefined : install(npm);
  if (tarball !== undefined) {
    rows.push({
      what: "npm: tarball; installed, with @opentelemetry/api; of that this package",
      ours: `${kilobytes(statSync(tarball).size)}; ${
        kilobytes(sizeOf(join(npm, "node_modules")))
      }; ${kilobytes(sizeOf(join(npm, "node_modules", NAME)))}`,
      rival: "–",
    });
    for (const specifier of ["node@22", "node@24", "bun@1.4.5"]) {
      const program = programOf(specifier);
      if (program === undefined) continue;
      const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
      await add({
        name: `${specifier.startsWith("bun") ? "Bun " : "Node "}${stdout.trim().replace(/^v/, "")}`,
        command: [program],
        folder: npm,
        specifier: (entry) => entry,
      });
    }
  } else if (!SMOKE) {
    console.error("Node and Bun are left out: the package cannot be installed by npm");
  }
  report(rows);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
