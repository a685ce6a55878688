// The npm package that `deno task pack` makes, as Node and Bun see it. tests/npm/run.ts sets the project up.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const project = fileURLToPath(new URL("../../", import.meta.url));
const config = JSON.parse(readFileSync(join(project, "deno.json"), "utf8"));
const packed = join(project, "node_modules", config.name);
const skip = existsSync(packed) ? false : "runs in the project that tests/npm/run.ts makes";
const exports = Object.entries<string>(config.exports);

test("the package depends on @opentelemetry/api alone", { skip }, () => {
  const manifest = readManifest();
  assert.deepEqual(Object.keys(manifest.dependencies), ["@opentelemetry/api"]);
  for (const field of ["peerDependencies", "optionalDependencies", "bundledDependencies"]) {
    assert.equal(manifest[field], undefined, field);
  }
  assert.equal(manifest.scripts, undefined);
});

test("the package has the name, version and exports of deno.json", { skip }, () => {
  const manifest = readManifest();
  assert.equal(manifest.name, config.name);
  assert.equal(manifest.version, config.version);
  assert.equal(manifest.license, config.license);
  assert.equal(manifest.type, "module");
  const expected = exports.map(([name, path]) => {
    const stem = path.replace(/\.ts$/, "");
    return [name, { types: `${stem}.d.ts`, import: `${stem}.js`, default: `${stem}.js` }];
  });
  assert.deepEqual(manifest.exports, Object.fromEntries(expected));
});

test("the package has the files it should have, and no other", { skip }, () => {
  const found = globSync("**/*", { cwd: packed, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(packed.length + 1))
    .map((file) => file.replaceAll("\\", "/"));
  const sources = globSync(["*.ts", "_*/*.ts", "checkpoints/*.ts", "stores/*.ts"], {
    cwd: project,
  });
  const stems = sources.map((file) => file.replaceAll("\\", "/").replace(/\.ts$/, ""));
  const required = [
    "package.json",
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    ...stems.map((stem) => `${stem}.js`),
    ...exports.map(([, path]) => path.slice(2).replace(/\.ts$/, ".d.ts")),
  ];
  // A private file has declarations only where a public one needs them.
  const allowed = [...required, ...stems.map((stem) => `${stem}.d.ts`)];
  assert.deepEqual(required.filter((file) => !found.includes(file)).sort(), [], "missing");
  assert.deepEqual(found.filter((file) => !allowed.includes(file)).sort(), [], "unexpected");
});

for (const [name] of exports) {
  const specifier = join(config.name, name).replaceAll("\\", "/");
  test(`${specifier} imports`, { skip }, async () => {
    assert.ok(import.meta.resolve(specifier).includes("/node_modules/"), "from the tarball");
    const module = await import(specifier);
    assert.equal(module.default, undefined);
    // An entry point of types alone has nothing to show.
    if (name === ".") assert.ok(Object.keys(module).includes("watchExternal"));
  });
}

interface Consumer {
  readonly name: string;
  readonly file: string;
  readonly module: string;
  readonly lib: readonly string[];
  readonly types: readonly string[];
  /** Without the types that the declarations name, they can be used, and not checked. */
  readonly unchecked?: true;
}

const consumers: readonly Consumer[] = [
  {
    name: "preserve, the web's types without those of its async iterators",
    file: "web",
    module: "preserve",
    lib: ["esnext", "dom", "dom.iterable"],
    types: [],
  },
  {
    name: "nodenext, types of Node",
    file: "nodenext",
    module: "nodenext",
    lib: ["esnext"],
    types: ["node"],
  },
  {
    name: "bundler, types of the web",
    file: "bundler",
    module: "preserve",
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    types: [],
  },
  {
    name: "nodenext, types of the web and of Node",
    file: "both",
    module: "nodenext",
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    types: ["node"],
  },
  {
    name: "bundler, types of a worker",
    file: "worker",
    module: "preserve",
    lib: ["esnext", "webworker", "webworker.iterable", "webworker.asynciterable"],
    types: [],
  },
  {
    name: "nodenext, types of neither",
    file: "neither",
    module: "nodenext",
    lib: ["esnext"],
    types: [],
    unchecked: true,
  },
];
for (const { name, file, module, lib, types, unchecked = false } of consumers) {
  test(`the declarations check under TypeScript: ${name}`, {
    skip: skip || (process.versions.bun !== undefined && "once, on Node"),
    timeout: 120_000,
  }, () => {
    const moduleResolution = module === "preserve" ? "bundler" : module;
    const path = join(project, `tsconfig.${file}.json`);
    writeFileSync(
      path,
      JSON.stringify({
        compilerOptions: {
          noEmit: true,
          strict: true,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          verbatimModuleSyntax: true,
          skipLibCheck: unchecked,
          target: "es2022",
          module,
          moduleResolution,
          lib,
          types,
        },
        files: [
          `tests/npm/${unchecked ? "consumer_plain" : "consumer"}.ts`,
          "tests/npm/entries.ts",
        ],
      }),
    );
    // Every entry point, whether or not the consumer uses it.
    const imports = exports.map(([name]) =>
      `import ${JSON.stringify(config.name + name.slice(1))};\n`
    );
    writeFileSync(join(project, "tests/npm/entries.ts"), imports.join(""));
    const tsc = join(project, "node_modules/typescript/bin/tsc");
    const { status, stdout, stderr } = spawnSync(process.execPath, [tsc, "-p", path], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout + stderr);
  });
}

const checkers = [
  { name: "publint", args: ["publint/src/cli.js", "run", "package.tgz", "--strict"] },
  {
    name: "attw",
    // For ES modules alone: `require` takes them on Node 22, which attw does not know.
    args: ["@arethetypeswrong/cli/dist/index.js", "package.tgz", "--profile", "esm-only"],
  },
];
for (const { name, args: [program = "", ...args] } of checkers) {
  test(`${name} finds nothing wrong`, {
    skip: skip || (process.versions.bun !== undefined && "once, on Node"),
    timeout: 120_000,
  }, () => {
    const path = join(project, "node_modules", program);
    const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], {
      cwd: project,
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout + stderr);
  });
}

test("the package says what it is, and where it runs", { skip }, () => {
  const manifest = readManifest();
  assert.match(manifest.description, /^\S.{20,}$/);
  assert.ok(manifest.keywords.length > 5);
  assert.deepEqual(manifest.engines, { node: ">=22" });
  assert.equal(manifest.sideEffects, false);
  assert.deepEqual(manifest.bin, { "koprs-external": "./cli.js" });
});

test("an installed program is in the folder of programs, and runs", { skip }, () => {
  const program = join(project, "node_modules/.bin/koprs-external");
  const { status, stdout } = spawnSync(process.execPath, [program, "--version"], {
    encoding: "utf8",
  });
  assert.deepEqual({ status, stdout }, { status: 0, stdout: `${config.version}\n` });
});

test("the package holds no source twice", { skip }, () => {
  for (const file of globSync("**/*.js", { cwd: packed })) {
    assert.doesNotMatch(readFileSync(join(packed, file), "utf8"), /sourceMappingURL/, file);
  }
});

function readManifest() {
  return JSON.parse(readFileSync(join(packed, "package.json"), "utf8"));
}
