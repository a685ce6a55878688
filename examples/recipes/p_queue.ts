/**
 * p-queue: one limit for several watches, such as the rate limit of a service that they all call. The promise that a
 * handler returns settles when its job in the queue is done, so an event counts as handled then, and not sooner.
 */
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { MemoryStore } from "@koprs/external/stores/memory";
import PQueue from "p-queue";

/** Two at once, and no more than five in 100 ms, whichever watch they come from. */
const queue = new PQueue({ concurrency: 2, intervalCap: 5, interval: 100 });

const stores = [new MemoryStore({ name: "urgent" }), new MemoryStore({ name: "usual" })];
for (const store of stores) {
  for (let i = 0; i < 10; i++) await store.put(`object ${i}`, "content");
}

let underWay = 0, most = 0, done = 0;
const order: string[] = [];

/** Stands for a request to the service. */
async function upload(name: string): Promise<void> {
  most = Math.max(most, ++underWay);
  await new Promise((resolve) => setTimeout(resolve, 5));
  underWay--;
  done++;
  order.push(name);
}

const started = performance.now();
await Promise.all(stores.map(async (store) => {
  const watch = watchExternal(new ObjectStorePoller(store), 1_000);
  watch.synced.then(() => watch.close());
  await watch.handle(
    ({ item }, { signal }) =>
      queue.add(() => upload(`${store.name} ${item.key}`), {
        signal, // A timeout or an abort of the watch takes the job out of the queue.
        priority: store.name === "urgent" ? 1 : 0,
      }),
    { concurrency: 10 },
  );
}));

console.log(`${done} objects, at most ${most} at once`);
console.log(
  `${Math.round(performance.now() - started)} ms, first ${order[0]}, last ${order.at(-1)}`,
);
