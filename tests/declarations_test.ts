// What the documentation of every entry point shows.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { promisify } from "node:util";
import { config, root } from "./npm/root.ts";

const skip = process.versions.deno === undefined && "a program of Deno" ||
  existsSync(join(root, "node_modules", config.name)) && "only in the repository itself";

/** Calls `visit` with every object within a value, and the names on the way to it. */
function walk(
  value: unknown,
  visit: (node: Record<string, unknown>, path: string) => void,
  path = "",
): void {
  if (typeof value !== "object" || value === null) return;
  const node = value as Record<string, unknown>;
  if (!Array.isArray(value)) visit(node, path);
  for (const [key, child] of Object.entries(node)) {
    const { name } = (child ?? {}) as { name?: unknown };
    walk(child, visit, `${path} ${typeof name === "string" ? name : key}`);
  }
}

test(
  "an argument that may be left out is shown as optional",
  { skip, timeout: 60_000 },
  async () => {
    const doors = Object.values<string>(config.exports);
    const { stdout } = await promisify(execFile)(process.execPath, ["doc", "--json", ...doors], {
      cwd: root,
      maxBuffer: 256 * 1024 * 1024,
    });
    let optional = 0;
    walk(JSON.parse(stdout), (node, path) => {
      // `options: X = {}` is printed as `options: X`, and reads as if it were required.
      assert.ok(node.kind !== "assign" || node.left === undefined, `a default in${path}`);
      if (node.kind === "identifier" && node.optional === true) optional++;
    });
    assert.ok(optional > 40, `${optional} optional arguments`);
  },
);
