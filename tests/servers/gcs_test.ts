// GcsStore against fake-gcs-server, through the real client.
import { type Bucket, Storage } from "@google-cloud/storage";
import { GcsStore } from "@koprs/external/stores/gcs";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type CloudPlace, type CloudWorld, isStore, objectsOf, testCloud } from "./_cloud_suite.ts";
import { type FakeGcsServer, missingFakeGcs, startFakeGcs } from "./gcs.ts";

function bucketAt(port: number, name: string): Bucket {
  // Retries take seconds, and the tests know what fails.
  const retryOptions = { autoRetry: false };
  const apiEndpoint = `http://127.0.0.1:${port}`;
  return new Storage({ apiEndpoint, projectId: "p", retryOptions }).bucket(name);
}

const world: CloudWorld<FakeGcsServer> = {
  title: "GcsStore on fake-gcs-server",
  missing: await missingFakeGcs(),
  start: (kind) => startFakeGcs({ backend: kind === "durable" ? "filesystem" : "memory" }),
  create: (server, name) => server.createBucket(name),
  many: 2_000,
  // Google forbids the first; a URL reaches none of those after it.
  accepts: (key) => !/[\r\n]/.test(key) && key !== "." && key !== "..",
  classify(path) {
    const url = new URL(path, "http://host");
    if (!url.pathname.endsWith("/o") || url.pathname.includes("/upload/")) return undefined;
    return url.searchParams.has("pageToken") ? "next" : "first";
  },
  at(server, name, port): CloudPlace {
    const bucket = bucketAt(port, name);
    return {
      name: `gs://${name}`,
      store: (options) => new GcsStore(bucket, options),
      put: (key, body) => bucket.file(key).save(body, { resumable: false }),
      putMany: (keys) => server.putMany(name, keys.map((key) => ({ key, body: key }))),
      delete: (key) => bucket.file(key).delete({ ignoreNotFound: true }),
      async list() {
        const [files] = await bucket.getFiles();
        return files.map(({ name, metadata }) => ({
          key: name,
          size: Number(metadata.size),
          etag: String(metadata.generation),
          lastModified: Date.parse(metadata.updated ?? ""),
        }));
      },
      async vanish() {
        await bucket.deleteFiles({ force: true });
        await bucket.delete();
      },
    };
  },
};

const onGcs = testCloud(world);

onGcs("every range of every pair of keys is exact", async ({ direct, proxied }) => {
  const long = "c".repeat(1024);
  const keys = [
    ...["a", "a\u0001", "a ", "a b", "a/", "a/b", "ab", "b", "b\u{10000}", "b\uffff", long],
  ];
  await direct.putMany(keys);
  const store = proxied.store({ pageSize: 3 });
  const all = (await objectsOf(store)).map(({ key }) => key);
  assert.deepEqual([...all].sort(), [...keys].sort());
  const bounds = [undefined, "", ...all, "a!", "zzz"];
  for (const after of bounds) {
    for (const until of bounds) {
      const options = {
        ...(after !== undefined && { after }),
        ...(until !== undefined && { until }),
      };
      const expected = all.filter((key) =>
        (after === undefined || compare(key, after) > 0) &&
        (until === undefined || compare(key, until) <= 0)
      );
      const listed = (await objectsOf(store, options)).map(({ key }) => key);
      assert.deepEqual(listed, expected, JSON.stringify(options));
    }
  }
});

onGcs("the client is left as it was, and its interceptors see every request", async (scene) => {
  const bucket = bucketAt(scene.proxy.port, scene.name);
  const seen: string[] = [];
  bucket.interceptors.push({
    request(options) {
      seen.push(String((options as { uri?: unknown }).uri));
      return options as ReturnType<typeof this.request>;
    },
  });
  const before = [Reflect.ownKeys(bucket), { ...bucket.storage.retryOptions }];
  const store = new GcsStore(bucket);
  const { etag = "" } = await store.put("a", new TextEncoder().encode("1"));
  assert.deepEqual((await objectsOf(store)).map((object) => object.etag), [etag]);
  await new Response(await store.get("a", { ifMatch: etag })).text();
  for (const part of ["fields=", "alt=media", "/upload/"]) {
    assert.equal(seen.filter((uri) => uri.includes(part)).length, 1, part);
  }
  assert.deepEqual([Reflect.ownKeys(bucket), { ...bucket.storage.retryOptions }], before);
});

onGcs("a write without a condition leaves the client its retries", async ({ server, name }) => {
  const apiEndpoint = server.endpoint;
  const bucket = new Storage({ apiEndpoint, projectId: "p" }).bucket(name);
  await new GcsStore(bucket).put("a", new Uint8Array());
  assert.equal(bucket.storage.retryOptions.autoRetry, true);
});

onGcs("bad credentials fail with what the client says, without the key", async ({ server }) => {
  const storage = new Storage({
    apiEndpoint: server.endpoint,
    projectId: "p",
    useAuthWithCustomEndpoint: true,
    credentials: { client_email: "a@example.com", private_key: "not-a-private-key" },
    retryOptions: { autoRetry: false },
  });
  await assert.rejects(objectsOf(new GcsStore(storage.bucket("any"))), (error) => {
    isStore()(error);
    assert.ok(!String((error as Error).stack).includes("not-a-private-key"));
    assert.ok(!(error as Error).message.includes("not-a-private-key"));
    return true;
  });
});

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
