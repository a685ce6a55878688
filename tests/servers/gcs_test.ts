// GcsStore against fake-gcs-server, through the real client.
import { Storage } from "@google-cloud/storage";
import { ExternalError, watchExternal } from "@koprs/external";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { GcsStore } from "@koprs/external/stores/gcs";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { FAULTS, startListingProxy } from "./_listing_proxy.ts";
import { type FakeGcsServer, missingFakeGcs, startFakeGcs } from "./gcs.ts";

const missing = await missingFakeGcs();
const skip = missing ?? false;
const PAGE = 10;

// One for all tests: each has a bucket of its own.
let shared: Promise<FakeGcsServer> | undefined;
let buckets = 0;
after(async () => {
  await (await shared)?.stop();
});

async function setUp() {
  const server = await (shared ??= startFakeGcs({ backend: "memory" }));
  const name = `bucket-${++buckets}`;
  await server.createBucket(name);
  const proxy = await startListingProxy(server.port, classify);
  return {
    server,
    proxy,
    name,
    direct: clientOf(server.endpoint).bucket(name),
    bucket: clientOf(`http://127.0.0.1:${proxy.port}`).bucket(name),
  };
}

function classify(path: string): "first" | "next" | undefined {
  const url = new URL(path, "http://host");
  if (!url.pathname.endsWith("/o") || url.pathname.includes("/upload/")) return undefined;
  return url.searchParams.has("pageToken") ? "next" : "first";
}

function clientOf(apiEndpoint: string): Storage {
  // Retries take seconds, and the tests know what fails.
  return new Storage({ apiEndpoint, projectId: "p", retryOptions: { autoRetry: false } });
}

function isStore(status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "store", error.message);
    if (status !== undefined) assert.equal(error.status, status, error.message);
    return true;
  };
}

async function keysOf(store: GcsStore, options = {}): Promise<string[]> {
  return (await Array.fromAsync(store.list(options))).flat().map(({ key }) => key);
}

function poll(poller: ObjectStorePoller) {
  return poller.poll({ signal: new AbortController().signal }).then((events) => [...events]);
}

if (missing === undefined) {
  testStore("GcsStore on fake-gcs-server", async () => {
    const { proxy, direct, bucket } = await setUp();
    return {
      store: new GcsStore(bucket, { pageSize: PAGE }),
      otherStore: new GcsStore(direct),
      pageSize: PAGE,
      put: (key, body) => direct.file(key).save(body, { resumable: false }),
      delete: (key) => direct.file(key).delete(),
      // Google forbids the first; a URL reaches none of those after it.
      accepts: (key) => !/[\r\n]/.test(key) && key !== "." && key !== "..",
      leavesSignals: true,
      vanish: async () => {
        await direct.deleteFiles({ force: true });
        await direct.delete();
      },
      failPage: (n) => proxy.failPage(n),
      close: () => proxy.close(),
    };
  });
}

test("thousands of objects over many pages, and what changes in them", { skip }, async () => {
  const { server, proxy, direct, bucket, name } = await setUp();
  try {
    const keys = Array.from({ length: 2_000 }, (_, i) => `data/${i % 7}/${i}`);
    await server.putMany(name, keys.map((key) => ({ key, body: key })));
    const poller = new ObjectStorePoller(new GcsStore(bucket, { pageSize: 100 }));
    assert.equal((await poll(poller)).length, 2_000);
    // Twenty are full; the first listing is cut while it goes on, and cuts cost some.
    assert.ok(proxy.pages >= 20 && proxy.pages <= 40, `${proxy.pages} pages`);
    await direct.file("data/3/3").save("other", { resumable: false });
    await direct.file("data/0/7").delete();
    await direct.file("data/9/new").save("new", { resumable: false });
    const events = await poll(poller);
    assert.deepEqual(events.map(({ type, item }) => [type, item.key]), [
      ["removed", "data/0/7"],
      ["modified", "data/3/3"],
      ["added", "data/9/new"],
    ]);
    const changed = events[1]?.item as ObjectMeta;
    const store = new GcsStore(bucket);
    assert.equal(
      await new Response(await store.get(changed.key, { ifMatch: changed.etag ?? "" })).text(),
      "other",
    );
    // The two ways to list are one.
    const listed = (await Array.fromAsync(store.list())).flat();
    const seen = (await poll(new ObjectStorePoller(new GcsStore(bucket)))).map(({ item }) => item);
    assert.deepEqual(seen, listed);
    const [files] = await direct.getFiles();
    assert.deepEqual(
      listed.map(({ key, size, etag }) => [key, size, etag]),
      files.map(({ name, metadata }) => [name, Number(metadata.size), String(metadata.generation)]),
    );
    assert.deepEqual(
      listed.map(({ lastModified }) => lastModified),
      files.map(({ metadata }) => Date.parse(metadata.updated ?? "")),
    );
  } finally {
    await proxy.close();
  }
});

test("every range of every pair of keys is exact", { skip }, async () => {
  const { server, proxy, bucket, name } = await setUp();
  try {
    const keys = [
      "a",
      "a\u0001",
      "a ",
      "a b",
      "a/",
      "a/b",
      "ab",
      "b",
      "b\u{10000}",
      "b\uffff",
      "c".repeat(1024),
    ];
    await server.putMany(name, keys.map((key) => ({ key, body: "" })));
    const store = new GcsStore(bucket, { pageSize: 3 });
    const all = await keysOf(store);
    assert.deepEqual([...all].sort(), [...keys].sort());
    for (const after of [undefined, "", ...all, "a!", "zzz"]) {
      for (const until of [undefined, "", ...all, "a!", "zzz"]) {
        const inRange = (key: string) =>
          (after === undefined || compare(key, after) > 0) &&
          (until === undefined || compare(key, until) <= 0);
        const options = {
          ...(after !== undefined && { after }),
          ...(until !== undefined && { until }),
        };
        assert.deepEqual(
          await keysOf(store, options),
          all.filter(inRange),
          JSON.stringify(options),
        );
      }
    }
  } finally {
    await proxy.close();
  }
});

test("each fault on each page fails the poll, and the next one goes on", { skip }, async () => {
  const { server, proxy, bucket, name } = await setUp();
  try {
    const keys = Array.from({ length: 25 }, (_, i) => `k${String(i).padStart(2, "0")}`);
    await server.putMany(name, keys.map((key) => ({ key, body: key })));
    const poller = new ObjectStorePoller(new GcsStore(bucket, { pageSize: PAGE }));
    await poll(poller);
    for (const fault of FAULTS) {
      for (const n of [1, 2, 3]) {
        proxy.failPage(n, fault);
        const error: unknown = await poll(poller).catch((error) => error);
        isStore(fault === "unavailable" ? 503 : undefined)(error);
        if (fault === "unavailable") assert.equal((error as ExternalError).retryAfter, 7_000);
        assert.match((error as Error).message, /^Cannot list 'gs:\/\/bucket-\d+': /);
        assert.deepEqual(await poll(poller), []);
      }
    }
  } finally {
    await proxy.close();
  }
});

test("a server killed in the middle of a listing removes nothing", { skip }, async () => {
  const server = await startFakeGcs();
  const proxy = await startListingProxy(server.port, classify);
  try {
    await server.createBucket("mine");
    const keys = Array.from({ length: 25 }, (_, i) => `k${i}`);
    await server.putMany("mine", keys.map((key) => ({ key, body: key })));
    const bucket = clientOf(`http://127.0.0.1:${proxy.port}`).bucket("mine");
    const store = new GcsStore(bucket, { pageSize: PAGE });
    const failures: ExternalError[] = [];
    const failedTwice = Promise.withResolvers<void>();
    const seen: string[] = [];
    const watch = watchExternal(new ObjectStorePoller(store), {
      interval: 20,
      onError: (error) => {
        failures.push(error);
        if (failures.length === 2) failedTwice.resolve();
      },
    });
    const reader = watch.getReader();
    const next = async () => {
      const { value } = await reader.read();
      seen.push(`${value?.type} ${value?.item.key}`);
    };
    for (const _ of keys) await next();
    proxy.beforePage(2, () => server.kill());
    const pending = next();
    await failedTwice.promise;
    await server.restart();
    // Once it is back something changes, and that is all there is to see.
    await clientOf(server.endpoint).bucket("mine").file("k3").delete();
    await pending;
    await reader.cancel();
    assert.deepEqual(seen, [...keys.sort().map((key) => `added ${key}`), "removed k3"]);
    for (const failure of failures) assert.equal(failure.code, "store");
  } finally {
    await proxy.close();
    await server.stop();
  }
});

test("deletes and rewrites while a watch runs all arrive", { skip }, async () => {
  const { proxy, direct, bucket } = await setUp();
  try {
    const watch = watchExternal(new ObjectStorePoller(new GcsStore(bucket, { pageSize: 5 })), 5);
    const known = new Map<string, ObjectMeta>();
    const reading = (async () => {
      for await (const { type, item } of watch) {
        if (type === "removed") assert.ok(known.delete(item.key), `removed twice: ${item.key}`);
        else {
          assert.equal(known.has(item.key), type === "modified", `${type} ${item.key}`);
          known.set(item.key, item);
        }
      }
    })();
    for (let round = 0; round < 60; round++) {
      const file = direct.file(`k${(round * 7) % 17}`);
      if (round % 3 === 2) await file.delete({ ignoreNotFound: true });
      else await file.save(`round ${round}`, { resumable: false });
    }
    // A listing is not of one moment: what it missed comes with the next one.
    const listed = (await Array.fromAsync(new GcsStore(direct).list())).flat();
    const final = new Map(listed.map((object) => [object.key, object]));
    const deadline = performance.now() + 20_000;
    while (!isDeepStrictEqual(known, final) && performance.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    watch.close();
    await reading;
    assert.deepEqual(known, final);
  } finally {
    await proxy.close();
  }
});

test("a missing bucket is an error that says so", { skip }, async () => {
  const server = await (shared ??= startFakeGcs({ backend: "memory" }));
  const store = new GcsStore(clientOf(server.endpoint).bucket("absent"));
  await assert.rejects(keysOf(store), (error) => {
    isStore(404)(error);
    return (error as Error).message.endsWith("check that the bucket exists");
  });
});

test("an abort ends a listing that hangs", { skip }, async () => {
  const { proxy, bucket } = await setUp();
  try {
    void proxy.hang();
    const store = new GcsStore(bucket);
    const controller = new AbortController();
    const listing = store.list({ signal: controller.signal }).next();
    while (proxy.pages === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(listing, (error) => error === reason);
  } finally {
    await proxy.close();
  }
});

test("the client is left as it was, and its interceptors see every request", { skip }, async () => {
  const { proxy, bucket } = await setUp();
  try {
    const seen: string[] = [];
    bucket.interceptors.push({
      request(options) {
        seen.push(String((options as { uri?: unknown }).uri));
        return options as ReturnType<typeof this.request>;
      },
    });
    const before = Reflect.ownKeys(bucket).length;
    const store = new GcsStore(bucket);
    const { etag } = await store.put("a", new TextEncoder().encode("1"));
    assert.deepEqual((await Array.fromAsync(store.list())).flat().map((o) => o.etag), [etag]);
    await new Response(await store.get("a", { ifMatch: etag ?? "" })).text();
    assert.equal(seen.filter((uri) => uri.includes("fields=")).length, 1);
    assert.equal(seen.filter((uri) => uri.includes("alt=media")).length, 1);
    assert.equal(Reflect.ownKeys(bucket).length, before);
  } finally {
    await proxy.close();
  }
});

test("bad credentials fail with what the client says, without the key", { skip }, async () => {
  const server = await (shared ??= startFakeGcs({ backend: "memory" }));
  const storage = new Storage({
    apiEndpoint: server.endpoint,
    projectId: "p",
    useAuthWithCustomEndpoint: true,
    credentials: { client_email: "a@example.com", private_key: "not-a-private-key" },
    retryOptions: { autoRetry: false },
  });
  await assert.rejects(keysOf(new GcsStore(storage.bucket("any"))), (error) => {
    isStore()(error);
    assert.ok(!String((error as Error).stack).includes("not-a-private-key"));
    assert.ok(!(error as Error).message.includes("not-a-private-key"));
    return true;
  });
});

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
