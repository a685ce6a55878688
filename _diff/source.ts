/** The contract between a source and the watch that polls it. */
import type { ExternalPart } from "./part.ts";

/** One change of one item. Applied in order to an empty map, the events give the last complete listing. */
export type ExternalEvent<T> =
  /** An item that was not there before. */
  | { readonly type: "added"; readonly item: T; readonly previous?: undefined }
  /** An item that changed. `previous` is its last state, where the source remembers it. */
  | { readonly type: "modified"; readonly item: T; readonly previous?: T }
  /** An item that is gone: the last state known of it. */
  | { readonly type: "removed"; readonly item: T; readonly previous?: undefined };

/** What a watch hands to a source for one poll. */
export interface PollOptions {
  /** Aborts the poll: the watch ended, or the poll took longer than the watch's `timeout`. */
  readonly signal: AbortSignal;
  /** To be called once a request, so that the poll's span can count them. */
  readonly onRequest?: () => void;
  /**
   * To be called if the server asks not to be polled for so many milliseconds: the wait after a good poll is lengthened to
   * that, up to the watch's `maxBackoff` where that is set, and up to one day where it is not. It is never shortened.
   */
  readonly onCadence?: (wait: number) => void;
  /**
   * Takes one line about something that is not as it should be, and does not fail the poll: a watch writes it to its
   * logger. Default: `console.warn`.
   */
  readonly onWarning?: (message: string) => void;
  /**
   * The events of this poll are acknowledged one by one, by the source's `acknowledgement`: reading on says nothing of
   * the event before. Only set for sources that have one.
   */
  readonly each?: true;
  /**
   * Report all that is known once more, also what did not change: as `modified`, with `previous` equal to the item where
   * the source remembers it. A source that cannot may leave it out.
   */
  readonly all?: true;
  /**
   * List, compare and commit this part alone: the keys that begin with a prefix, or these very keys. Only set for sources
   * with `parts`.
   */
  readonly part?: ExternalPart;
}

/**
 * What lets the events of a source be handled side by side: the source is told of each one what became of it. Without it,
 * whoever reads an event says with the next one that the one before was handled.
 *
 * It is used for polls with `each`. An event that was handed out and of which nothing was said yet is in doubt, as is one
 * that was set aside: `save` says so at any moment, and what was in doubt is reported by the first poll behind `restore`.
 *
 * @example
 * ```ts
 * import type { Acknowledgement, ExternalSource } from "@koprs/external/watcher";
 *
 * // One item, which is new until it was handled.
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
  /** What tells the items of this source apart. Two events of one key are never handled at once. */
  keyOf(event: ExternalEvent<T>): string;
  /** The event handed out last for this key was handled. */
  handled(key: string): void;
  /**
   * The event handed out last for this key was not handled: what the consumer knows of it is in doubt. Polls go on, and do
   * not report the key until it was handled.
   */
  setAside(key: string): void;
  /**
   * The event to hand out next for a key that was set aside, with its newest state: `added` if it was never handled,
   * `removed` if it is gone, `modified` otherwise. Undefined if the source can only tell at its next poll, which reports
   * the key then.
   */
  again(key: string): ExternalEvent<T> | undefined;
  /** The keys that are set aside. */
  asideKeys(): Iterable<string>;
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
   *
   * A rejection is a failed poll: it is reported, and the watch goes on. Except with an `ExternalError` of code
   * `checkpoint`, which says that the state from `restore` cannot be trusted, such as when it turns out to be of
   * another server: that ends the stream, and nothing is saved. The same holds for what the iterable throws.
   */
  poll(options: PollOptions): Promise<Iterable<ExternalEvent<T>>>;
  /**
   * What a poll would give that finds nothing any more: `removed` for all that is known or in doubt. Makes no request.
   * Reading it to its end commits. Optional: without it, a group cannot report what was known of a source it removes.
   */
  withdraw?(options: PollOptions): Iterable<ExternalEvent<T>>;
  /**
   * What it asks, such as a host name and port: a group bounds how many polls ask the same at once. Optional: without it,
   * only the bound for all polls holds.
   */
  readonly host?: string;
  /** The committed state, as bytes a later `restore` understands. Without it there is no checkpoint. */
  save?(): Uint8Array;
  /** Takes back what `save` gave. Called before the first poll. */
  restore?(state: Uint8Array): void;
  /** Takes note of every single event. Optional: without it, events handled side by side are acknowledged in order. */
  readonly acknowledgement?: Acknowledgement<T>;
  /** Whether `poll` heeds `part`. */
  readonly parts?: boolean;
}
