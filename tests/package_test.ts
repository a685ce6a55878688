// What the package says of itself.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import * as all from "@koprs/external";
import { VERSION } from "../_watch/version.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const config = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
const exports = Object.entries<string>(config.exports);
// The npm project of tests/npm holds re-exports where the repository holds sources.
const notSources = existsSync(join(root, "node_modules", config.name)) &&
  "only in the repository itself";
const notDeno = process.versions.deno === undefined && "needs deno info";

// Where reading and writing files, or registering tests, is the job.
const nodeUsers =
  /^(cli|testing|_cli\/\w*|_kubernetes\/runtime|_listing\/node_request|_conformance\/\w*|_state\/(folder_lock|private_folder)|_files\/\w*|checkpoints\/file|stores\/local)\.ts$/;

interface GraphModule {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly { readonly specifier: string }[];
}

test("the version is the same everywhere", () => {
  assert.match(config.version, /^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/);
  assert.equal(VERSION, config.version);
});

test("every export of deno.json is a file named after it", () => {
  for (const [name, path] of exports) {
    assert.ok(existsSync(join(root, path)), `${name}: ${path}`);
    assert.equal(path, name === "." ? "./mod.ts" : `${name}.ts`);
  }
});

test("every public file is an export", { skip: notSources }, async () => {
  const { readdir } = await import("node:fs/promises");
  const names = [
    ...(await readdir(root)).map((name) => `./${name}`),
    ...(await readdir(join(root, "checkpoints"))).map((name) => `./checkpoints/${name}`),
    ...(await readdir(join(root, "stores"))).map((name) => `./stores/${name}`),
  ].filter((path) => /\/[^_/][^/]*\.ts$/.test(path));
  assert.deepEqual(names.sort(), exports.map(([, path]) => path).sort());
});

test("mod.ts re-exports the whole core", async () => {
  for (const [name] of exports) {
    if (
      name === "." || name === "./testing" || name === "./notifications" ||
      name === "./kubernetes" || name === "./cli" ||
      /^\.\/(checkpoints|stores)\//.test(name)
    ) continue;
    const part = await import(`${config.name}${name.slice(1)}`);
    for (const key of Object.keys(part)) {
      assert.equal(Reflect.get(all, key), part[key], `${key} of ${name}`);
    }
  }
});

test(
  "the package imports @opentelemetry/api alone, and node: modules only where files are its job",
  {
    skip: notDeno || notSources,
    timeout: 60_000,
  },
  async () => {
    // All entry points in one graph: type-only and dynamic imports are in it, too.
    const base = pathToFileURL(root).href;
    const entry = exports.map(([, path]) => `import ${JSON.stringify(new URL(path, base).href)};`);
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["info", "--json", `data:text/typescript,${encodeURIComponent(entry.join("\n"))}`],
      { cwd: root, maxBuffer: 1 << 26 },
    );
    const { modules }: { modules: GraphModule[] } = JSON.parse(stdout);
    assert.ok(modules.length > exports.length);
    for (const { specifier, error, dependencies = [] } of modules) {
      assert.equal(error, undefined, specifier);
      if (!specifier.startsWith(base)) {
        assert.match(specifier, /^(node:|npm:\/?@opentelemetry\/api@|data:)/);
        continue;
      }
      const path = specifier.slice(base.length);
      for (const { specifier } of dependencies) {
        if (specifier.startsWith("node:")) assert.match(path, nodeUsers, specifier);
        else assert.match(specifier, /^(\.\.?\/|@opentelemetry\/api$)/, path);
      }
    }
  },
);
