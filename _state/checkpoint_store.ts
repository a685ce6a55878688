/** The contract between a watch and the place where its state is kept. */

/**
 * Keeps the state of watches, each under the name of its source.
 *
 * A rejection with an {@linkcode ExternalError} of code `checkpoint` means that this process must
 * stop, such as when another one has taken over: it ends the stream. Any other rejection counts as
 * transient: a load, and a save before the first event of a poll, are tried again like a failed
 * poll; any other save is tried again after the next events.
 *
 * A load or a save that takes longer than 60 s is reported as failed (a save may take a second more
 * for each megabyte). It is not stopped. No save under a key begins before the previous one has
 * settled, so a late save never overwrites newer state. A late load is called again, and the result
 * of the first call is dropped.
 */
export interface CheckpointStore {
  /**
   * The state saved last under this key, or undefined if there is none.
   *
   * @param key The name of the source.
   */
  load(key: string): Promise<Uint8Array | undefined>;
  /**
   * Replaces the state under this key, completely or not at all, even if the process crashes.
   *
   * @param key The name of the source.
   * @param state The state of the source: at most 2 GiB, and not changed before the save settles.
   */
  save(key: string, state: Uint8Array): Promise<void>;
  /**
   * Loads the state under this key, and takes the key over. From then on, another store object that
   * loaded, claimed or saved the key before, in this process or another one, can no longer write:
   * its `save` and `delete` reject with code `checkpoint` and change nothing, even if they were
   * sent before the claim and arrive late. Resolves to what was saved before the claim. Of
   * concurrent claims, the last one holds. A claim whose answer is lost may hold; it is repeated
   * like a load. A key without a state can be claimed too. After a claim, the caller should check
   * whether the source still belongs to it: the process may have been frozen before the claim.
   *
   * A store object does not lock itself out by a claim, so it may repeat it. Optional.
   *
   * @param key The name of the source.
   */
  claim?(key: string): Promise<Uint8Array | undefined>;
  /**
   * Forgets the state under this key: a later load resolves to undefined. Does nothing if there is
   * none. Another store object that used the key before fails at its next save, as after a claim. A
   * store object that has lost the key to another claim cannot delete it (code `checkpoint`). One
   * that has not used the key yet, or has deleted it, deletes whatever is there. Optional.
   *
   * @param key The name of the source.
   */
  delete?(key: string): Promise<void>;
  /**
   * The keys that have a state, each once, in no particular order. Takes no key over. Keys that are
   * saved or deleted meanwhile may or may not be listed. Optional.
   */
  list?(): AsyncIterable<string>;
  /**
   * Where the state of this key is kept, such as a path: shown with an error about it. Holds no secret.
   * Optional.
   *
   * @param key The name of the source.
   */
  locate?(key: string): string | Promise<string>;
}
