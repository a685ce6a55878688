/** The rule of signals: no call leaves a listener on the signal that it was given. */
import { bytesOf, CountedSignal, promptly } from "./harness.ts";
import { fill, find, pollerOf, read, type StoreRule } from "./store_fixture.ts";

export const SIGNAL_RULES: readonly StoreRule[] = [
  ["nothing leaves a listener on its signal", async (fixture, t) => {
    if (fixture.leavesSignals !== true) return t.skip("not 'leavesSignals'");
    const { store } = fixture;
    await fill(fixture, Array.from({ length: 2 * (fixture.pageSize ?? 10) + 1 }, (_, i) => `${i}`));
    await fixture.put("00", new Uint8Array(1_000_000));
    const { etag } = await find(fixture, "00");
    const counted = new CountedSignal();
    const { signal } = counted;

    await Array.fromAsync(store.list({ signal }));
    await counted.isLeft("a listing that was read to its end");
    for await (const _ of store.list({ signal })) break;
    await counted.isLeft("a listing that was left early");
    const poller = pollerOf(fixture);
    await poller.poll({ signal });
    await counted.isLeft("a poll that was not read");
    Array.from(await poller.poll({ signal }));
    await counted.isLeft("a poll that was read");

    await read(await store.get("00", { signal }));
    await counted.isLeft("content that was read to its end");
    const reader = (await store.get("00", { signal })).getReader();
    await reader.read();
    await settled(reader.cancel());
    await counted.isLeft("content that was cancelled");
    await settled((await store.get("00", { signal })).cancel());
    await counted.isLeft("content that was cancelled unread");
    await settled(store.get("missing", { signal }).then((content) => content.cancel()));
    await counted.isLeft("get of a missing key");
    if (etag !== undefined) {
      await fixture.put("00", bytesOf("changed"));
      await settled(store.get("00", { ifMatch: etag, signal }).then((content) => content.cancel()));
      await counted.isLeft("get with an outdated ETag");
    }

    if (store.put !== undefined) {
      await store.put("put", bytesOf("1"), { signal });
      await counted.isLeft("put");
      const again = store.put("put", bytesOf("2"), { ifNoneMatch: "*", signal });
      await settled(again);
      await counted.isLeft("put over an existing object");
    }

    if (fixture.failPage !== undefined) {
      await fixture.failPage(1);
      await settled(Array.fromAsync(store.list({ signal })));
      await counted.isLeft("a listing that failed");
      await fixture.failPage(1);
      await settled(poller.poll({ signal }));
      await counted.isLeft("a poll that failed");
    }
    if (fixture.vanish === undefined) return;
    await fixture.vanish();
    await settled(Array.fromAsync(store.list({ signal })));
    await counted.isLeft("a listing of what has vanished");
  }],
];

/** Waits for a promise to settle, but not for long. Other rules check the result. */
async function settled(promise: Promise<unknown>): Promise<void> {
  await promptly(promise, "it").catch(() => {});
}
