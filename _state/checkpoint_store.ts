/** The contract between a watch and the place its state is kept in. */

/**
 * Keeps the state of watches, each under the name of its source.
 *
 * A rejection with an {@linkcode ExternalError} of code `checkpoint` means that this process must not go
 * on, such as when another one has taken over: it ends the stream. Any other is taken to pass: a load, and
 * a save before the first event of a poll, are tried again like a failed poll; another save behind the next
 * events.
 *
 * A load or a save that takes longer than 60 s is reported as failed (a save may take a second more for each
 * megabyte). It is not stopped. No save under a key begins before the one before it has settled, so one that comes
 * late never overwrites a newer state. A load is called anew, and what the late one brings is dropped.
 */
export interface CheckpointStore {
  /**
   * The state saved last under this key, or undefined if there is none.
   *
   * @param key The name of the source.
   */
  load(key: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the state under this key: whole or not at all, also through a crash.
   *
   * @param key The name of the source.
   * @param state What the source gave: at most 2 GiB, and not changed before the save settles.
   */
  save(key: string, state: Uint8Array): Promise<void>;
  /**
   * Where the state of this key is kept, such as a path: shown with an error about it. Holds no secret.
   * Optional.
   *
   * @param key The name of the source.
   */
  locate?(key: string): string | Promise<string>;
}
