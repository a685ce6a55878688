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
   * Loads the state under this key, and takes it over: from then on every `save` and `delete` of whoever loaded, claimed or
   * saved it before by another store object, in this process or another one, rejects with code `checkpoint` and
   * changes nothing, also one that was sent before and arrives late. What was saved before the claim is what it gives. Of claims
   * that cross, the last one holds. A claim whose answer is lost may hold; it is made anew like a load. Also holds for a
   * key without a state. Whoever claims should look behind it whether the source is still its own: a process may freeze
   * before it claims.
   *
   * A claim takes nothing from the store object that makes it, so it may be repeated. Optional.
   *
   * @param key The name of the source.
   */
  claim?(key: string): Promise<Uint8Array | undefined>;
  /**
   * Forgets the state under this key: a later load gives undefined. Does nothing if there is none. Whoever else had the
   * key before is stopped by its next save, as by a claim; whoever has lost it to another claim cannot delete it
   * (code `checkpoint`). A store object that has not had the key, or has deleted it,
   * takes it as it is. Optional.
   *
   * @param key The name of the source.
   */
  delete?(key: string): Promise<void>;
  /**
   * The keys that have a state, in no order, each once. Takes no key from anybody. What is saved or deleted meanwhile may be
   * listed or not. Optional.
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
