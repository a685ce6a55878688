// A project as a user of npm has it, with the package that `deno task pack` makes: for tests and benchmarks on Node and Bun.
import { cpSync, existsSync, globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pack } from "./pack.ts";
import { config, must, root } from "./root.ts";

export { config, root };

/** Installs what the package.json of a folder names. */
export function install(folder: string): void {
  const quiet = ["--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
  must("npm", ["install", "--prefer-offline", ...quiet], folder);
}

/** A project outside the repository, with the tarball and the development dependencies installed, and these folders. */
export function prepareProject(project: string, folders: readonly string[] = ["tests"]): void {
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  pack(join(project, "package.tgz"));

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
  dependencies["publint"] ??= "^0.3.25";
  dependencies["@arethetypeswrong/cli"] ??= "^0.18.5";
  writeFileSync(
    join(project, "package.json"),
    JSON.stringify({ private: true, type: "module", dependencies }, null, 2),
  );
  install(project);

  for (const folder of folders) {
    cpSync(join(root, folder), join(project, folder), { recursive: true });
  }
  cpSync(join(root, "deno.json"), join(project, "deno.json"));
  // Programs reach private files by relative paths: give them those of the tarball, so that there is one
  // class of each kind, and what is tested is what ships.
  const packed = join(project, "node_modules", config.name);
  for (
    const file of globSync(["*.ts", "_*/*.ts", "checkpoints/*.ts", "stores/*.ts"], { cwd: root })
  ) {
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

/** The program itself: `npx` costs a second each time, and hides the signals. */
export function locate(runtime: string, cwd: string): string {
  const out = must("npx", ["-y", runtime, "-p", "process.execPath"], cwd, "pipe").trim();
  const path = out.split("\n").at(-1) ?? "";
  if (!existsSync(path)) throw new Error(`Cannot run ${runtime} as npx names no program: ${out}`);
  return path;
}
