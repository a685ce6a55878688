// The places where benchmarks run: here, and on Node and Bun with the package as npm installs it.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { locate, prepareProject } from "../tests/npm/project.ts";
import { RUNTIME, type Runtime } from "./_harness.ts";

const RUNTIMES = [{ kind: "Node", npm: "node@24" }, { kind: "Bun", npm: "bun@1.4.5" }] as const;

/** A place where benchmarks run. */
export interface Place extends Runtime {
  /** The runtime and its version. */
  readonly name: string;
  /** The folder of the benchmarks, with a final slash. */
  readonly folder: string;
}

/** Deno, on the repository. */
export const HERE: Place = {
  kind: "Deno",
  name: RUNTIME,
  program: process.execPath,
  folder: fileURLToPath(new URL("./", import.meta.url)),
};

/**
 * Makes an npm project in a folder, and returns the runtimes that can use it. Prints which ones are left out, and why.
 */
export function npmPlaces(
  project: string,
  prepare: () => void = () => prepareProject(project, ["tests", "bench"]),
): Place[] {
  const leftOut = (what: string, error: unknown) => {
    console.error(`${what} left out: ${error instanceof Error ? error.message : error}`);
    return [];
  };
  try {
    prepare();
  } catch (error) {
    return leftOut("Node and Bun are", error);
  }
  return RUNTIMES.flatMap(({ kind, npm }): Place[] => {
    try {
      const program = locate(npm, project);
      const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
      const name = `${kind} ${stdout.trim().replace(/^v/, "")}`;
      return [{ kind, program, name, folder: join(project, "bench/") }];
    } catch (error) {
      return leftOut(`${kind} is`, error);
    }
  });
}
