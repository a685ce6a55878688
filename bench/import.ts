/**
 * What `import "@koprs/external"` and each adapter cost: the time of a whole new process that imports it and ends,
 * compared with one that imports an empty module; the modules and bytes loaded; the size of a bundle for a browser; the
 * size of the npm installation.
 *
 * Run: `deno run -A bench/import.ts [--json]`. If npm is installed, Node and Bun take part with the package of
 * `deno task pack`.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle, specifierOf, stopBundling } from "../tests/npm/bundle.ts";
import { pack } from "../tests/npm/pack.ts";
import { config, install, root } from "../tests/npm/project.ts";
import { compare, inTurn, median, report, type Row, run, RUNTIME, SMOKE } from "./_harness.ts";
import { npmPlaces } from "./_places.ts";

const NAME: string = config.name;
const ROUNDS = SMOKE ? 1 : 11;
const ENTRIES = Object.keys(config.exports)
  .map((path) => NAME + path.slice(1))
  .filter((entry) => entry === NAME || entry.includes("/stores/"))
  .filter((entry) => !SMOKE || entry === NAME || entry.endsWith("/s3"));

interface Runtime {
  readonly name: string;
  /** The command that runs a file. */
  readonly command: readonly string[];
  readonly folder: string;
}

/** Measures processes that import one entry each, against one that imports an empty module. */
async function measure(runtime: Runtime, entries: readonly string[]): Promise<Row[]> {
  const other = join(runtime.folder, "empty.mjs");
  writeFileSync(other, "export {};\n");
  const files = [pathToFileURL(other).href, ...entries].map((from, i) => {
    const file = join(runtime.folder, `import_${i}.mjs`);
    writeFileSync(file, `import ${JSON.stringify(from)};\n`);
    return file;
  });
  const [empty = [], ...times] = await inTurn(
    files.map((file) => ({
      name: file,
      expected: 0,
      work: async () => (await run([...runtime.command, file], runtime.folder)).length,
    })),
    ROUNDS,
  );
  return times.map((ours, i): Row => {
    const cost = median(ours) - median(empty);
    const judged = entries[i] === NAME && runtime.name.startsWith("Deno");
    return {
      ...compare({
        what: `process that imports ${entries[i]}, ${runtime.name}`,
        ours,
        rival: empty,
        name: "an empty module",
        unit: "ms",
        sense: "as long",
      }),
      ...(judged && { budget: "≤ 20 ms more", met: cost <= 20 }),
    };
  });
}

interface Graph {
  readonly modules: readonly { readonly specifier: string; readonly size?: number }[];
}

/** What an entry loads, without types: the bytes of this package, and the modules of others. */
async function graphOf(path: string): Promise<{ bytes: number; others: string[] }> {
  const text = await run([process.execPath, "info", "--json", join(root, path)], root);
  const { modules } = JSON.parse(text) as Graph;
  const [own, rest] = [true, false].map((is) =>
    modules.filter(({ specifier }) => specifier.startsWith("file:") === is)
  );
  return {
    bytes: own?.reduce((sum, { size = 0 }) => sum + size, 0) ?? 0,
    others: rest?.map(({ specifier }) => specifier)
      .filter((specifier) => !/^node:|^npm:\/?@opentelemetry\/api@/.test(specifier)) ?? [],
  };
}

/** How many bytes a page loads to watch one HTTP resource. */
async function bundled(): Promise<Row> {
  const names = "watchExternal, HttpPoller";
  const text = await bundle(`export { ${names} } from ${JSON.stringify(specifierOf("."))};`);
  await stopBundling();
  const size = gzipSync(text, { level: 9 }).length;
  return {
    what: `{ ${names} } bundled for a browser, gzip`,
    ours: `${(size / 1000).toFixed(1)} kB`,
    rival: "without @opentelemetry/api",
    budget: "≤ 15 kB",
    met: size <= 15_000,
  };
}

/** Installs only the package, as npm does. */
function installIn(folder: string): void {
  pack(join(folder, "package.tgz"));
  const dependencies = { [NAME]: "file:package.tgz" };
  const manifest = { private: true, type: "module", dependencies };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  install(folder);
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const temporary = mkdtempSync(join(tmpdir(), "koprs-external-import-"));
try {
  const rows: Row[] = [];
  const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(0)} kB`;
  rows.push(
    ...await measure({
      name: RUNTIME,
      command: [process.execPath, "run", "-A", "--no-check", "--config", join(root, "deno.json")],
      folder: temporary,
    }, ENTRIES),
  );
  const graphs = [];
  for (const entry of ENTRIES) {
    graphs.push(await graphOf(config.exports[`.${entry.slice(NAME.length)}`]));
  }
  const foreign = graphs.flatMap(({ others }) => others);
  if (foreign.length > 0) console.error(`Loaded: ${foreign.join(", ")}`);
  rows.push({
    what: "source that each of them loads, in that order",
    ours: graphs.map(({ bytes }) => (bytes / 1000).toFixed(0)).join(", ") + " kB",
    rival: "",
  }, {
    what: "modules of others that any of them loads, beside @opentelemetry/api",
    ours: `${foreign.length}`,
    rival: "",
    budget: "0",
    met: foreign.length === 0,
  });
  rows.push(await bundled());
  const npm = join(temporary, "npm");
  mkdirSync(npm);
  const places = SMOKE ? [] : npmPlaces(npm, () => installIn(npm));
  if (places.length > 0) {
    const [all, other] = ["", "@opentelemetry"].map((name) =>
      sizeOf(join(npm, "node_modules", name))
    );
    rows.push({
      what: "npm: installed; the tarball",
      ours: `${kilobytes(all ?? NaN)}; ${kilobytes(statSync(join(npm, "package.tgz")).size)}`,
      rival: `${kilobytes(other ?? NaN)} of it @opentelemetry/api`,
    });
    for (const { name, program } of places) {
      rows.push(...await measure({ name, command: [program], folder: npm }, [NAME]));
    }
  }
  report(rows);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
