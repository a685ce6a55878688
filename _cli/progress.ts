/** The progress of a source, counted from outside by polls and pages. */
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";
import type { ListOptions, ObjectStore } from "../_listing/object_store.ts";
import { canScan, scanPages } from "../_listing/scanning_store.ts";

/** The counts of one source. */
export class Progress {
  /** When the poll under way began, by `performance.now()`. */
  startedAt: number | undefined;
  /** Requests of the poll under way, or of the last one. */
  requests = 0;
  /** Objects in the pages of the listing under way, or of the last one. */
  listed = 0;
  /** Objects in the last complete listing. */
  known: number | undefined;
}

/**
 * Counts what a source does from now on, while a poll is under way: `onPoll` is called only when a
 * poll has ended. Replaces methods on the source and the store themselves, so that everything else
 * they can do stays as it is.
 */
export function follow(source: ExternalSource<unknown>, store: ObjectStore | undefined): Progress {
  const progress = new Progress();
  const poll = source.poll.bind(source);
  source.poll = async (options: PollOptions): Promise<Iterable<ExternalEvent<unknown>>> => {
    Object.assign(progress, { startedAt: performance.now(), requests: 0, listed: 0 });
    try {
      const events = await poll({
        ...options,
        onRequest() {
          progress.requests++;
          options.onRequest?.();
        },
      });
      if (store !== undefined) progress.known = progress.listed;
      return events;
    } finally {
      progress.startedAt = undefined;
    }
  };
  if (store !== undefined) countPages(store, progress);
  return progress;
}

function countPages(store: ObjectStore, progress: Progress): void {
  const list = store.list.bind(store);
  store.list = async function* (options?: ListOptions) {
    for await (const page of list(options)) {
      progress.listed += page.length;
      yield page;
    }
  };
  if (!canScan(store)) return;
  const scan = store[scanPages].bind(store);
  store[scanPages] = async function* (options?: ListOptions) {
    for await (const page of scan(options)) {
      progress.listed += page.count;
      yield page;
    }
  };
}
