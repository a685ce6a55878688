/** The watch: a stream of the changes of one source. */
import { checkHandling, type HandleContext, type HandleOptions } from "./handle_options.ts";
import type { WatchOptions } from "./options.ts";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { WatchStatus } from "./status.ts";
import { StreamIterator } from "./iterator.ts";
import { ON_DEMAND, WatchStream } from "./watch_stream.ts";

/**
 * The changes of one source, as a stream that polls when it is read: nothing is requested before the
 * first read, polls never overlap, and an event counts as handled when the next one is asked for.
 *
 * A failing poll does not end the stream. Leaving the `for await` loop, `cancel`, `close` or an abort of the signal
 * ends it, and aborts the poll under way.
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
  readonly #stream: WatchStream<T>;

  /**
   * The same as {@linkcode watchExternal}.
   *
   * @param source What to poll.
   * @param options The interval in milliseconds, or all options.
   */
  constructor(source: ExternalSource<T>, options: number | WatchOptions) {
    const stream = new WatchStream(
      source,
      typeof options === "number" ? { interval: options } : options,
    );
    super(stream, ON_DEMAND);
    this.#stream = stream;
  }

  /** The name of the source. */
  get source(): string {
    return this.#stream.source;
  }

  /** How the watch is doing now, such as for a health endpoint. */
  get status(): WatchStatus {
    return this.#stream.status;
  }

  /**
   * Resolves once all events of the first good poll have been handled, even if it had none. Rejects if the watch ends
   * before that: with the reason of the abort or the `cancel`, with the error of the stream, or with an `AbortError`.
   * It never causes an unhandled rejection.
   */
  get synced(): Promise<void> {
    return this.#stream.synced;
  }

  /**
   * Polls now, or as soon as the events of the last poll are handled, without waiting for the interval or a back-off.
   * While a poll is under way, another one follows right after it, since the first may have looked too early.
   *
   * With a part, polls only that part, such as the key that a notification named. The source must have `parts`. Keys
   * that are asked for at the same time are polled together, and each prefix by a poll of its own; very many become one
   * poll of everything. Polls of everything keep their schedule. A failed poll of a part is tried again after a
   * back-off, and the parts asked for meanwhile wait for that, too. No part is polled before the first good poll of
   * everything.
   *
   * @param part What to poll. If it is an empty list of keys, nothing is polled.
   * @throws {TypeError} If the source cannot be polled in parts, or `part` is not valid.
   */
  refresh(part?: ExternalPart): void {
    this.#stream.refresh(part);
  }

  /**
   * Calls a handler for every event, up to `concurrency` of them at once, and never two for the same item. An event is
   * handled once its handler has returned and the promise that it returned, if any, has resolved. The checkpoint
   * records exactly which events were handled, at any concurrency.
   *
   * If a handler throws, rejects, or takes longer than `timeout`, its item is set aside. `onError` is called with an
   * error that has the code `handler`, the key and the attempt. Polls and all other items go on. The item is handed out
   * again after a back-off of its own (`minBackoff`, doubled with each attempt up to `maxBackoff`), in its newest
   * state, or as `removed` if it is gone, until it is handled; with a checkpoint also after a restart. While 10,000
   * such items or more are waiting, no new events are handed out.
   *
   * The next poll begins when all events of the last one were handled or set aside. `close` hands out no more events,
   * and waits for the running handlers; events that were not handed out are left to the next start. An abort of the
   * watch's `signal`, and `Symbol.asyncDispose`, abort the signals of the handlers.
   *
   * If a source of your own has no `acknowledgement`, its events are handled one by one, since asking for the next
   * event tells it that the one before was handled. A failed handler then counts like a failed poll: its event, and
   * all after it, come again.
   *
   * @example Up to sixteen handlers at once
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
   * @param options How many handlers may run at once, and how long each may take.
   * @returns Resolves when the watch has closed. Rejects with the error of the stream.
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
    this.#stream.handle(handler, limits);
    return untilClosed(reader);
  }

  /**
   * Polls now, as `refresh` does, and hands over every known item once more. An unchanged item comes as `modified`,
   * with a `previous` that is equal to it if the source remembers it. If that poll fails, or its events break off,
   * the next poll does the same.
   */
  resync(): void {
    this.#stream.resync();
  }

  /**
   * Stops polling: a poll under way is aborted. Events already found can still be read; then the stream closes. Under
   * `handle`, no more events are handed out, and the stream closes once the running handlers have ended.
   */
  close(): void {
    this.#stream.close();
  }

  /**
   * Reads the events one by one, as `for await` over the watch itself does. Leaving the loop, or `return`, ends the
   * watch at once, even while a `next` is pending: that one resolves as done, and the poll under way is aborted.
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

  /** Ends the watch at once, even while a reader or a pipe holds the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#stream.dispose();
  }
}

/** Resolves when a stream has closed, or rejects with its error. Either way, releases the lock. */
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
 * @param source What to poll. Only one live watch at a time can use it.
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
