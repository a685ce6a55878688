/** The rules of reading and writing one object. */
import assert from "node:assert/strict";
import { bytesOf, promptly, randomNumbers, rejectsAsStore, rejectsWith } from "./harness.ts";
import { fill, find, isSame, list, read, type StoreRule } from "./store_fixture.ts";

export const CONTENT_RULES: readonly StoreRule[] = [
  ["get streams the exact bytes", async (fixture) => {
    const large = new Uint8Array(1_000_000);
    const random = randomNumbers(1);
    for (let i = 0; i < large.length; i++) large[i] = random() * 256;
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const [key, body] of Object.entries({ large, every, empty: new Uint8Array() })) {
      await fixture.put(key, body);
      const got = await read(await fixture.store.get(key));
      assert.ok(isSame(got, body), `${key}: ${got.length} bytes of ${body.length}`);
    }
  }],

  ["get of a missing key rejects with status 404", async (fixture) => {
    await fill(fixture, ["there"]);
    await rejectsAsStore(fixture.store.get("not-there"), "get of a missing key", 404);
  }],

  [
    "get with the ETag of an event gives that content or rejects with status 412",
    async (fixture, t) => {
      const { store } = fixture;
      await fill(fixture, ["a"], "old");
      const { etag } = await find(fixture, "a");
      if (etag === undefined) return t.skip("the store has no ETags");
      assert.equal(await new Response(await store.get("a", { ifMatch: etag })).text(), "old");
      await fill(fixture, ["a"], "new");
      await rejectsAsStore(store.get("a", { ifMatch: etag }), "get with an outdated ETag", 412);
      const now = await find(fixture, "a");
      assert.equal(
        await new Response(await store.get("a", { ifMatch: now.etag ?? "" })).text(),
        "new",
      );
    },
  ],

  ["get heeds its signal", async (fixture) => {
    await fixture.put("a", new Uint8Array(1_000_000));
    const controller = new AbortController();
    const { signal } = controller;
    const stream = await fixture.store.get("a", { signal });
    const reason = new Error("enough");
    controller.abort(reason);
    // What has arrived already may still be read.
    await promptly(read(stream).catch(() => {}), "reading after an abort");
    await rejectsWith(fixture.store.get("a", { signal }), reason, "get with an aborted signal");
  }],

  ["content that is not read to its end can be cancelled", async (fixture) => {
    await fixture.put("a", new Uint8Array(1_000_000));
    const reader = (await fixture.store.get("a")).getReader();
    await reader.read();
    await promptly(reader.cancel(), "cancel");
  }],

  ["put with ifNoneMatch writes only what is not there", async (fixture, t) => {
    const { store } = fixture;
    if (store.put === undefined) return t.skip("the store has no 'put'");
    const { etag } = await store.put("a", bytesOf("1"), { ifNoneMatch: "*" });
    assert.equal(etag, (await find(fixture, "a")).etag, "put must give the ETag of a listing");
    await rejectsAsStore(
      store.put("a", bytesOf("2"), { ifNoneMatch: "*" }),
      "put with ifNoneMatch over an existing object",
      412,
    );
    assert.equal(await new Response(await store.get("a")).text(), "1");
    await store.put("a", bytesOf("3"));
    assert.equal(await new Response(await store.get("a")).text(), "3");
  }],

  ["put with ifMatch writes only over that state", async (fixture, t) => {
    const { store } = fixture;
    if (store.put === undefined) return t.skip("the store has no 'put'");
    const { etag: first } = await store.put("a", bytesOf("1"));
    if (first === undefined) return t.skip("'put' gives no ETag");
    const { etag: second } = await store.put("a", bytesOf("2"), { ifMatch: first });
    assert.notEqual(second, first);
    const stale = store.put("a", bytesOf("3"), { ifMatch: first });
    await rejectsAsStore(stale, "put with an outdated ETag", 412);
    assert.equal(await new Response(await store.get("a")).text(), "2");
    await fixture.delete("a");
    const gone = store.put("a", bytesOf("4"), { ifMatch: second ?? first });
    await rejectsAsStore(gone, "put with the ETag of a deleted object", 412);
    assert.deepEqual(await list(fixture), []);
  }],
];
