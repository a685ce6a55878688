// Bundles code of a user for a browser, by esbuild: for a test and a benchmark.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build, stop } from "esbuild";
import { config, root } from "./project.ts";

/** Whether this runs where the package is installed, as a user has it, and not in its repository. */
export const packed: boolean = existsSync(join(root, "node_modules", config.name));

export const DEPENDENCY = "@opentelemetry/api";

/** An entry of the package, as a user or the repository names it. */
export function specifierOf(entry: string): string {
  return packed ? `${config.name}${entry.slice(1)}` : config.exports[entry];
}

/** The bundle of some code. The package's one dependency stays outside, unless it is `whole`. */
export async function bundle(code: string, whole = false): Promise<string> {
  const { outputFiles, warnings } = await build({
    stdin: { contents: code, resolveDir: root },
    bundle: true,
    format: "esm",
    minify: true,
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
    external: whole ? [] : [DEPENDENCY],
  });
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join("; "));
  return outputFiles[0]?.text ?? "";
}

/** Ends the process that esbuild keeps. */
export function stopBundling(): Promise<void> {
  return Promise.resolve(stop());
}
