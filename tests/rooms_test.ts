// The rooms of the house, and the way that imports may run between them.
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const config = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
// The npm project of tests/npm holds re-exports where the repository holds sources.
const skip = existsSync(join(root, "node_modules", config.name)) && "only in the repository itself";

// From the lowest to the highest: a file imports from its own room and from those before it.
const rooms = [
  "_bytes",
  "_errors",
  "_bounds",
  "_state",
  "_notices",
  "_diff",
  "_http",
  "_listing",
  "_files",
  "_watch",
  "_group",
  "_kubernetes",
  "checkpoints",
  "stores",
  "_conformance",
  "_cli",
  ".",
];

const files = skip
  ? []
  : globSync(["*.ts", "_*/*.ts", "checkpoints/*.ts", "stores/*.ts"], { cwd: root });
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** What a file imports of this package, type-only and dynamic imports included. */
function importsOf(file: string): string[] {
  const code = readFileSync(join(root, file), "utf8").replace(/^\s*(\*|\/\*|\/\/).*$/gm, "");
  return [...code.matchAll(/(?:\bfrom|\bimport\(|\bimport)\s*"(\.[^"]+)"/g)]
    .map(([, path = ""]) => posix.join(posix.dirname(file), path));
}

test("every folder of shipped files is a room", { skip }, () => {
  assert.ok(files.length > 40);
  for (const file of files) assert.ok(rooms.includes(dirname(file)), file);
});

test("imports run one way between the rooms", { skip }, () => {
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const [from, to] = [dirname(file), dirname(target)];
      assert.ok(rooms.indexOf(to) <= rooms.indexOf(from), `${file} imports ${target}`);
      // Doors do not lead to each other, but for the one that opens them all.
      if (to === ".") assert.equal(file, "mod.ts", `${file} imports ${target}`);
    }
  }
});

test("no circle of imports, types included", { skip }, () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `a circle: ${[...path, file].join(" -> ")}`);
    if (done.has(file)) return;
    for (const target of imports.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test("no file has more than 400 lines", { skip }, () => {
  const names = globSync("**/*.ts", { cwd: root, exclude: (name) => name === "node_modules" });
  assert.ok(names.length > 300);
  for (const name of names) {
    const lines = readFileSync(join(root, name), "utf8").split("\n").length - 1;
    assert.ok(lines <= 400, `${name} has ${lines} lines`);
  }
});

test("the task 'test' runs the tests of every room", { skip }, () => {
  const { command } = config.tasks.test;
  const folders = globSync("tests/*/*_test.ts", { cwd: root }).map((file) => dirname(file));
  for (const folder of new Set(folders)) {
    // Those two have runners of their own.
    if (/^tests.(npm|servers|site)$/.test(folder)) continue;
    assert.ok(command.includes(`'${folder}/*_test.ts'`), folder);
  }
});
