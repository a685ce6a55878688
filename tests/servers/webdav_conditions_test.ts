// Conditions of reads and writes, against servers that heed them and servers that do not.
import { ObjectStorePoller } from "@koprs/external/store";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import assert from "node:assert/strict";
import { test } from "node:test";
import { isError, keysOf, list, servers, write } from "./_webdav_servers.ts";

const timeout = 60_000;
const body = new TextEncoder().encode("x");

for (const { name, missing, start, heeds } of servers) {
  const skip = missing ?? false;

  test(
    `WebDAV by ${name}: an ETag of the listing is one that a read takes`,
    { timeout, skip },
    async () => {
      const server = await start();
      try {
        await write(server, "a", "first");
        const store = new WebDavStore(server.url);
        const [first] = await list(store);
        // nginx lists none.
        if (first?.etag === undefined) return;
        const read = async () =>
          await new Response(await store.get("a", { ifMatch: first.etag ?? "" })).text();
        assert.equal(await read(), "first");
        await write(server, "a", "another");
        await assert.rejects(read(), isError("store", 412));
        const [second] = await list(store);
        assert.notEqual(second?.etag, first.etag);
      } finally {
        await server.stop();
      }
    },
  );

  test(`WebDAV by ${name}: a tag does not change by itself`, { timeout, skip }, async () => {
    const server = await start();
    try {
      await write(server, "a", "x");
      const poller = new ObjectStorePoller(new WebDavStore(server.url));
      const poll = async () => [...await poller.poll({ signal: new AbortController().signal })];
      assert.equal((await poll()).length, 1);
      // Longer than a tag of Apache is weak.
      const end = performance.now() + 1_500;
      while (performance.now() < end) {
        assert.deepEqual(await poll(), []);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      await server.stop();
    }
  });

  test(`WebDAV by ${name}: a write on a condition ${heeds ? "holds" : "is refused"}`, {
    timeout,
    skip,
  }, async () => {
    const server = await start();
    try {
      const store = new WebDavStore(server.url);
      await store.put("a", body);
      const exists = store.put("a", body, { ifNoneMatch: "*" });
      await assert.rejects(exists, isError("store", heeds ? 412 : undefined));
      assert.deepEqual(keysOf(await list(store)), ["a"], "nothing of the question is left");
      if (!heeds) return;
      const [{ etag = "" } = {}] = await list(store);
      await store.put("a", new TextEncoder().encode("second"), { ifMatch: etag });
      await assert.rejects(store.put("a", body, { ifMatch: etag }), isError("store", 412));
      await assert.rejects(store.put("b", body, { ifMatch: etag }), isError("store", 412));
      assert.equal(await new Response(await store.get("a")).text(), "second");
    } finally {
      await server.stop();
    }
  });

  test(`WebDAV by ${name}: checkpoints ${heeds ? "are fenced" : "are refused"}`, {
    timeout,
    skip,
  }, async () => {
    const server = await start();
    try {
      const one = new ObjectCheckpointStore(new WebDavStore(server.url), { prefix: "" });
      const two = new ObjectCheckpointStore(new WebDavStore(server.url), { prefix: "" });
      if (!heeds) {
        await assert.rejects(one.save("key", body));
        return;
      }
      await one.save("key", Uint8Array.of(1));
      assert.deepEqual(await two.load("key"), Uint8Array.of(1));
      await two.save("key", Uint8Array.of(2, 2));
      await assert.rejects(one.save("key", Uint8Array.of(3)), isError("checkpoint", 412));
      assert.deepEqual(await two.load("key"), Uint8Array.of(2, 2));
      await two.save("key", Uint8Array.of(4));
    } finally {
      await server.stop();
    }
  });
}
