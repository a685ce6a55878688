// What someone downloads who has the repository and wants to see it work.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { config, root } from "./npm/root.ts";

const folder = join(root, "examples");
const skip = process.versions.deno === undefined && "a program of Deno" ||
  existsSync(join(root, "node_modules", config.name)) && "only in the repository itself";

test("the examples have a configuration of their own, which says what deno.json says", {
  skip,
}, () => {
  const { lock, imports } = JSON.parse(readFileSync(join(folder, "deno.json"), "utf8"));
  // With a lock Deno downloads all that it lists, and not what a program imports alone.
  assert.equal(lock, false);
  for (const [name, path] of Object.entries<string>(config.exports)) {
    assert.equal(imports[config.name + name.slice(1)], `.${path}`, name);
  }
  for (const [name, specifier] of Object.entries(imports)) {
    if (!name.startsWith(config.name)) assert.equal(specifier, config.imports[name], name);
  }
});

test(
  "the demonstration downloads the one dependency alone",
  { skip, timeout: 60_000 },
  async (t) => {
    const cache = await mkdtemp(join(tmpdir(), "koprs-external-cache-"));
    t.after(() => rm(cache, { recursive: true }));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["run", "-A", "examples/watch.ts"],
      { cwd: root, env: { ...process.env, DENO_DIR: cache } },
    );
    assert.match(stdout, /That is all/);
    const packages = globSync(["npm/*/*/registry.json", "npm/*/@*/*/registry.json"], {
      cwd: cache,
    });
    assert.equal(packages.length, 1, packages.join(", "));
    assert.match(packages[0] ?? "", /@opentelemetry.api/);
  },
);
