/** Watches a store, and reads the objects that changed: shared by the examples of several stores. */
import { type ObjectStore, ObjectStorePoller, watchExternal } from "@koprs/external";

/** What to watch of a store, and how often. */
export interface WatchedPart {
  readonly prefix: string;
  /** Milliseconds between two polls. */
  readonly interval: number;
  /** For a demonstration: each is called after one event. The watch ends at the event after the last of them. */
  readonly steps?: (() => Promise<unknown>)[];
}

export async function watchStore(
  store: ObjectStore,
  { prefix, interval, steps }: WatchedPart,
): Promise<void> {
  const watch = watchExternal(new ObjectStorePoller(store, { prefix }), {
    interval,
    onError: (error) => console.error(error.message),
  });
  for await (const { type, item } of watch) {
    console.log(type.padEnd(8), item.key, item.size, item.etag ?? "");
    if (type !== "removed") {
      // Exactly this version: if the object has changed since, this fails, and the next poll reports the change.
      const content = await store.get(item.key, { ifMatch: item.etag });
      console.log("        ", (await new Response(content).text()).slice(0, 60));
    }
    if (steps === undefined) continue;
    const step = steps.shift();
    if (step === undefined) break;
    await step();
  }
}
