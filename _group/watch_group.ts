/** The group: a stream of the changes of many sources. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkPart, type ExternalPart } from "../_diff/part.ts";
import { untilClosed } from "../_watch/external_watch.ts";
import { checkHandling, type HandleContext, type HandleOptions } from "../_watch/handle_options.ts";
import { StreamIterator } from "../_watch/iterator.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import { type Followed, Follower, type FollowOptions } from "./follow.ts";
import { GroupLoop } from "./group_loop.ts";
import type { GroupEvent, GroupOptions, RemoveOptions } from "./options.ts";

/**
 * The changes of many sources as one stream, which says of each event what source it is of. Sources come and go while it is
 * read. What holds for a watch holds for each of them; and of all together:
 *
 * - Polls begin only while somebody reads. An event counts as handled when the next one is asked for.
 * - Sources take turns: one event of each that has some. None waits for another to come to its end.
 * - A source that fails or hangs touches no other. An error that would end a watch stops its source alone: it is polled no
 *   more, its status tells, and `onError` is told with a wait of `Infinity`.
 * - At most `polls` polls are under way at once. The first polls are spread over the interval, and kept apart from then on.
 *
 * @example
 * ```ts
 * import { WatchGroup } from "@koprs/external/group";
 *
 * const group = new WatchGroup<string>({ interval: 30_000 });
 * for (const name of ["a", "b"]) {
 *   group.add({ name, poll: () => Promise.resolve([{ type: "added", item: `of ${name}` }]) });
 * }
 * for await (const { source, type, item } of group) {
 *   console.log(source, type, item); // a added of a
 *   break;
 * }
 * ```
 */
export class WatchGroup<T> extends ReadableStream<GroupEvent<T>> {
  readonly #loop: GroupLoop<T>;

  /**
   * Polls nothing before the first read.
   *
   * @param options How to watch. What a watch takes holds for every source that is not added with something else.
   * @throws {TypeError} If an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(options: GroupOptions) {
    const loop = new GroupLoop<T>(options);
    super({
      start: (controller) => loop.start(controller),
      pull: () => loop.pull(),
      cancel: (reason) => loop.cancel(reason),
    }, { highWaterMark: 0 });
    this.#loop = loop;
  }

  /** How many sources it has. */
  get size(): number {
    return this.#loop.conductor.members.size;
  }

  /**
   * Adds a source. One that comes alone is polled at once; of those that come together, the first polls are spread over the
   * interval.
   *
   * @param source What to poll. It serves one group or watch at a time.
   * @param options What is to be otherwise than for the group. A `signal` removes the source.
   * @throws {TypeError} If the group has a source of this name, or has ended, or an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  add(source: ExternalSource<T>, options?: Partial<WatchOptions>): void {
    this.#loop.add(source, options);
  }

  /**
   * Removes a source: its poll under way is aborted, and no event of it is handed over from the call on, but for those that
   * `report` asks for.
   *
   * @param name The name of the source.
   * @param how Whether to report what is known of it as removed first, and whether to forget its state.
   * @returns Whether there was such a source. Settles when nothing of it can come any more.
   * @throws {TypeError} If the source cannot report, or its store cannot forget.
   * @throws {ExternalError} With code `checkpoint` if its state could not be deleted: the source is removed all the same.
   */
  remove(name: string, how?: RemoveOptions): Promise<boolean> {
    return this.#loop.remover.remove(name, how ?? {});
  }

  /**
   * Makes the group what a stream says: a source is added for each item that there is, replaced when the item has changed, and
   * removed when it is gone. The newest word about an item counts, however fast they come. Other sources of the group, and
   * other streams that it follows, are left alone.
   *
   * An item for which something throws, be it `make`, is reported to `onError` with code `invalid`, and leaves its source as it
   * was. If the stream fails, the group stays as it is.
   *
   * What the stream knew before a restart is gone from the group: a watch to follow is one without a checkpoint, or with
   * `replay`.
   *
   * @param desired The items as events, such as a watch.
   * @param make Makes the source for an item.
   * @param options What tells the items apart, when they have changed, and how sources are removed.
   * @returns Resolves when the stream or the group has ended. Rejects with what the stream failed with.
   * @throws {TypeError} If an argument is of the wrong type.
   */
  async follow<D>(
    desired: AsyncIterable<ExternalEvent<D>>,
    make: (item: D) => Followed<T>,
    options?: FollowOptions<D>,
  ): Promise<void> {
    await new Follower(this.#loop, make, options ?? {}).run(desired);
  }

  /**
   * Hands every event to a handler, up to `concurrency` of them side by side over all sources, and never two of one item at
   * once. Sources take turns. What holds for `handle` of a watch holds here: an event was handled once what the handler
   * returned has resolved; one that fails sets its item aside, which comes again with its newest state.
   *
   * Polls begin only while another handler could. Of a source that is removed or lost the handlers under way are aborted.
   *
   * @param handler Handles one event. It may be called again for an item that it handled just before a crash.
   * @param options How many at once, and for how long.
   * @returns Resolves when the group has closed. Rejects with what the stream would error with.
   * @throws {TypeError} At once, if the handler or an option cannot be used, or if the group is being read or handled already.
   * @throws {RangeError} At once, if a number is out of range.
   */
  handle(
    handler: (event: GroupEvent<T>, context: HandleContext) => unknown,
    options?: HandleOptions,
  ): Promise<void> {
    const limits = checkHandling(handler, options);
    if (this.locked) {
      throw new TypeError(
        "Cannot handle the events of the group as they are being read or handled already",
      );
    }
    const reader = this.getReader();
    this.#loop.handle(handler, limits);
    return untilClosed(reader);
  }

  /**
   * How one source is doing, as of now.
   *
   * @param name The name of the source.
   * @returns Undefined if there is no such source.
   */
  status(name: string): WatchStatus | undefined {
    return this.#loop.conductor.members.get(name)?.status;
  }

  /**
   * How each source is doing, as of now.
   *
   * @returns Pairs of name and status, in the order in which the sources were added.
   */
  *statuses(): Generator<[string, WatchStatus], void> {
    for (const [name, { status }] of this.#loop.conductor.members) yield [name, status];
  }

  /**
   * Polls one source, or all of them, as soon as there is room and somebody reads: ends the wait, also one after a failure.
   *
   * @param name The name of the source. Default: all.
   * @param part What of it to poll alone, as {@linkcode ExternalWatch.refresh} does. Without a name: of all sources that can.
   * @returns Whether there was such a source. One that another replica polls hears nothing of it.
   * @throws {TypeError} If the source cannot be polled in parts, or the part is none.
   */
  refresh(name?: string, part?: ExternalPart): boolean {
    if (part !== undefined) checkPart("refresh a part", part);
    return this.#loop.each(name, (member) => {
      if (part !== undefined && name === undefined && member.source.parts !== true) return;
      this.#loop.conductor.refresh(member, part);
    });
  }

  /**
   * Polls one source, or all of them, as `refresh` does, and hands over all that is known once more: what did not change as
   * `modified`.
   *
   * @param name The name of the source. Default: all.
   * @returns Whether there was such a source.
   */
  resync(name?: string): boolean {
    return this.#loop.each(name, (member) => {
      member.machine?.resync();
      this.#loop.conductor.refresh(member);
    });
  }

  /**
   * Polls no more. Events already found can still be read; then the stream closes. Polls under way are aborted.
   */
  close(): void {
    this.#loop.close();
  }

  /**
   * Reads the events one by one, as `for await` over the group itself does. Leaving the loop, or `return`, ends the group at
   * once, also while a `next` is pending.
   *
   * @param options With `preventCancel`, leaving the loop keeps the group going, for another reader.
   * @returns The iterator. It holds the stream's lock until it ends.
   * @throws {TypeError} If the stream is locked already.
   */
  // @ts-ignore: without 'override', which stays in the declarations and breaks where the base class has no 'values'
  values(options?: { preventCancel?: boolean }): StreamIterator<GroupEvent<T>> {
    return new StreamIterator(this, options);
  }

  /**
   * The same as `values`.
   *
   * @param options With `preventCancel`, leaving the loop keeps the group going, for another reader.
   * @returns The iterator. It holds the stream's lock until it ends.
   * @throws {TypeError} If the stream is locked already.
   */
  // @ts-ignore: as for 'values'
  [Symbol.asyncIterator](options?: { preventCancel?: boolean }): StreamIterator<GroupEvent<T>> {
    return this.values(options);
  }

  /** Ends the group at once, also while a reader or a pipe holds the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#loop.finish();
    return Promise.resolve();
  }
}
