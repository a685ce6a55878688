// S3Store on MinIO, with the real SDK: the conformance suite, and what only a real server shows.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { ExternalError } from "@koprs/external/error";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";
import { testStore } from "@koprs/external/testing";
import { type ExternalEvent, watchExternal } from "@koprs/external/watcher";
import { NOTHING } from "./_s3_conformance.ts";
import { faultyClient } from "./_s3_faults.ts";
import { type MinioServer, missingMinio, startMinio } from "./minio.ts";

const timeout = 60_000;
const missing = await missingMinio();
const skip = missing ?? false;

let server: MinioServer;
let client: S3;
let buckets = 0;

function connect(
  secretAccessKey = server.credentials.secretAccessKey,
  requestHandler?: S3["config"]["requestHandler"],
): S3 {
  return new S3({
    ...(requestHandler && { requestHandler }),
    endpoint: server.endpoint,
    forcePathStyle: true,
    region: server.region,
    credentials: { ...server.credentials, secretAccessKey },
    maxAttempts: 2,
  });
}

async function newBucket(): Promise<string> {
  const bucket = `bucket-${buckets++}`;
  await server.createBucket(bucket);
  return bucket;
}

before(async () => {
  if (missing !== undefined) return;
  server = await startMinio();
  client = connect();
}, { timeout });

after(async () => {
  client?.destroy();
  await server?.kill(); // its own way takes seconds
  await server?.stop();
}, { timeout });

/** What MinIO cannot hold: its keys are paths of files. */
function accepts(key: string): boolean {
  const parts = key.split("/");
  return !key.startsWith("/") && !key.includes("//") && !key.includes("\0") &&
    !parts.some((part) => part === "." || part === ".." || part.length > 200) &&
    !key.endsWith("/");
}

if (missing === undefined) {
  testStore("S3Store on MinIO", async () => {
    const bucket = await newBucket();
    const faulty = faultyClient(
      ({ requestHandler }) => connect(undefined, requestHandler as S3["config"]["requestHandler"]),
      10,
      // MinIO refuses such a prefix where S3 finds nothing.
      (prefix) => /(^|\/)\.{1,2}(\/|$)/.test(prefix) ? NOTHING : undefined,
    );
    return {
      // By default MinIO is not listed in ranges.
      store: new S3Store(faulty.client, bucket, { pageSize: 10, ranged: true }),
      otherStore: new S3Store(client, bucket, { pageSize: 10, ranged: true }),
      put: (Key, Body) => client.putObject({ Bucket: bucket, Key, Body }),
      delete: (Key) => client.deleteObject({ Bucket: bucket, Key }),
      failPage: faulty.failPage,
      pageSize: 10,
      accepts,
      sameContentIsNoChange: true,
      leavesSignals: true,
      vanish: async () => {
        const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
        for (const { Key } of Contents) await client.deleteObject({ Bucket: bucket, Key });
        await client.deleteBucket({ Bucket: bucket });
      },
      close: () => {},
    };
  });
} else {
  test("S3Store on MinIO", { skip }, () => {});
}

async function list(store: S3Store): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list())).flat();
}

test(
  "thousands of objects over several pages, as the SDK itself lists them",
  { timeout, skip },
  async () => {
    const bucket = await newBucket();
    await server.putMany(
      bucket,
      Array.from({ length: 3_500 }, (_, i) => ({ key: `k/${i} ü+%&<"'\u{1F600}`, body: `${i}` })),
    );
    const store = new S3Store(client, bucket);
    const fast = await list(store);
    assert.equal(fast.length, 3_500);
    const lines: string[] = [];
    const options: S3StoreOptions = {
      logger: { debug() {}, info() {}, error() {}, warn: (line) => lines.push(line) },
    };
    const plain = {
      listObjectsV2: client.listObjectsV2.bind(client),
      getObject: client.getObject.bind(client),
      putObject: client.putObject.bind(client),
    };
    assert.deepEqual(await list(new S3Store(plain, bucket, options)), fast);
    assert.equal(lines.length, 1);
    const { Contents = [] } = await client.listObjectsV2({ Bucket: bucket });
    assert.deepEqual(
      fast.slice(0, 1000),
      Contents.map(({ Key = "", Size = 0, ETag = "", LastModified }) => ({
        key: Key,
        size: Size,
        etag: ETag,
        lastModified: LastModified?.getTime(),
      })),
    );
  },
);

test(
  "MinIO is listed page by page, as each range would cost it a walk, unless ranges are asked for",
  { timeout, skip },
  async () => {
    const bucket = await newBucket();
    const entries = Array.from({ length: 990 }, (_, i) => ({ key: `k/${1000 + i}`, body: "" }));
    await server.putMany(bucket, entries);
    const poll = async (store: S3Store) => {
      let requests = 0;
      const poller = new ObjectStorePoller(store);
      const { signal } = new AbortController();
      const events = [...await poller.poll({ signal, onRequest: () => void requests++ })];
      assert.deepEqual(events.map(({ item }) => item.key), entries.map(({ key }) => key));
      return requests;
    };
    const store = new S3Store(client, bucket, { pageSize: 20 });
    assert.equal(store.ranged, undefined);
    assert.equal(await poll(store), 50);
    assert.equal(store.ranged, false);
    const insisting = new S3Store(client, bucket, { pageSize: 20, ranged: true });
    assert.ok(await poll(insisting) > 50);
    assert.equal(insisting.ranged, true);
  },
);

test("a multipart upload is an object with an ETag of its own", { timeout, skip }, async () => {
  const bucket = await newBucket();
  const body = new Uint8Array(11 * 1024 * 1024).map((_, i) => i);
  await new Upload({ client, params: { Bucket: bucket, Key: "large", Body: body } }).done();
  const store = new S3Store(client, bucket);
  const [object] = await list(store);
  assert.match(object?.etag ?? "", /^"[0-9a-f]{32}-3"$/);
  assert.equal(object?.size, body.length);
  const content = await new Response(await store.get("large", { ifMatch: object?.etag ?? "" }))
    .bytes();
  assert.deepEqual(content, body);
  await client.putObject({ Bucket: bucket, Key: "large", Body: body });
  await assert.rejects(store.get("large", { ifMatch: object?.etag ?? "" }), {
    code: "store",
    status: 412,
  });
  const [again] = await list(store);
  assert.match(again?.etag ?? "", /^"[0-9a-f]{32}"$/);
});

test(
  "changes while a watch runs, and a server that is killed in the middle",
  { timeout, skip },
  async () => {
    const own = await startMinio();
    const ownClient = new S3({
      endpoint: own.endpoint,
      forcePathStyle: true,
      region: own.region,
      credentials: own.credentials,
      maxAttempts: 1,
    });
    try {
      await own.createBucket("bkt");
      await own.putMany(
        "bkt",
        Array.from({ length: 1_200 }, (_, i) => ({ key: `k/${i}`, body: "" })),
      );
      // The second page of the third poll and later finds the server dead.
      let pages = 0;
      let killed = false;
      const store = new S3Store(ownClient, "bkt", { pageSize: 1000 });
      ownClient.middlewareStack.add(
        (next) => async (args) => {
          if (++pages >= 6 && !killed) {
            killed = true;
            await own.kill();
          }
          return await next(args);
        },
        { step: "finalizeRequest", priority: "low" },
      );
      const known = new Map<string, ObjectMeta>();
      const seen: ExternalEvent<ObjectMeta>[] = [];
      let failures = 0;
      const watch = watchExternal(new ObjectStorePoller(store, { prefix: "k/" }), {
        interval: 10,
        jitter: 0,
        logger: false,
        onError: (error) => {
          failures++;
          assert.equal(error.code, "network");
          if (!own.running) restarted ??= own.restart();
        },
      });
      let restarted: Promise<void> | undefined;
      for await (const event of watch) {
        const { type, item } = event;
        if (type === "removed") assert.ok(known.delete(item.key));
        else known.set(item.key, item);
        if (known.size < 1_200 && seen.length === 0) continue;
        if (seen.length > 0 || type !== "added") seen.push(event);
        if (known.size === 1_200 && seen.length === 0) {
          seen.push(event);
          await own.send("PUT", "/bkt/k/5", { body: "changed" }).then((r) => r.body?.cancel());
          await own.send("DELETE", "/bkt/k/7").then((r) => r.body?.cancel());
        }
        if (type === "removed") {
          // The next poll meets the kill; what happens meanwhile is seen after the restart.
          void (async () => {
            while (restarted === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
            await restarted;
            await own.send("PUT", "/bkt/k/new", { body: "new" }).then((r) => r.body?.cancel());
          })();
        }
        if (item.key === "k/new") break;
      }
      assert.deepEqual(seen.slice(1).map(({ type, item }) => `${type} ${item.key}`), [
        "modified k/5",
        "removed k/7",
        "added k/new",
      ]);
      assert.ok(failures >= 1);
      assert.equal(known.size, 1_200);
    } finally {
      ownClient.destroy();
      await own.kill();
      await own.stop();
    }
  },
);

test(
  "wrong credentials and a missing bucket are errors that say so",
  { timeout, skip },
  async () => {
    const is = (status: number, pattern: RegExp) => (error: unknown) =>
      error instanceof ExternalError && error.code === "store" && error.status === status &&
      pattern.test(error.message) && !error.message.includes("not the secret");
    const stranger = connect("not the secret at all");
    const bucket = await newBucket();
    try {
      await assert.rejects(list(new S3Store(stranger, bucket)), is(403, /check the credentials/));
      await assert.rejects(
        new S3Store(stranger, bucket).get("a"),
        is(403, /check the credentials/),
      );
      await assert.rejects(list(new S3Store(client, "absent-bucket")), is(404, /NoSuchBucket/));
      await assert.rejects(new S3Store(client, bucket).get("absent"), is(404, /NoSuchKey/));
    } finally {
      stranger.destroy();
    }
  },
);

test("a write holds to its condition", { timeout, skip }, async () => {
  const store = new S3Store(client, await newBucket());
  const bytes = (text: string) => new TextEncoder().encode(text);
  const unmet = { code: "store", status: 412 };
  const { etag = "" } = await store.put("a", bytes("1"), { ifNoneMatch: "*" });
  await assert.rejects(store.put("a", bytes("2"), { ifNoneMatch: "*" }), unmet);
  assert.equal((await list(store))[0]?.etag, etag);
  await store.put("a", bytes("2"), { ifMatch: etag });
  await assert.rejects(store.put("a", bytes("3"), { ifMatch: etag }), unmet);
  await assert.rejects(store.put("b", bytes("3"), { ifMatch: etag }), unmet);
  assert.equal(await new Response(await store.get("a")).text(), "2");
});
