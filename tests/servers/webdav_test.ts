// WebDavStore against servers whose listings carry ETags of all kinds, and one whose do not.
import { ObjectStorePoller } from "@koprs/external/store";
import type { ObjectMeta } from "@koprs/external/store";
import { WebDavStore, type WebDavStoreOptions } from "@koprs/external/stores/webdav";
import { testStore } from "@koprs/external/testing";
import { watchExternal } from "@koprs/external/watcher";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { chmod, mkdir, rename, rm } from "node:fs/promises";
import { test } from "node:test";
import {
  isError,
  isPath,
  keysOf,
  list,
  readOnly,
  servers,
  write,
  writeLater,
} from "./_webdav_servers.ts";
import { missingRcloneWebDav, startRcloneWebDav } from "./webdav.ts";
import { ExternalError } from "@koprs/external/error";

const timeout = 60_000;

for (const { name, missing, start, refuses, heeds, tells } of servers) {
  if (missing !== undefined) {
    test(`WebDAV by ${name}`, { skip: missing }, () => {});
    continue;
  }

  testStore(`WebDavStore on ${name}`, async () => {
    const server = await start();
    let failAt = 0;
    let requests = 0;
    const options: WebDavStoreOptions = {
      fetch: (...request) => {
        if (++requests === failAt) return Promise.resolve(new Response("busy", { status: 503 }));
        return fetch(...request);
      },
    };
    // Not the folder the server serves: when that is gone, rclone shows it as empty.
    const store = new WebDavStore(`${server.url}inbox`, options);
    const folder = `${server.root}/inbox`;
    await mkdir(folder);
    await chmod(folder, 0o777); // The server may be another user.
    return {
      store: {
        ...readOnly(store),
        ...(heeds && tells && { put: store.put.bind(store) }),
        list(options) {
          requests = 0;
          return store.list(options);
        },
      },
      put: (key, body) => writeLater(server, `inbox/${key}`, body),
      delete: (key) => rm(`${folder}/${key}`),
      accepts: (key) => isPath(key) && !refuses(key),
      failPage: (n) => failAt = n,
      leavesSignals: true,
      vanish: () => rm(folder, { recursive: true }),
      close: () => server.stop(),
    };
  });

  test(`WebDAV by ${name}: thousands of files in nested folders`, { timeout }, async () => {
    const server = await start();
    try {
      const keys: string[] = [];
      for (let i = 0; i < 300; i++) {
        const folder = `f${i % 6}/sub ${i % 30}/é%2F${i}`;
        for (let j = 0; j < 10; j++) keys.push(`${folder}/${j}+&.txt`);
      }
      await Promise.all(keys.map((key) => write(server, key, key)));
      const store = new WebDavStore(server.url);
      const start = performance.now();
      const pages = await Array.fromAsync(store.list());
      const ms = performance.now() - start;
      const listed = keysOf(pages.flat());
      assert.deepEqual(listed, listed.toSorted(byBytes));
      assert.deepEqual(listed, keys.toSorted(byBytes));
      assert.deepEqual(pages.map((page) => page.length), [1_000, 1_000, 1_000]);
      console.log(
        `# ${name}: ${Math.round(keys.length / ms * 1000)} files/s in ${ms.toFixed(0)} ms`,
      );
    } finally {
      await server.stop();
    }
  });

  test(`WebDAV by ${name}: files change while a watch runs`, { timeout }, async () => {
    const server = await start();
    try {
      for (const key of ["a", "b/1", "b/2"]) await write(server, key, "first");
      const store = new WebDavStore(server.url);
      const known = new Map<string, ObjectMeta>();
      const seen: string[] = [];
      const steps = [
        () => write(server, "b/1", "changed"),
        () => rm(`${server.root}/b`, { recursive: true }),
        () => write(server, "c/d/e", "new"),
      ];
      const watch = watchExternal(new ObjectStorePoller(store), { interval: 20, jitter: 0 });
      for await (const { type, item } of watch) {
        seen.push(`${type} ${item.key}`);
        if (type === "removed") known.delete(item.key);
        else known.set(item.key, item);
        // A removal of a folder shows in two events.
        if (["added b/2", "modified b/1", "removed b/2"].includes(seen.at(-1) ?? "")) {
          await steps.shift()?.();
        }
        if (type === "added" && item.key === "c/d/e") break;
      }
      assert.deepEqual(seen.slice(0, 4), ["added a", "added b/1", "added b/2", "modified b/1"]);
      assert.deepEqual([...known.keys()].sort(), ["a", "c/d/e"]);
      assert.equal(await new Response(await store.get("c/d/e")).text(), "new");
    } finally {
      await server.stop();
    }
  });

  test(`WebDAV by ${name}: killed while it lists and restarted, removes nothing`, {
    timeout,
  }, async () => {
    const server = await start();
    try {
      for (let i = 0; i < 40; i++) await write(server, `folder ${i}/file`, "x");
      let requests = 0;
      let killAt = 0;
      const store = new WebDavStore(server.url, {
        fetch: async (...request) => {
          if (++requests === killAt) await server.kill();
          return await fetch(...request);
        },
      });
      const poller = new ObjectStorePoller(store);
      const poll = async () => [...await poller.poll({ signal: new AbortController().signal })];
      assert.equal((await poll()).length, 40);
      for (const at of [2, 12, 39]) {
        requests = 0;
        killAt = at;
        await assert.rejects(poll(), isError("network"));
        await server.restart();
        killAt = 0;
        assert.deepEqual(await poll(), []);
      }
    } finally {
      await server.stop();
    }
  });

  test(`WebDAV by ${name}: a root that is missing or a file fails the listing`, {
    timeout,
  }, async () => {
    const server = await start();
    try {
      await write(server, "file", "x");
      await write(server, "folder/file", "x");
      await assert.rejects(list(new WebDavStore(`${server.url}none`)), isError("store", 404));
      await assert.rejects(list(new WebDavStore(`${server.url}file`)), (error) => {
        assert.ok(error instanceof ExternalError && error.code === "store", String(error));
        return true;
      });
      const store = new WebDavStore(`${server.url}folder`);
      assert.deepEqual(keysOf(await list(store)), ["file"]);
      const poller = new ObjectStorePoller(store);
      const poll = async () => [...await poller.poll({ signal: new AbortController().signal })];
      await poll();
      await rename(`${server.root}/folder`, `${server.root}/away`);
      await assert.rejects(poll(), isError("store", 404));
      await rename(`${server.root}/away`, `${server.root}/folder`);
      assert.deepEqual(await poll(), []);
    } finally {
      await server.stop();
    }
  });
}

test("WebDAV by rclone: wrong credentials", {
  timeout,
  skip: await missingRcloneWebDav() ?? false,
}, async () => {
  const server = await startRcloneWebDav({ auth: true });
  try {
    await write(server, "a", "x");
    const { user, password } = server.credentials ?? { user: "", password: "" };
    const url = new URL(server.url);
    url.username = user;
    url.password = password;
    const store = new WebDavStore(url);
    assert.deepEqual(keysOf(await list(store)), ["a"]);
    assert.equal(await new Response(await store.get("a")).text(), "x");
    assert.doesNotMatch(store.name, new RegExp(`${user}|${password}`));
    const basic = (password: string) => ({ authorization: `Basic ${btoa(`${user}:${password}`)}` });
    assert.deepEqual(
      keysOf(await list(new WebDavStore(server.url, { headers: basic(password) }))),
      ["a"],
    );
    for (const headers of [basic("wrong-password"), undefined]) {
      const wrong = new WebDavStore(server.url, headers === undefined ? {} : { headers });
      await assert.rejects(list(wrong), isError("store", 401));
      await assert.rejects(wrong.get("a"), isError("store", 401));
      await assert.rejects(list(wrong), (error) => !String(error).includes("wrong-password"));
    }
  } finally {
    await server.stop();
  }
});

test("WebDAV by rclone: an ETag of the content", {
  timeout,
  skip: await missingRcloneWebDav() ?? false,
}, async () => {
  const server = await startRcloneWebDav({ contentEtag: true });
  try {
    const store = new WebDavStore(server.url);
    await write(server, "a", "x");
    const [first] = await list(store);
    await write(server, "a", "x");
    const [same] = await list(store);
    assert.equal(same?.etag, first?.etag);
    await write(server, "a", "y");
    const [other] = await list(store);
    assert.notEqual(other?.etag, first?.etag);
    await assert.rejects(store.get("a", { ifMatch: first?.etag ?? "" }), isError("store", 412));
  } finally {
    await server.stop();
  }
});

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
