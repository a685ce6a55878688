/** How far a source is: seen from outside, poll by poll and page by page. */
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ListOptions, ObjectStore } from "../_listing/object_store.ts";
import { canScan, scanPages } from "../_listing/scan.ts";

/** One poll that is over. */
export interface PollEnd {
  readonly outcome: "changed" | "unchanged" | "failed" | "cancelled";
  /** Until it had its answer, without the time that its events took. */
  readonly seconds: number;
  readonly events: number;
  /** The code of the error. */
  readonly error?: string;
}

/** The counts of one source. */
export class Progress {
  /** When the poll under way began, by `performance.now()`. */
  startedAt: number | undefined;
  /** Requests of the poll under way, or of the last one. */
  requests = 0;
  /** Objects in the pages of the listing under way, or of the last one. */
  listed = 0;
  /** Objects in the last whole listing. */
  known: number | undefined;
  /** Polls whose events were all read. */
  completed = 0;
}

/**
 * Counts what a source does from here on. Its methods are replaced on the object itself, so that all else that it can do
 * stays as it is.
 */
export function follow(
  source: ExternalSource<unknown>,
  store: ObjectStore | undefined,
  onEnd: (end: PollEnd) => void,
): Progress {
  const progress = new Progress();
  const poll = source.poll.bind(source);
  source.poll = async (
    options: PollOptions,
  ): Promise<Iterable<ExternalEvent<unknown>>> => {
    const startedAt = performance.now();
    Object.assign(progress, { startedAt, requests: 0, listed: 0 });
    const elapsed = () => (performance.now() - startedAt) / 1000;
    try {
      const events = await poll({
        ...options,
        onRequest() {
          progress.requests++;
          options.onRequest?.();
        },
      });
      if (store !== undefined) progress.known = progress.listed;
      const seconds = elapsed();
      return counted(events, (events, whole) => {
        if (whole) progress.completed++;
        const outcome = !whole ? "cancelled" : events > 0 ? "changed" : "unchanged";
        onEnd({ outcome, seconds, events });
      });
    } catch (thrown) {
      const outcome = options.signal.aborted ? "cancelled" : "failed";
      const error = thrown instanceof ExternalError ? thrown.code : "internal";
      onEnd({
        outcome,
        seconds: elapsed(),
        events: 0,
        ...(outcome === "failed" && { error }),
      });
      throw thrown;
    } finally {
      progress.startedAt = undefined;
    }
  };
  if (store !== undefined) countPages(store, progress);
  return progress;
}

function* counted<T>(
  items: Iterable<T>,
  end: (count: number, whole: boolean) => void,
): Generator<T, void> {
  let count = 0;
  let whole = false;
  try {
    for (const item of items) {
      count++;
      yield item;
    }
    whole = true;
  } finally {
    end(count, whole);
  }
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
