/** One target, from its first poll to its end. */
import type { FileCheckpointStore } from "../checkpoints/file.ts";
import type { ExternalEvent } from "../_diff/source.ts";
import { reasonOf } from "../_errors/redact.ts";
import { startTimer } from "../_bounds/timer.ts";
import { type ExternalWatch, watchExternal } from "../_watch/external_watch.ts";
import { UnfitError } from "./command.ts";
import { Contents } from "./contents.ts";
import { execute } from "./exec.ts";
import { isLasting } from "./lasting.ts";
import type { Metrics } from "./metrics.ts";
import type { Options } from "./options.ts";
import { follow, type PollEnd, type Progress } from "./progress.ts";
import { type Report, sizeOf } from "./report.ts";
import type { Screen } from "./screen.ts";
import type { Watched } from "./status_line.ts";
import type { Target } from "./targets.ts";

/** What all targets share. */
export interface Run {
  readonly options: Options;
  readonly screen: Screen;
  readonly report: Report;
  readonly metrics: Metrics;
  readonly checkpoint: FileCheckpointStore | undefined;
  /** Aborted when all is to end. */
  readonly signal: AbortSignal;
  /** Ends all of it. */
  readonly end: () => void;
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 60_000;

export class TargetWatch implements Watched {
  readonly progress: Progress;
  readonly #target: Target;
  readonly #run: Run;
  readonly #watch: ExternalWatch<unknown>;
  readonly #contents: Contents;
  #good = true;

  constructor(target: Target, run: Run) {
    this.#target = target;
    this.#run = run;
    this.#contents = new Contents(target, run.options);
    this.progress = follow(
      target.source,
      target.store,
      (end) => this.#pollEnded(end),
    );
    const { options, report, checkpoint } = run;
    this.#watch = watchExternal(target.source, {
      interval: options.interval,
      ...(checkpoint !== undefined && { checkpoint }),
      logger: false, // the report tells
      onError: (error, info) => {
        const lasting = !options.wait && this.progress.completed === 0 &&
          isLasting(error);
        const last = options.once || lasting;
        report.failure(this.name, error, last ? undefined : info);
        if (!last) return;
        this.#good = false;
        if (options.once) this.#watch.close();
        else run.end();
      },
    });
    run.metrics.watch(this.name, () => this.#watch.status);
    const close = () => this.#watch.close();
    if (run.signal.aborted) close();
    else run.signal.addEventListener("abort", close, { once: true });
    // Rejects when it is closed before.
    if (options.once) this.#watch.synced.then(close, () => {});
  }

  get name(): string {
    return this.#target.source.name;
  }

  get status(): ExternalWatch<unknown>["status"] {
    return this.#watch.status;
  }

  /** Handles the events until the watch ends. Resolves to whether all went well. */
  async run(): Promise<boolean> {
    const { options, report, signal } = this.#run;
    for await (const event of this.#watch) {
      // Left without having been handled, it comes again after a restart.
      if (!(await this.#handle(event))) break;
    }
    const { completed } = this.progress;
    if (
      options.once && this.#good && completed > 0 && this.status.events === 0 &&
      !signal.aborted
    ) {
      await report.unchanged(this.name);
    }
    return this.#good;
  }

  #pollEnded(end: PollEnd): void {
    this.#run.metrics.record(this.name, end);
    if (end.outcome === "changed" || end.outcome === "unchanged") {
      this.#run.report.recovered(this.name);
    }
  }

  /** Handles one event, again and again until it is done. Resolves to whether to go on. */
  async #handle(event: ExternalEvent<unknown>): Promise<boolean> {
    const { report, options, screen, signal } = this.#run;
    let printed = false;
    return await this.#again(event, async () => {
      const done = await this.#contents.take(event, signal);
      if (!printed) await report.event(this.name, event, done);
      printed = true;
      const { command } = options;
      if (command === undefined) return;
      if (
        command.needsFile && done.file === undefined && event.type !== "removed"
      ) return;
      const { item, type } = event;
      const { etag = "" } = item as { readonly etag?: string };
      const facts = {
        type,
        source: this.name,
        size: String(sizeOf(item)),
        etag,
      };
      const { file = "" } = done;
      const key = this.#contents.keyOf(item);
      await execute(command, { ...facts, key, file }, screen, options.json);
    });
  }

  /** Until it no longer throws: the seam where handlers that run side by side come in. */
  async #again(
    event: ExternalEvent<unknown>,
    body: () => Promise<void>,
  ): Promise<boolean> {
    const { options, report, signal } = this.#run;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await body();
        return true;
      } catch (error) {
        const what = `Cannot handle '${this.#contents.keyOf(event.item)}'`;
        const why = reasonOf(error);
        if (error instanceof UnfitError) {
          report.note(`${what} as ${why}: left out`);
          this.#good = false;
          return true;
        }
        const wait = Math.min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT);
        const next = options.once ? "" : ` (attempt ${attempt}, again in ${wait / 1000} s)`;
        report.note(`${what}: ${why}${next}`);
        if (options.once) {
          this.#good = false;
          return false;
        }
        await pause(wait, signal);
      }
    }
    return false;
  }
}

/** Resolves after a while, or when the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = startTimer(ms, done);
    signal.addEventListener("abort", done, { once: true });
  });
}
