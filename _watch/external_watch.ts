/** The watch: a stream of the changes of one source. */
import { checkHandling, type HandleContext, type HandleOptions } from "./handle_options.ts";
import type { WatchOptions } from "./options.ts";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { WatchStatus } from "./status.ts";
import { StreamIterator } from "./iterator.ts";
import { PollLoop } from "./loop.ts";

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
   *
   * With a part, polls that part alone, such as what a notification named: for sources with `parts`. Many that come
   * together are one poll, or one of everything where they are too many. The next poll of everything comes when it would
   * have come anyway. A failure is backed off from and tried again; a part that is asked for meanwhile waits with it. No
   * part is polled before everything was.
   *
   * @param part What to poll. An empty list of keys is nothing to do.
   * @throws {TypeError} If the source cannot be polled in parts, or the part is none.
   */
  refresh(part?: ExternalPart): void {
    this.#loop.refresh(part);
  }

  /**
   * Hands every event to a handler, up to `concurrency` of them side by side, and never two of one item at once. An event
   * was handled once what the handler returned has resolved; what is saved is exactly that, whatever the concurrency.
   *
   * A handler that throws, rejects, or takes longer than `timeout` sets its item aside: that is reported to `onError` with
   * code `handler`, the key and the attempt, and all others go on, polls too. The item comes again after a back-off of its
   * own (`minBackoff`, doubled with each attempt up to `maxBackoff`), with its newest state, as `removed` if it is gone;
   * until it was handled, also behind a restart. More than 10,000 such items hold back new events.
   *
   * The next poll comes when all events of the last were handled or set aside. `close` waits for the handlers under way,
   * and hands out no more; leaving what was not handed out to the next start. An abort, and `Symbol.asyncDispose`, abort
   * their signals.
   *
   * A source without `acknowledgement`, one of your own, has its events handled one by one, since asking it for the next says
   * that the one before was handled. A failure ends the delivery like a failed poll: all from there on comes again.
   *
   * @example Sixteen at a time
   * ```ts
   * import { ObjectStorePoller, watchExternal } from "@koprs/external";
   * import { MemoryStore } from "@koprs/external/stores/memory";
   *
   * const store = new MemoryStore();
   * for (let i = 0; i < 20; i++) await store.put(`object ${i}`, "content");
   * const watch = watchExternal(new ObjectStorePoller(store), 1_000);
   * let bytes = 0;
   * watch.synced.then(() => watch.close());
   * await watch.handle(async ({ type, item }, { signal }) => {
   *   if (type === "removed") return;
   *   const content = await store.get(item.key, { ifMatch: item.etag, signal });
   *   const { byteLength } = await new Response(content).arrayBuffer();
   *   bytes += byteLength;
   * }, { concurrency: 16, timeout: 60_000 });
   * console.assert(bytes === 140);
   * ```
   *
   * @param handler Handles one event. It may be called again for an item that it handled just before a crash.
   * @param options How many at once, and for how long.
   * @returns Resolves when the watch has closed. Rejects with what the stream would error with.
   * @throws {TypeError} At once, if the handler or an option cannot be used, or if the watch is being read or handled
   * already.
   * @throws {RangeError} At once, if a number is out of range.
   */
  handle(
    handler: (event: ExternalEvent<T>, context: HandleContext) => unknown,
    options?: HandleOptions,
  ): Promise<void> {
    const limits = checkHandling(handler, options);
    if (this.locked) {
      throw new TypeError(
        `Cannot handle the events of '${this.source}' as they are being read or handled already`,
      );
    }
    const reader = this.getReader();
    this.#loop.handle(handler, limits);
    return untilClosed(reader);
  }

  /**
   * Polls now, as `refresh` does, and hands over all that is known once more: what did not change as `modified`, with a
   * `previous` that is equal where the source remembers it. If that poll fails or its events break off, the next one does.
   */
  resync(): void {
    this.#loop.resync();
  }

  /**
   * Polls no more. Events already found can still be read; then the stream closes. A poll under way is
   * aborted. Under `handle` nothing more is handed out, and the stream closes once the handlers under way have ended.
   */
  close(): void {
    this.#loop.close();
  }

  /**
   * Reads the events one by one, as `for await` over the watch itself does. Leaving the loop, or `return`, ends the
   * watch at once, also while a `next` is pending: that is done then, and the poll under way is aborted.
   *
   * @param options With `preventCancel`, leaving the loop keeps the watch going, for another reader.
   * @returns The iterator. It holds the stream's lock until it ends.
   * @throws {TypeError} If the stream is locked already.
   */
  // @ts-ignore: without 'override', which stays in the declarations and breaks where the base class has no 'values'
  values(options?: { preventCancel?: boolean }): StreamIterator<ExternalEvent<T>> {
    return new StreamIterator(this, options);
  }

  /**
   * The same as `values`.
   *
   * @param options With `preventCancel`, leaving the loop keeps the watch going, for another reader.
   * @returns The iterator. It holds the stream's lock until it ends.
   * @throws {TypeError} If the stream is locked already.
   */
  // @ts-ignore: as for 'values'
  [Symbol.asyncIterator](
    options?: { preventCancel?: boolean },
  ): StreamIterator<ExternalEvent<T>> {
    return this.values(options);
  }

  /** Ends the watch at once, also while a reader or a pipe holds the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#loop.dispose();
  }
}

/** Resolves when a stream has closed, rejects with its error, and gives the lock back. */
export async function untilClosed(reader: ReadableStreamDefaultReader<unknown>): Promise<void> {
  try {
    await reader.closed;
  } finally {
    reader.releaseLock();
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
