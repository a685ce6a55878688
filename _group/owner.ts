/** Who decides which sources of a group this process polls. */

/**
 * Tells which sources of a group this process owns, so that replicas share them.
 *
 * @example Own all sources whose names begin with a letter from a to m
 * ```ts
 * import type { GroupOwner } from "@koprs/external/kubernetes";
 *
 * const owner: GroupOwner = {
 *   owns: (name) => name < "n",
 *   changes: (async function* () {})(), // it never changes
 * };
 * console.assert(owner.owns("config"));
 * ```
 */
export interface GroupOwner {
  /** Whether this process may poll the source now. It is called often and at any time, so it must be quick. */
  owns(name: string): boolean;
  /**
   * Yields whenever the result of `owns` may have changed. Several iterations may run at once, and each gets every
   * change.
   */
  readonly changes: AsyncIterable<void>;
}
