/**
 * RxJS: `from` takes the events of a watch. An event counts as handled as soon as RxJS has taken it, even if an
 * operator holds it back: for slow work that must not be lost, use `watch.handle`.
 */
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { MemoryStore } from "@koprs/external/stores/memory";
import { finalize, from, groupBy, map, mergeMap, scan, take } from "rxjs";

const store = new MemoryStore();
await store.put("in/a.csv", "1");
await store.put("in/b.csv", "22");
await store.put("out/c.csv", "333");

const watch = watchExternal(new ObjectStorePoller(store), 50);
// The fourth event comes with a later poll.
watch.synced.then(() => store.put("in/a.csv", "a longer one"));

/** Bytes in each folder, as they change. */
const sizes = from(watch.values()).pipe(
  take(4),
  groupBy(({ item }) => item.key.slice(0, item.key.indexOf("/"))),
  mergeMap((folder) =>
    folder.pipe(
      scan(
        (bytes, { type, item, previous }) =>
          bytes + (type === "removed" ? -item.size : item.size - (previous?.size ?? 0)),
        0,
      ),
      map((bytes) => `${folder.key}: ${bytes} bytes`),
    )
  ),
  // RxJS would leave the iterable only at its next value: this ends the polls at once.
  finalize(() => watch.close()),
);

await new Promise<void>((resolve, reject) => {
  sizes.subscribe({ next: (line) => console.log(line), complete: resolve, error: reject });
});
