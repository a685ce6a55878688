// Every server of this folder starts, answers, survives a crash on its port and with its data, and
// leaves nothing behind.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { missingAzurite, startAzurite } from "./azurite.ts";
import { missingFakeGcs, startFakeGcs } from "./gcs.ts";
import { missingMinio, startMinio } from "./minio.ts";
import { missingNginx, startNginx } from "./nginx.ts";
import { httpStatus, isAlive, type ServerProcess, startServer } from "./process.ts";
import {
  missingNginxWebDav,
  missingRcloneWebDav,
  startNginxWebDav,
  startRcloneWebDav,
} from "./webdav.ts";

const timeout = 60_000;

interface Case {
  readonly name: string;
  readonly missing: () => Promise<string | undefined>;
  readonly start: () => Promise<ServerProcess>;
  readonly path?: string;
  readonly status: number;
}

const cases: Case[] = [
  { name: "MinIO", missing: missingMinio, start: startMinio, status: 403 },
  {
    name: "fake-gcs-server",
    missing: missingFakeGcs,
    start: startFakeGcs,
    path: "/storage/v1/b?project=koprs-test",
    status: 200,
  },
  {
    name: "Azurite",
    missing: missingAzurite,
    start: startAzurite,
    path: "/koprsaccount?comp=list",
    status: 403,
  },
  { name: "nginx", missing: missingNginx, start: startNginx, path: "/none", status: 404 },
  { name: "rclone", missing: missingRcloneWebDav, start: startRcloneWebDav, status: 200 },
  {
    name: "nginx dav-ext",
    missing: missingNginxWebDav,
    start: startNginxWebDav,
    path: "/none",
    status: 404,
  },
];

for (const { name, missing, start, path = "/", status } of cases) {
  test(`${name} starts, is killed, restarts on its port, stops`, { timeout }, async (t) => {
    const reason = await missing();
    if (reason !== undefined) return t.skip(reason);
    const server = await start();
    try {
      const url = `http://127.0.0.1:${server.port}${path}`;
      const first = server.pid;
      assert.equal(await statusOf(url), status);
      assert.ok(isAlive(first));

      await server.kill();
      assert.equal(isAlive(first), false);
      await assert.rejects(fetch(url));

      await server.restart();
      assert.notEqual(server.pid, first);
      assert.equal(await statusOf(url), status);

      const second = server.pid;
      await server.stop();
      assert.equal(isAlive(second), false);
      assert.equal(existsSync(server.folder), false);
      await assert.rejects(fetch(url));
      await assert.rejects(server.restart(), /stopped for good/);
    } finally {
      await server.stop();
    }
  });
}

test("MinIO keeps what it was given over a kill", { timeout }, async (t) => {
  const reason = await missingMinio();
  if (reason !== undefined) return t.skip(reason);
  const server = await startMinio();
  try {
    await server.createBucket("things");
    await server.putMany(
      "things",
      Array.from({ length: 1_500 }, (_, i) => ({
        key: `folder/${String(i).padStart(5, "0")}.txt`,
        body: `object ${i}`,
        lastModified: Date.UTC(2024, 0, 1),
      })),
    );
    await server.kill();
    await server.restart();
    const query = { "list-type": "2", "start-after": "folder/00999.txt" };
    const listing = await (await server.send("GET", "/things", { query })).text();
    assert.equal(listing.match(/<Key>/g)?.length, 500);
    assert.match(listing, /<LastModified>2024-01-01T00:00:00.000Z</);
  } finally {
    await server.stop();
  }
});

test("fake-gcs-server keeps what it was given over a kill", { timeout }, async (t) => {
  const reason = await missingFakeGcs();
  if (reason !== undefined) return t.skip(reason);
  const server = await startFakeGcs();
  try {
    await server.createBucket("things");
    await server.putMany(
      "things",
      Array.from({ length: 300 }, (_, i) => ({
        key: `folder/${i} ü?#%2F`,
        body: `object ${i}`,
      })),
    );
    const list = async () => {
      const response = await fetch(`${server.endpoint}/storage/v1/b/things/o?maxResults=1000`);
      const { items } = await response.json() as {
        items: { name: string; generation: string; etag: string }[];
      };
      return items.map(({ name, generation }) => `${name} ${generation}`).sort();
    };
    const before = await list();
    assert.equal(before.length, 300);
    await server.kill();
    await server.restart();
    assert.deepEqual(await list(), before);
  } finally {
    await server.stop();
  }
});

test("nginx answers 304, and a weak ETag where it compresses", { timeout }, async (t) => {
  const reason = await missingNginx();
  if (reason !== undefined) return t.skip(reason);
  const server = await startNginx({ gzip: true });
  try {
    await writeFile(join(server.root, "config.json"), JSON.stringify({ a: "b".repeat(1_000) }));
    const get = async (headers: Record<string, string>) => {
      const response = await fetch(`${server.url}/config.json`, { headers });
      await response.arrayBuffer();
      return response;
    };
    const plain = await get({ "accept-encoding": "identity" });
    const etag = plain.headers.get("etag") ?? "";
    assert.match(etag, /^"[0-9a-f]+-[0-9a-f]+"$/);
    assert.ok(plain.headers.get("last-modified"));
    const packed = await get({ "accept-encoding": "gzip" });
    assert.equal(packed.headers.get("etag"), `W/${etag}`);
    // Node says no-cache by itself otherwise, and some servers heed that.
    const unchanged = { "if-none-match": etag, "cache-control": "max-age=0" };
    assert.equal((await get(unchanged)).status, 304);
  } finally {
    await server.stop();
  }
});

for (
  const [name, missing, start] of [
    ["rclone", missingRcloneWebDav, startRcloneWebDav],
    ["nginx dav-ext", missingNginxWebDav, startNginxWebDav],
  ] as const
) {
  test(`${name} lists what is written to its folder`, { timeout }, async (t) => {
    const reason = await missing();
    if (reason !== undefined) return t.skip(reason);
    const server = await start();
    try {
      const list = async () => {
        const response = await fetch(server.url, { method: "PROPFIND", headers: { depth: "1" } });
        assert.equal(response.status, 207);
        return await response.text();
      };
      assert.doesNotMatch(await list(), /one\.txt/);
      await writeFile(join(server.root, "one.txt"), "one");
      assert.match(await list(), /one\.txt/);
      const put = await fetch(`${server.url}two.txt`, { method: "PUT", body: "two" });
      await put.body?.cancel();
      assert.equal(put.status, 201);
      assert.match(await list(), /two\.txt/);
    } finally {
      await server.stop();
    }
  });
}

test("rclone asks for its password", { timeout }, async (t) => {
  const reason = await missingRcloneWebDav();
  if (reason !== undefined) return t.skip(reason);
  const server = await startRcloneWebDav({ auth: true });
  try {
    assert.equal(await statusOf(server.url), 401);
    const { user, password } = server.credentials ?? { user: "", password: "" };
    const response = await fetch(server.url, {
      headers: { authorization: `Basic ${btoa(`${user}:${password}`)}` },
    });
    await response.body?.cancel();
    assert.equal(response.status, 200);
  } finally {
    await server.stop();
  }
});

test(
  "a paused server accepts and does not answer, and stops all the same",
  { timeout },
  async (t) => {
    const reason = await missingNginx();
    if (reason !== undefined) return t.skip(reason);
    const server = await startNginx();
    try {
      server.pause();
      const signal = AbortSignal.timeout(300);
      await assert.rejects(fetch(server.url, { signal }), { name: "TimeoutError" });
      server.resume();
      assert.notEqual(await httpStatus(server.port, "/"), undefined);
      server.pause();
      const pid = server.pid;
      await server.stop();
      assert.equal(isAlive(pid), false);
    } finally {
      await server.stop();
    }
  },
);

test("a server that does not start says what it printed", { timeout }, async () => {
  await assert.rejects(
    startServer({
      name: "broken",
      launch: () => ({ command: "/bin/sh", args: ["-c", "echo no such drive >&2; exit 3"] }),
      ready: () => Promise.resolve(false),
    }),
    /Cannot start broken on port \d+: exit code 3\nno such drive/,
  );
});

test("a server that never answers is ended in time", { timeout }, async () => {
  let port = 0;
  await assert.rejects(
    startServer({
      name: "mute",
      launch: (place) => {
        port = place.port;
        return { command: "/bin/sh", args: ["-c", "exec sleep 60"] };
      },
      ready: ({ port }) => httpStatus(port, "/").then((status) => status !== undefined),
      startTimeout: 300,
    }),
    /Cannot start mute on port \d+: no answer within 300 ms/,
  );
  assert.equal(await httpStatus(port, "/"), undefined);
});

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}
