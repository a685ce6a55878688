/**
 * The watch: a source goes in, one `ReadableStream` of changes comes out.
 *
 * @example A source of one's own
 * ```ts
 * import { type ExternalSource, watchExternal } from "@koprs/external/watcher";
 *
 * let load = 0;
 * const source: ExternalSource<number> = {
 *   name: "load",
 *   poll: () => Promise.resolve([{ type: "modified", item: load++ }]),
 * };
 * for await (const event of watchExternal(source, 10)) {
 *   if (event.item === 2) break;
 * }
 * ```
 *
 * @module
 */
import type { CheckpointStore } from "./checkpoint.ts";
import type { ExternalError } from "./error.ts";
import { PollLoop } from "./_loop.ts";

/** One change of one item. Applied in order to an empty map, the events give the last complete listing. */
export type ExternalEvent<T> =
  /** An item that was not there before. */
  | { readonly type: "added"; readonly item: T }
  /** An item that changed. `previous` is its last state, where the source remembers it. */
  | { readonly type: "modified"; readonly item: T; readonly previous?: T }
  /** An item that is gone: the last state known of it. */
  | { readonly type: "removed"; readonly item: T };

/** What a watch hands to a source for one poll. */
export interface PollOptions {
  /** Aborts the poll: the watch ended, or the poll took longer than the watch's `timeout`. */
  readonly signal: AbortSignal;
  /** To be called once a request, so that the poll's span can count them. */
  readonly onRequest?: () => void;
}

/**
 * Something that can be polled for changes. It keeps the state it compares against; one source object
 * belongs to one live watch.
 */
export interface ExternalSource<T> {
  /** Identifies the source in logs, spans and checkpoints. Must not hold a secret. */
  readonly name: string;
  /**
   * The changes since the state last committed. Sees the whole source or rejects. The new state is
   * committed when the iterable is read to its end; if it is not, the next poll finds the same changes.
   */
  poll(options: PollOptions): Promise<Iterable<ExternalEvent<T>>>;
  /** The committed state, as bytes a later `restore` understands. Without it there is no checkpoint. */
  save?(): Uint8Array;
  /** Takes back what `save` gave. Called before the first poll. */
  restore?(state: Uint8Array): void;
}

/**
 * Where a watch writes what it does: one line of text a call. `console`, a logger of `@std/log` and one
 * of pino all fit.
 */
export interface Logger {
  /** Every poll. */
  debug(message: string): unknown;
  /** A recovery after failures. */
  info(message: string): unknown;
  /** A failed poll. */
  warn(message: string): unknown;
  /** An error that ends the stream. */
  error(message: string): unknown;
}

/** What `onError` learns about a failed poll beside the error. */
export interface FailureInfo {
  /** How many polls in a row have failed, this one included: 1, 2, … */
  readonly attempt: number;
  /** Milliseconds until the next poll. */
  readonly wait: number;
}

/** How to watch a source. Times are in milliseconds. */
export interface WatchOptions {
  /** From the end of one good poll to the next. */
  interval: number;
  /**
   * The longest wait after failures: after the n-th in a row it is `min(interval × 2ⁿ, maxBackoff)`. Shorter
   * than the interval, a failed poll is repeated sooner than a good one.
   *
   * @default {interval * 32}
   */
  maxBackoff?: number;
  /**
   * From 0 to 1: every wait is lengthened by up to this share of it, never past `maxBackoff` after a
   * failure, so that many watches do not poll in step.
   *
   * @default {0.1}
   */
  jitter?: number;
  /**
   * For one whole poll, however many requests it makes.
   *
   * @default {undefined} none: sources bound their own requests
   */
  timeout?: number;
  /** Ends the watch: the stream errors with `signal.reason`. */
  signal?: AbortSignal;
  /**
   * Where to keep the state, under the name of the source, so that a restart goes on where this run
   * stopped. Saved before the first event of a poll is handed over, every 10,000 events or 5 s while
   * they are delivered, and behind the last. A checkpoint that is damaged or of something else ends the
   * stream with an error of code `checkpoint`, and is left as it is.
   *
   * @default {undefined} a restart begins anew
   */
  checkpoint?: CheckpointStore;
  /**
   * Where to log: `console` fits.
   *
   * @default {undefined} nothing is printed
   */
  logger?: Logger;
  /** Called for every failed poll. If it throws, the stream ends with what it threw. */
  onError?: (error: ExternalError, info: FailureInfo) => void;
}

/**
 * What a watch is doing: `idle` until the first read and whenever an event or a wait has passed and
 * nobody reads, `polling`, `delivering` while the events of a poll are being read, `waiting` for the next
 * poll, and `closed` for good.
 */
export type WatchPhase = "idle" | "polling" | "delivering" | "waiting" | "closed";

/** How a watch is doing: a plain object, as of the moment it was asked for. */
export interface WatchStatus {
  /** What the watch is doing. */
  readonly phase: WatchPhase;
  /** Polls begun so far. */
  readonly polls: number;
  /** Events handed over so far. */
  readonly events: number;
  /** Failed polls in a row; 0 after a good one. */
  readonly failures: number;
  /** When the last good poll ended, in milliseconds since the epoch. */
  readonly lastSuccess?: number;
  /** Why the last failed poll failed, also when a good one followed. */
  readonly lastError?: ExternalError;
  /** When the next poll is due, in milliseconds since the epoch. */
  readonly nextPoll?: number;
}

/**
 * The changes of one source, as a stream that polls when it is read: nothing is requested before the
 * first read, polls never overlap, and an event counts as handled when the next one is asked for.
 *
 * A failing poll does not end the stream. Ending the loop, `cancel`, `close` or an abort of the signal
 * does, and stops the poll under way.
 *
 * @example
 * ```ts
 * import { watchExternal } from "@koprs/external";
 *
 * await using watch = watchExternal({ name: "nothing", poll: () => Promise.resolve([]) }, 1_000);
 * console.assert(watch.status.phase === "idle");
 * ```
 */
export class ExternalWatch<T> extends ReadableStream<ExternalEvent<T>> {
  readonly #loop: PollLoop<T>;

  /**
   * The same as {@linkcode watchExternal}.
   *
   * @param source What to poll.
   * @param options The interval in milliseconds, or all options.
   */
  constructor(source: ExternalSource<T>, options: number | WatchOptions) {
    const loop = new PollLoop(
      source,
      typeof options === "number" ? { interval: options } : options,
    );
    super({
      start: (controller) => loop.start(controller),
      pull: () => loop.pull(),
      cancel: (reason) => loop.cancel(reason),
    }, { highWaterMark: 0 });
    this.#loop = loop;
  }

  /** The name of the source. */
  get source(): string {
    return this.#loop.source;
  }

  /** How the watch is doing, as of now: good for a health endpoint. */
  get status(): WatchStatus {
    return this.#loop.status;
  }

  /**
   * Settles once the first good poll has been handled whole, however many events it had. Rejects if the
   * watch ends before that: with the reason of the abort or the `cancel`, with the error of the stream, or
   * with an `AbortError`. A rejection nobody looks at is not reported.
   */
  get synced(): Promise<void> {
    return this.#loop.synced;
  }

  /**
   * Polls now, or as soon as the events found are handled: ends the wait, also one after a failure. While
   * a poll is under way, asks for another right after it, since that one may have looked too early.
   */
  refresh(): void {
    this.#loop.refresh();
  }

  /**
   * Polls no more. Events already found can still be read; then the stream closes. A poll under way is
   * aborted.
   */
  close(): void {
    this.#loop.close();
  }

  /** Ends the watch at once, also while a reader or a pipe holds the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#loop.dispose();
  }
}

/**
 * Watches a source: polls it again and again, and streams what changed.
 *
 * @example
 * ```ts
 * import { watchExternal } from "@koprs/external";
 *
 * const source = {
 *   name: "one thing",
 *   poll: () => Promise.resolve([{ type: "added", item: "a" } as const]),
 * };
 * const watch = watchExternal(source, {
 *   interval: 30_000,
 *   onError: (error, { attempt, wait }) => console.warn(error.message, attempt, wait),
 * });
 * for await (const event of watch) {
 *   console.log(event.type, event.item); // added a
 *   break;
 * }
 * ```
 *
 * @param source What to poll. It serves one live watch at a time.
 * @param options The interval in milliseconds, or all options.
 * @returns The stream of changes. It polls only while it is read.
 * @throws {TypeError} If an option is of the wrong type, or the source is being watched already.
 * @throws {RangeError} If an option is out of range.
 */
export function watchExternal<T>(
  source: ExternalSource<T>,
  options: number | WatchOptions,
): ExternalWatch<T> {
  return new ExternalWatch(source, options);
}
