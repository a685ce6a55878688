/** The group: a stream of the changes of many sources. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkPart, type ExternalPart } from "../_diff/part.ts";
import { untilClosed } from "../_watch/external_watch.ts";
import { checkHandling, type HandleContext, type HandleOptions } from "../_watch/handle_options.ts";
import { StreamIterator } from "../_watch/iterator.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import { ON_DEMAND } from "../_watch/watch_stream.ts";
import { type Followed, Follower, type FollowOptions } from "./follow.ts";
import { GroupLoop } from "./group_loop.ts";
import type { GroupEvent, GroupOptions, RemoveOptions } from "./options.ts";

/**
 * The changes of many sources as one stream. Each event has the name of its source. Sources can be added and removed
 * while the stream is read. Each source behaves as in a watch of its own. For all of them together:
 *
 * - Polls begin only while somebody reads. An event counts as handled when the next one is asked for.
 * - Sources take turns: one event of each that has some. No source waits until another has handed over all its
 *   events.
 * - A source that fails or hangs affects no other. An error that would end a watch stops only its source: it is no
 *   longer polled, its status says so, and `onError` is called with a wait of `Infinity`.
 * - At most `polls` polls are under way at once. The first polls are spread over the interval, and later ones are
 *   kept apart.
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
   * Creates a group. It polls nothing before the first read.
   *
   * @param options How to watch. The options of a watch hold for every source that is not added with its own.
   * @throws {TypeError} If an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(options: GroupOptions) {
    const loop = new GroupLoop<T>(options);
    super(loop, ON_DEMAND);
    this.#loop = loop;
  }

  /** How many sources it has. */
  get size(): number {
    return this.#loop.conductor.members.size;
  }

  /**
   * Adds a source. If it is the only new one, it is polled at once. If many are added together, their first polls are
   * spread over the interval.
   *
   * @param source What to poll. Only one group or watch at a time can use it.
   * @param options Options that differ from those of the group. An abort of a `signal` removes the source.
   * @throws {TypeError} If the group has a source of this name, or has ended, or the source is being watched already,
   * or an option is of the wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  add(source: ExternalSource<T>, options?: Partial<WatchOptions>): void {
    this.#loop.add(source, options);
  }

  /**
   * Removes a source: its poll under way is aborted, and after the call no event of it is handed over, except for those
   * that `report` asks for.
   *
   * @param name The name of the source.
   * @param how Whether to report every known item as removed first, and whether to delete its state.
   * @returns Whether there was such a source. Settles when no event of it can come any more.
   * @throws {TypeError} If the source has no `withdraw` to report with, or its checkpoint store cannot delete.
   * @throws {ExternalError} With code `checkpoint` if its state could not be deleted. The source is removed all the
   * same.
   */
  remove(name: string, how?: RemoveOptions): Promise<boolean> {
    return this.#loop.remover.remove(name, how ?? {});
  }

  /**
   * Keeps the group in line with a stream: a source is added for each item, replaced when the item has changed, and
   * removed when the item is gone. The newest event of an item counts, however fast they come. Other sources of the
   * group, and those of other streams that it follows, are left alone.
   *
   * If something throws for an item, such as `make`, that is reported to `onError` with code `invalid`, and the source
   * of the item stays as it was. If the stream fails, the group stays as it is.
   *
   * After a restart the group is empty, so the stream must report all items again: follow a watch without a checkpoint,
   * or one with `replay`.
   *
   * @param desired The items as events, such as a watch.
   * @param make Makes the source for an item.
   * @param options How to tell the items apart, when an item counts as changed, and how sources are removed.
   * @returns Resolves when the stream or the group has ended. Rejects with the error of the stream.
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
   * Calls a handler for every event, up to `concurrency` of them at once over all sources, and never two for the same
   * item. Sources take turns. The rest is as in `handle` of a watch: an event is handled once the promise that its
   * handler returned has resolved; if a handler fails, its item is set aside, and comes again in its newest state.
   *
   * Polls begin only while another handler may start. If a source is removed or lost, its running handlers are aborted.
   *
   * @param handler Handles one event. It may be called again for an item that it handled just before a crash.
   * @param options How many handlers may run at once, and how long each may take.
   * @returns Resolves when the group has closed. Rejects with the error of the stream.
   * @throws {TypeError} At once, if the handler or an option cannot be used, or if the group is being read or handled
   * already.
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
   * How one source is doing now.
   *
   * @param name The name of the source.
   * @returns Undefined if there is no such source.
   */
  status(name: string): WatchStatus | undefined {
    return this.#loop.conductor.members.get(name)?.status;
  }

  /**
   * How each source is doing now.
   *
   * @returns Pairs of name and status, in the order in which the sources were added.
   */
  *statuses(): Generator<[string, WatchStatus], void> {
    for (const [name, { status }] of this.#loop.conductor.members) yield [name, status];
  }

  /**
   * Polls one source, or all of them, as soon as there is room and somebody reads, without waiting for the interval or
   * a back-off.
   *
   * @param name The name of the source. Default: all.
   * @param part The only part to poll, as in {@linkcode ExternalWatch.refresh}. Without a name: of all sources that
   * have parts.
   * @returns Whether there was such a source. If another replica polls it, nothing happens.
   * @throws {TypeError} If the source cannot be polled in parts, or `part` is not valid.
   */
  refresh(name?: string, part?: ExternalPart): boolean {
    if (part !== undefined) checkPart("refresh a part", part);
    return this.#loop.each(name, (member) => {
      if (part !== undefined && name === undefined && member.source.parts !== true) return;
      this.#loop.conductor.refresh(member, part);
    });
  }

  /**
   * Polls one source, or all of them, as `refresh` does, and hands over every known item once more: unchanged ones as
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

  /** Stops polling: polls under way are aborted. Events already found can still be read; then the stream closes. */
  close(): void {
    this.#loop.close();
  }

  /**
   * Reads the events one by one, as `for await` over the group itself does. Leaving the loop, or `return`, ends the
   * group at once, even while a `next` is pending.
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

  /** Ends the group at once, even while a reader or a pipe holds the stream. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#loop.finish();
    return Promise.resolve();
  }
}
