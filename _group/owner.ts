/** Who decides which sources of a group this process polls. */

/**
 * Tells which sources of a group are this process's own, so that replicas share them.
 *
 * @example All sources whose names begin with a letter of the first half
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
  /** Whether this process may poll the source now. Asked often: it must be quick, and may be asked at any time. */
  owns(name: string): boolean;
  /** Yields whenever what `owns` says may have changed. Each iteration of it gets every change. */
  readonly changes: AsyncIterable<void>;
}
