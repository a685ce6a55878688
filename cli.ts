#!/usr/bin/env node
/**
 * Watches URLs, buckets and folders from the command line: prints the changes, keeps copies of the content, or runs a
 * program for each change.
 *
 *     deno run -A jsr:@koprs/external/cli s3://bucket/prefix --interval 5s
 *     node node_modules/@koprs/external/cli.js ./folder --json
 *
 * `--help` lists the options. The SDK of a cloud is loaded only when a target needs it; it is not a dependency of this
 * package.
 *
 * @example Called from your own program
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

/** Whether this file was started as the program, and not imported. Node 22 has no `import.meta.main`. */
function isProgram(): boolean {
  const { main, url } = import.meta as { readonly main?: boolean; readonly url: string };
  if (main !== undefined) return main;
  const [, program] = process.argv;
  return program !== undefined && realpathSync(program) === fileURLToPath(url);
}

if (isProgram()) process.exit(await run(process.argv.slice(2)));
