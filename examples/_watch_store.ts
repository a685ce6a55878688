/** Watches a store, and reads what changed: the part that the examples of several stores have in common. */
import { type ObjectStore, ObjectStorePoller, watchExternal } from "@koprs/external";

/** What to watch of a store, and how often. */
export interface WatchedPart {
  readonly prefix: string;
  /** Milliseconds between two polls. */
  readonly interval: number;
  /** For a demonstration: what to do after each event. It ends with the event after the last. */
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
      // Of this very state: if the object has changed since, this fails, and the next poll tells of it.
      const content = await store.get(item.key, { ifMatch: item.etag });
      console.log("        ", (await new Response(content).text()).slice(0, 60));
    }
    if (steps === undefined) continue;
    const step = steps.shift();
    if (step === undefined) break;
    await step();
  }
}
