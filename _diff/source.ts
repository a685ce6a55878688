/** The contract between a source and the watch that polls it. */
import type { ExternalPart } from "./part.ts";

/**
 * One change of one item. If the events are applied in order to an empty map, the map ends up as the last complete
 * listing.
 */
export type ExternalEvent<T> =
  /** An item that was not there before. */
  | { readonly type: "added"; readonly item: T; readonly previous?: undefined }
  /** An item that changed. `previous` is its last state, if the source remembers it. */
  | { readonly type: "modified"; readonly item: T; readonly previous?: T }
  /** An item that is gone, in its last known state. */
  | { readonly type: "removed"; readonly item: T; readonly previous?: undefined };

/** What a watch passes to a source for one poll. */
export interface PollOptions {
  /** Aborts the poll: the watch ended, or the poll took longer than the watch's `timeout`. */
  readonly signal: AbortSignal;
  /** To be called once for each request, so that the poll's span can count them. */
  readonly onRequest?: () => void;
  /**
   * To be called if the server asks not to be polled for `wait` milliseconds. The wait after a good poll is then at
   * least that long: up to the watch's `maxBackoff` if that is set, or else up to one day. It never becomes shorter.
   */
  readonly onCadence?: (wait: number) => void;
  /**
   * Takes one line about something that is wrong but does not fail the poll: a watch writes it to its logger. Default:
   * `console.warn`.
   */
  readonly onWarning?: (message: string) => void;
  /**
   * The events of this poll are acknowledged one by one, by the source's `acknowledgement`: reading the next event does
   * not mean that the one before was handled. Only set for sources that have an `acknowledgement`.
   */
  readonly each?: true;
  /**
   * Report every known item once more, also the unchanged ones: as `modified`, with `previous` equal to the item if the
   * source remembers it. A source that cannot do this may ignore it.
   */
  readonly all?: true;
  /**
   * List, compare and commit only this part: the keys that begin with a prefix, or exactly the keys that are named.
   * Only set for sources with `parts`.
   */
  readonly part?: ExternalPart;
}

/**
 * Lets the events of a source be handled concurrently: the source is told for each event whether it was handled.
 * Without this, reading the next event tells the source that the one before was handled.
 *
 * It is used for polls with `each`. An event that was handed out and not acknowledged yet is in doubt, and so is one
 * that was set aside. `save` must include these at any moment, and the first poll after `restore` reports them again.
 *
 * @example
 * ```ts
 * import type { Acknowledgement, ExternalSource } from "@koprs/external/watcher";
 *
 * // One item, which is reported as new until it was handled.
 * let isHandled = false;
 * const acknowledgement: Acknowledgement<string> = {
 *   keyOf: (event) => event.item,
 *   handled: () => void (isHandled = true),
 *   setAside() {},
 *   again: (key) => ({ type: "added", item: key }),
 *   asideKeys: () => [],
 * };
 * const source: ExternalSource<string> = {
 *   name: "one thing",
 *   poll: () => Promise.resolve(isHandled ? [] : [{ type: "added", item: "a" }]),
 *   acknowledgement,
 * };
 * console.assert(source.acknowledgement === acknowledgement);
 * ```
 */
export interface Acknowledgement<T> {
  /** The key of the event's item. Two events with the same key are never handled at once. */
  keyOf(event: ExternalEvent<T>): string;
  /** Called when the event handed out last for this key was handled. */
  handled(key: string): void;
  /**
   * Called when the event handed out last for this key was not handled: it is unknown what the consumer knows of it.
   * Polls go on, and do not report the key until it was handled.
   */
  setAside(key: string): void;
  /**
   * The event to hand out next for a key that was set aside, in its newest state: `added` if the item was never
   * handled, `removed` if it is gone, `modified` otherwise. Undefined if only the next poll can tell: that poll then
   * reports the key.
   */
  again(key: string): ExternalEvent<T> | undefined;
  /** The keys that are set aside. */
  asideKeys(): Iterable<string>;
}

/**
 * Something that can be polled for changes. It keeps the state that it compares with. Only one live watch at a time can
 * use a source object.
 */
export interface ExternalSource<T> {
  /** Identifies the source in logs, spans and checkpoints. Must not hold a secret. */
  readonly name: string;
  /**
   * The changes since the last committed state. A poll must see the whole source, or reject. The new state is committed
   * when the iterable is read to its end; if it is not, the next poll finds the same changes.
   *
   * A rejection is a failed poll: it is reported, and the watch goes on. There is one exception: an `ExternalError` of
   * code `checkpoint` says that the state from `restore` cannot be trusted, such as when it turns out to be of another
   * server. It ends the stream, and nothing is saved. The same holds for what the iterable throws.
   */
  poll(options: PollOptions): Promise<Iterable<ExternalEvent<T>>>;
  /**
   * What a poll would return if everything was gone: `removed` for every item that is known or in doubt. Makes no
   * request. Reading the iterable to its end commits. Optional: without it, a group cannot report the items of a source
   * that it removes.
   */
  withdraw?(options: PollOptions): Iterable<ExternalEvent<T>>;
  /**
   * The server that it polls, such as a host name and port: a group limits how many polls of the same host run at once.
   * Optional: without it, only the limit for all polls holds.
   */
  readonly host?: string;
  /**
   * The committed state, as bytes that a later `restore` understands. Without this method, the watch cannot have a
   * checkpoint.
   */
  save?(): Uint8Array;
  /** Restores the state that `save` returned. Called before the first poll. */
  restore?(state: Uint8Array): void;
  /** Acknowledges single events. Optional: without it, `handle` hands out the events one at a time, in order. */
  readonly acknowledgement?: Acknowledgement<T>;
  /** Whether `poll` supports the option `part`. */
  readonly parts?: boolean;
}
