/** Listens to the owner of a group's sources. */
import type { GroupOwner } from "./owner.ts";

/**
 * Calls `changed` at every change, until the returned function is called. If the owner's iteration throws, calls
 * `failed` once and ends.
 */
export function followOwner(
  owner: GroupOwner,
  listener: { changed: () => void; failed: (error: unknown) => void },
): () => void {
  let stopped = false;
  const changes = owner.changes[Symbol.asyncIterator]();
  const listen = async () => {
    while (!stopped) {
      const { done } = await changes.next();
      if (done || stopped) return;
      listener.changed();
    }
  };
  listen().catch((error) => {
    if (!stopped) listener.failed(error);
  });
  return () => {
    stopped = true;
    // Not awaited: it may settle only when the next change comes.
    changes.return?.().catch(() => {});
  };
}
