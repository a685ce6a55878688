// The counts of a source, from outside, while it polls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow } from "../../_cli/progress.ts";
import type { PollOptions } from "../../_diff/source.ts";
import { ObjectStorePoller } from "../../_listing/object_store_poller.ts";
import { type ScannedPage, type ScanningStore, scanPages } from "../../_listing/scanning_store.ts";
import { MemoryStore } from "../../stores/memory.ts";

const signal = new AbortController().signal;

test("requests are counted anew for each poll, and passed on", async () => {
  const counts: unknown[] = [];
  const source = {
    name: "s",
    poll({ onRequest }: PollOptions) {
      onRequest?.();
      counts.push(progress.requests, typeof progress.startedAt);
      onRequest?.();
      return Promise.resolve([]);
    },
  };
  const progress = follow(source, undefined);
  const none = { startedAt: undefined, requests: 0, listed: 0, known: undefined };
  assert.deepEqual({ ...progress }, none);
  let asked = 0;
  await source.poll({ signal, onRequest: () => asked++ });
  assert.deepEqual([asked, progress.requests], [2, 2]);
  await source.poll({ signal });
  assert.deepEqual(counts, [1, "number", 1, "number"]);
  assert.deepEqual({ ...progress }, { ...none, requests: 2 });
});

test("objects are counted page by page, and known once a listing is complete", async () => {
  const store = new MemoryStore({ pageSize: 2 });
  for (const key of ["a", "b", "c"]) await store.put(key, key);
  const list = store.list.bind(store);
  const listed: number[] = [];
  let broken = false;
  store.list = async function* (options) {
    for await (const page of list(options)) {
      if (broken) throw new Error("down");
      yield page;
      listed.push(progress.listed);
    }
  };
  const source = new ObjectStorePoller(store, { prefix: "" });
  const progress = follow(source, store);
  const poll = async () => [...await source.poll({ signal, onWarning: () => {} })].length;
  assert.equal(await poll(), 3);
  assert.deepEqual([listed, progress.listed, progress.known], [[2, 3], 3, 3]);
  await store.delete("b");
  assert.equal(await poll(), 1);
  assert.deepEqual([progress.listed, progress.known], [2, 2]);
  broken = true;
  await assert.rejects(poll());
  // How many there are is what the last complete listing said.
  assert.deepEqual([progress.listed, progress.known, progress.startedAt], [0, 2, undefined]);
});

test("a store that reads its answers itself is counted as well", async () => {
  const pages: ScannedPage[] = [3, 4].map((count) => ({ count, addTo: () => {} }));
  const options = { prefix: "p" };
  const store: ScanningStore = {
    name: "s",
    async *list() {},
    get: () => Promise.reject(new Error("none")),
    async *[scanPages](given) {
      assert.equal(given, options);
      assert.equal(this, store);
      yield* pages;
    },
  };
  const progress = follow({ name: "s", poll: () => Promise.resolve([]) }, store);
  const seen: unknown[] = [];
  for await (const page of store[scanPages](options)) seen.push(page, progress.listed);
  assert.deepEqual(seen, [pages[0], 3, pages[1], 7]);
});
