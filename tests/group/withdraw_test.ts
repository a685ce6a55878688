import {
  CollectionPoller,
  type ExternalSource,
  HttpPoller,
  ObjectStorePoller,
} from "@koprs/external";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../http/_http_server.ts";

const options = () => ({ signal: new AbortController().signal });

/** What a source withdraws, and what it knows afterwards: nothing, also behind a restart. */
async function withdrawn<T>(source: ExternalSource<T>, other: ExternalSource<T>): Promise<T[]> {
  for (const _ of await source.poll(options()));
  const events = [...source.withdraw?.(options()) ?? []];
  assert.ok(events.every(({ type }) => type === "removed"));
  assert.deepEqual([...source.withdraw?.(options()) ?? []], []);
  other.restore?.(source.save?.() ?? new Uint8Array());
  assert.deepEqual([...other.withdraw?.(options()) ?? []], []);
  const again = [...await source.poll(options())];
  assert.ok(again.length === events.length && again.every(({ type }) => type === "added"));
  return events.map(({ item }) => item);
}

test("a store's poller withdraws every object, whatever 'maxRemoved' says, without a request", async () => {
  const store = new MemoryStore();
  for (const key of ["a", "b", "c"]) await store.put(key, key);
  const poller = () => new ObjectStorePoller(store, { maxRemoved: 0.1 });
  assert.deepEqual((await withdrawn(poller(), poller())).map(({ key }) => key), ["a", "b", "c"]);
});

test("a collection's poller withdraws every item, also where only versions are remembered", async () => {
  for (const remember of ["json", "version"] as const) {
    const poller = () =>
      new CollectionPoller<{ id: string; rev: string; gone?: boolean }>({
        name: "items",
        async *list() {
          yield [{ id: "a", rev: "1" }, { id: "b", rev: "2" }];
        },
        key: ({ id }) => id,
        version: ({ rev }) => rev,
        remember,
        ...(remember === "version" &&
          { removed: (id: string, rev: string) => ({ id, rev, gone: true }) }),
      });
    const gone = remember === "version" ? { gone: true } : {};
    assert.deepEqual(await withdrawn(poller(), poller()), [
      { id: "a", rev: "1", ...gone },
      { id: "b", rev: "2", ...gone },
    ]);
  }
});

test("an HTTP poller withdraws its resource, without user info, and asks for its content anew then", async (t) => {
  let requests = 0;
  const { origin } = await serve(t, (_, response) => {
    requests++;
    response.setHeader("etag", '"1"');
    response.end("content");
  });
  const url = new URL("/config", origin);
  url.username = "me";
  url.password = "secret";
  const poller = () => new HttpPoller(url);
  assert.equal(poller().host, url.host);
  const [gone] = await withdrawn(poller(), poller());
  assert.equal(requests, 2);
  assert.deepEqual(
    [gone?.url, gone?.status, gone?.text(), gone?.etag],
    [`${origin}/config`, 410, "", '"1"'],
  );
});
