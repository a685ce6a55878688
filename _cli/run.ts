/** The program: from a command line to an exit code. */
import process from "node:process";
import { FileCheckpointStore } from "../checkpoints/file.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf, redactText } from "../_errors/redact.ts";
import { VERSION } from "../_watch/version.ts";
import { Metrics, serveMetrics } from "./metrics.ts";
import { type Options, parseOptions } from "./options.ts";
import { jsonReport, lineReport } from "./report.ts";
import { Screen } from "./screen.ts";
import { type Entry, prepare, readSources } from "./sources_file.ts";
import { statusLine } from "./status_line.ts";
import { HELP, UsageError } from "./usage.ts";
import { SourcesWatch } from "./watch_sources.ts";
import { type Run, TargetWatch } from "./watch_target.ts";

const REDRAW = 200;
/** The exit code that a shell reports for a program that SIGINT has ended. */
const INTERRUPTED = 130;

/**
 * Runs the command-line program with these arguments. It writes to standard output and standard
 * error, and ends on SIGINT and SIGTERM.
 *
 * @example
 * ```ts
 * import { run } from "@koprs/external/cli";
 *
 * console.assert(await run(["--version"]) === 0);
 * console.assert(await run(["https://example.com/", "--intervall", "5s"]) === 2); // did you mean --interval?
 * ```
 *
 * @param args The arguments, without the names of the runtime and the program.
 * @returns The exit code: 0 if all went well; 1 if something failed that will not pass by itself,
 * or anything with `--once`; 2 for arguments that are not understood. The process keeps running, as
 * clients of stores keep connections open: pass the code to `process.exit`.
 */
export async function run(args: readonly string[]): Promise<number> {
  const screen = new Screen();
  try {
    const options = parseOptions(args);
    if (options.help) await screen.print(HELP.trimEnd());
    else if (options.version) await screen.print(VERSION);
    else {return await Promise.race([
        watchAll(options, screen),
        screen.closed.then(() => 0),
      ]);}
    return 0;
  } catch (error) {
    screen.note(oneLine(redactText(reasonOf(error)), 400));
    return error instanceof UsageError || error instanceof TypeError ? 2 : 1;
  }
}

async function watchAll(options: Options, screen: Screen): Promise<number> {
  const { targets, sources, once, checkpoint, metrics: address } = options;
  if (targets.length === 0 && sources === undefined) {
    throw new UsageError(
      "Cannot watch as no target is given: a URL, a bucket or a folder; see --help",
    );
  }
  const entries: Entry[] = targets.map((target) => ({ target }));
  if (once && sources !== undefined) entries.push(...await readSources(sources));
  if (new Set(entries.map((entry) => JSON.stringify(entry))).size < entries.length) {
    throw new UsageError("Cannot watch as a target is given twice");
  }
  const found = await Promise.all(entries.map((entry) => prepare(entry, options)));
  const ending = new AbortController();
  const metrics = new Metrics();
  const shared: Run = {
    options,
    screen,
    report: options.json ? jsonReport(screen) : lineReport(screen),
    metrics,
    checkpoint: checkpoint === undefined ? undefined : new FileCheckpointStore(checkpoint),
    signal: ending.signal,
    end: () => ending.abort(),
  };
  const server = address === undefined ? undefined : await serveMetrics(metrics, address);
  const interrupt = () => {
    // The first signal lets events that were found be handled; a second one ends the process at
    // once.
    if (ending.signal.aborted) process.exit(INTERRUPTED);
    ending.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  const watches = found.map(({ target, options }) =>
    new TargetWatch(target, { ...shared, options })
  );
  const group = once || sources === undefined ? undefined : new SourcesWatch(sources, shared);
  const redraw = setInterval(() => {
    if (!screen.live) return;
    const watched = [...watches, ...group?.watched() ?? []];
    screen.show(statusLine(watched, Date.now(), performance.now()));
  }, REDRAW);
  try {
    const good = await Promise.all(
      [...watches, ...group === undefined ? [] : [group]].map((watch) => watch.run()),
    );
    return good.includes(false) ? 1 : 0;
  } finally {
    clearInterval(redraw);
    screen.show("");
    ending.abort();
    server?.close();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}
