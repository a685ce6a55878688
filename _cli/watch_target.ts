/** One target, from its first poll to its end. */
import type { FileCheckpointStore } from "../checkpoints/file.ts";
import { type ExternalWatch, watchExternal } from "../_watch/external_watch.ts";
import { EventHandler } from "./handler.ts";
import { isLasting } from "./lasting.ts";
import type { Metrics } from "./metrics.ts";
import { minBackoff, type Options } from "./options.ts";
import { follow, type Progress } from "./progress.ts";
import type { Report } from "./report.ts";
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
  /** Aborted when all targets are to end. */
  readonly signal: AbortSignal;
  /** Ends all targets. */
  readonly end: () => void;
}

export class TargetWatch implements Watched {
  readonly progress: Progress;
  readonly #target: Target;
  readonly #run: Run;
  readonly #watch: ExternalWatch<unknown>;
  readonly #handler: EventHandler;
  #good = true;

  constructor(target: Target, run: Run) {
    this.#target = target;
    this.#run = run;
    this.#handler = new EventHandler(target, run, () => this.#good = false);
    this.progress = follow(target.source, target.store);
    const { options, report, metrics, checkpoint } = run;
    this.#watch = watchExternal(target.source, {
      interval: options.interval,
      minBackoff: minBackoff(options.interval),
      ...(checkpoint !== undefined && { checkpoint }),
      logger: false, // the report shows failures
      onPoll: (poll) => {
        metrics.record(this.name, poll);
        if (poll.outcome !== "failed") report.recovered(this.name);
      },
      onError: (error, info) => {
        const lasting = !options.wait && error.code !== "handler" &&
          this.status.lastSuccess === undefined && isLasting(error);
        const last = options.once || lasting;
        report.failure(this.name, error, last ? undefined : info);
        if (!last) return;
        this.#good = false;
        // One item that fails must not stop the others.
        if (options.once && error.code !== "handler") this.#watch.close();
        else if (lasting) run.end();
      },
    });
    metrics.watch(this.name, () => this.#watch.status);
    const close = () => this.#watch.close();
    if (run.signal.aborted) close();
    else run.signal.addEventListener("abort", close, { once: true });
    // `synced` rejects if the watch is closed before.
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
    const { options: { once, concurrency }, report, signal } = this.#run;
    await this.#watch.handle((event, context) => this.#handler.handle(event, context), {
      concurrency,
    });
    const { lastSuccess, events } = this.status;
    if (once && this.#good && lastSuccess !== undefined && events === 0 && !signal.aborted) {
      await report.unchanged(this.name);
    }
    return this.#good;
  }
}
