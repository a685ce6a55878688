/**
 * Watches URLs, buckets and folders from the command line, by the program `@koprs/external/cli`. Without arguments it
 * runs a demonstration that needs nothing else, and ends by itself.
 *
 *     deno run -A examples/watch.ts
 *     deno run -A examples/watch.ts https://host/config --interval 5s --header 'X-Key: v'
 */
import process from "node:process";
import { run } from "@koprs/external/cli";
import { demonstrate } from "./_demo.ts";

const args = process.argv.slice(2);
if (args.length === 0) await demonstrate();
else process.exit(await run(args));
