/** The contract between a source and the watch that polls it. */

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
  /**
   * Takes one line about something that is not as it should be, and does not fail the poll: a watch writes it to its
   * logger. Default: `console.warn`.
   */
  readonly onWarning?: (message: string) => void;
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
