/** Watches the targets of a file as one group, which follows changes of the file. */
import { watchExternal } from "../_watch/external_watch.ts";
import type { ExternalEvent } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { FailureInfo } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import { WatchGroup } from "../_group/watch_group.ts";
import { CollectionPoller } from "../_listing/collection_poller.ts";
import { EventHandler } from "./handler.ts";
import { follow, type Progress } from "./progress.ts";
import { type Entry, prepare, type Prepared, readSources } from "./sources_file.ts";
import type { Watched } from "./status_line.ts";
import { UsageError } from "./usage.ts";
import type { Run } from "./watch_target.ts";

/** Milliseconds between two looks at the file. */
const LOOK = 1_000;

/** An entry, with the name of its source. */
interface Named {
  readonly name: string;
  readonly entry: Entry;
}

interface Source {
  readonly handler: EventHandler;
  readonly progress: Progress;
}

export class SourcesWatch {
  readonly #file: string;
  readonly #run: Run;
  readonly #group: WatchGroup<unknown>;
  readonly #sources = new Map<string, Source>();
  #count = 0;
  #good = true;

  constructor(file: string, run: Run) {
    this.#file = file;
    this.#run = run;
    const { options: { interval }, report, checkpoint } = run;
    this.#group = new WatchGroup({
      interval,
      ...(checkpoint !== undefined && { checkpoint }),
      logger: false, // the report shows failures
      // Only for errors of no source: each source has its own `onError`.
      onError: ({ message }) => report.note(message),
    });
  }

  /** The targets, as of now. */
  *watched(): Generator<Watched, void> {
    for (const [name, status] of this.#group.statuses()) {
      const progress = this.#sources.get(name)?.progress;
      if (progress !== undefined) yield { name, status, progress };
    }
  }

  /** Handles the events until the program is to end. Resolves to whether all went well. */
  async run(): Promise<boolean> {
    const { options: { concurrency, wait }, report, signal, end } = this.#run;
    const group = this.#group;
    const watch = watchExternal(this.#entries(), {
      interval: LOOK,
      maxBackoff: LOOK,
      logger: false,
      onPoll: ({ outcome }) => {
        if (outcome !== "failed") report.recovered(this.#file);
        if (outcome === "changed") report.note(`${this.#file}: ${targets(this.#count)}`);
      },
      onError: (error, info) => {
        const lasting = !wait && watch.status.lastSuccess === undefined;
        report.failure(this.#file, plain(error), lasting ? undefined : info);
        if (!lasting) return;
        this.#good = false;
        end();
      },
    });
    const close = () => {
      watch.close();
      group.close();
    };
    if (signal.aborted) close();
    else signal.addEventListener("abort", close, { once: true });
    const following = group.follow(this.#prepared(watch), (prepared) => this.#make(prepared), {
      key: ({ target }) => target.source.name,
      version: ({ version }) => version,
    });
    await Promise.all([
      following,
      group.handle((event, context) => {
        const source = this.#sources.get(event.source);
        if (source === undefined) throw new Error(`'${event.source}' is not there`);
        return source.handler.handle(event, context);
      }, { concurrency }),
    ]);
    return this.#good;
  }

  /** The file as a source of entries. One bad entry fails the whole file. */
  #entries(): CollectionPoller<Named> {
    const { options } = this.#run;
    let names = new Map<string, string>();
    const list = async (): Promise<Named[]> => {
      const known = names;
      const found = new Map<string, string>();
      const all: Named[] = [];
      for (const entry of await readSources(this.#file)) {
        const text = JSON.stringify(entry);
        // An entry that was found valid before is not prepared again.
        const name = known.get(text) ?? (await prepare(entry, options)).target.source.name;
        if (all.some((other) => other.name === name)) {
          throw new UsageError(`Cannot read '${this.#file}' as '${name}' is there twice`);
        }
        found.set(text, name);
        all.push({ name, entry });
      }
      names = found;
      this.#count = all.length;
      return all;
    };
    return new CollectionPoller<Named>({
      name: this.#file,
      key: ({ name }) => name,
      async *list() {
        yield await list();
      },
    });
  }

  /** The events of the file, each with its target prepared. */
  async *#prepared(
    events: AsyncIterable<ExternalEvent<Named>>,
  ): AsyncGenerator<ExternalEvent<Prepared & { readonly version: string }>, void> {
    for await (const { type, item: { entry } } of events) {
      const version = JSON.stringify(entry);
      yield { type, item: { ...await prepare(entry, this.#run.options), version } };
    }
  }

  #make({ target, options, pace }: Prepared): {
    readonly source: Prepared["target"]["source"];
    readonly options: object;
  } {
    const { report, metrics } = this.#run;
    const { source, store } = target;
    const { name } = source;
    for (const other of this.#sources.keys()) {
      if (this.#group.status(other) === undefined) this.#sources.delete(other);
    }
    const handler = new EventHandler(target, { ...this.#run, options }, () => this.#good = false);
    this.#sources.set(name, { handler, progress: follow(source, store) });
    metrics.watch(name, (): WatchStatus | undefined => this.#group.status(name));
    return {
      source,
      options: {
        ...pace,
        onPoll: (poll: Parameters<typeof metrics.record>[1]) => {
          metrics.record(name, poll);
          if (poll.outcome !== "failed") report.recovered(name);
        },
        onError: (error: ExternalError, info: FailureInfo) => report.failure(name, error, info),
      },
    };
  }
}

/** Drops 'Cannot poll …' from an error of the file, whose message says itself what cannot be done. */
function plain(error: ExternalError): ExternalError {
  const message = error.message.replace(/^Cannot poll '.*?': (?=Cannot )/, "");
  return new ExternalError(error.code, message, { cause: error.cause });
}

function targets(count: number): string {
  return count === 1 ? "1 target" : `${count} targets`;
}
