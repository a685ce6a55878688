/** Listens to the owner of a group's sources. */
import type { GroupOwner } from "./owner.ts";

/** Tells of every change, until what it returns is called. What the owner's iteration throws is told once, and ends it. */
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
    // It may answer only when the change comes that it waits for: nobody waits for that.
    changes.return?.().catch(() => {});
  };
}
