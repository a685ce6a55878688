#!/usr/bin/env node
/**
 * Watches URLs, buckets and folders from the command line, and prints what changes, keeps copies of it, or runs a program
 * for it.
 *
 *     deno run -A jsr:@koprs/external/cli s3://bucket/prefix --interval 5s
 *     node node_modules/@koprs/external/cli.js ./folder --json
 *
 * `--help` tells the rest. The client of a cloud is loaded when a target needs it, and is no dependency of this package.
 *
 * @example From a program of one's own
 * ```ts
 * import { run } from "@koprs/external/cli";
 *
 * console.assert(await run(["--help"]) === 0);
 * ```
 *
 * @module
 */
import { realpathSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "./_cli/run.ts";

export { run };

/** Whether this is the program and not a part of one. Node 22 does not say so itself. */
function isProgram(): boolean {
  const { main, url } = import.meta as { readonly main?: boolean; readonly url: string };
  if (main !== undefined) return main;
  const [, program] = process.argv;
  return program !== undefined && realpathSync(program) === fileURLToPath(url);
}

if (isProgram()) process.exit(await run(process.argv.slice(2)));
