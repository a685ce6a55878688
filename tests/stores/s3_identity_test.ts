// What a checkpoint of S3Store is tied to: the endpoint, however the client was told of it.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { S3, type S3ClientConfig } from "@aws-sdk/client-s3";
import { type S3Client, S3Store } from "@koprs/external/stores/s3";
import { isFault, pages, serving } from "./_s3_server.ts";

const credentials = { accessKeyId: "key", secretAccessKey: "very secret" };

async function identityOf(config: S3ClientConfig, bucket = "bkt"): Promise<string> {
  const client = new S3({ region: "us-east-1", credentials, ...config });
  try {
    return await new S3Store(client, bucket).identity();
  } finally {
    client.destroy();
  }
}

test("an endpoint of one's own is the identity, without bucket, scheme and what goes without saying", async () => {
  const all: (readonly [S3ClientConfig, string])[] = [
    [{ endpoint: "http://127.0.0.1:9000" }, "127.0.0.1:9000"],
    [{ endpoint: "http://127.0.0.1:9000/", forcePathStyle: true }, "127.0.0.1:9000"],
    [{ endpoint: "http://MinIO.local:9000" }, "minio.local:9000"],
    [{ endpoint: "http://minio.local" }, "minio.local"],
    [{ endpoint: "https://minio.local:443" }, "minio.local"],
    [{ endpoint: "https://gate.local/s3/" }, "gate.local/s3"],
    [{ endpoint: { url: new URL("https://gate.local/s3") } }, "gate.local/s3"],
    [
      { endpoint: { protocol: "http:", hostname: "minio.local", port: 9000, path: "/" } },
      "minio.local:9000",
    ],
    [{ endpoint: () => Promise.resolve("http://minio.local:9000") } as never, "minio.local:9000"],
    [{ endpoint: "http://bkt.local:9000" }, "bkt.local:9000"],
  ];
  for (const [config, expected] of all) {
    assert.equal(await identityOf(config), expected, JSON.stringify(config));
  }
});

test("Amazon's own endpoints are one, however they are written", async () => {
  const all: S3ClientConfig[] = [
    {},
    { region: "eu-central-1" },
    { region: "us-gov-west-1", useFipsEndpoint: true },
    { region: "eu-west-1", useDualstackEndpoint: true },
    { region: "us-west-2", useAccelerateEndpoint: true },
    { region: "cn-north-1" },
    { forcePathStyle: true },
    { endpoint: "https://s3.amazonaws.com" },
    { endpoint: "https://s3.eu-central-1.amazonaws.com" },
    { endpoint: "https://s3-fips.dualstack.us-east-1.amazonaws.com" },
    { endpoint: "https://bucket.vpce-1a2b3c4d-5e6f.s3.us-east-1.vpce.amazonaws.com" },
    { endpoint: "https://s3.cn-north-1.amazonaws.com.cn" },
  ];
  for (const config of all) assert.equal(await identityOf(config), "", JSON.stringify(config));
  const arn = "arn:aws:s3:us-west-2:123456789012:accesspoint/one";
  assert.equal(await identityOf({ useArnRegion: true }, arn), "");
  assert.notEqual(await identityOf({ endpoint: "https://amazonaws.com.example.org" }), "");
  assert.notEqual(await identityOf({ endpoint: "https://notamazonaws.com" }), "");
});

test("the environment and a profile may name the endpoint", async () => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const profile = join(folder, "config");
  await writeFile(
    profile,
    "[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://profile.local:1\n",
  );
  const before = { ...process.env };
  const within = async (env: Record<string, string>) => {
    Object.assign(process.env, { AWS_CONFIG_FILE: join(folder, "none"), ...env });
    try {
      const client = new S3({ region: "us-east-1", credentials });
      const store = new S3Store(client, "bkt");
      const identity = await store.identity();
      client.destroy();
      // Seemed to be Amazon's before.
      assert.equal(store.ranged, identity === "" ? true : undefined);
      return identity;
    } finally {
      for (const name of ["AWS_CONFIG_FILE", ...Object.keys(env)]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  };
  try {
    assert.equal(await within({}), "");
    assert.equal(await within({ AWS_ENDPOINT_URL: "http://any.local:1" }), "any.local:1");
    const both = {
      AWS_ENDPOINT_URL: "http://any.local:1",
      AWS_ENDPOINT_URL_S3: "http://s3.local:2",
    };
    assert.equal(await within(both), "s3.local:2");
    assert.equal(await within({ AWS_CONFIG_FILE: profile }), "profile.local:1");
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("finding out makes no request, logs in with nothing, and leaves the client as it was", async () => {
  await serving(pages([]), async ({ config, requests }) => {
    const client = new S3({
      ...config,
      credentials: () => Promise.reject(new Error("not to be asked")),
    });
    const before = client.middlewareStack.identify();
    const store = new S3Store(client, "bkt");
    assert.match(await store.identity(), /^127\.0\.0\.1:\d+$/);
    assert.equal(await store.identity(), await store.identity());
    assert.deepEqual(client.middlewareStack.identify(), before);
    client.destroy();
    assert.equal(requests.length, 0);
  });
});

test("a client that is no copy of the SDK's tells what it can", async () => {
  const plain: S3Client = {
    listObjectsV2: () => Promise.reject(new Error("not to be asked")),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  };
  assert.equal(await new S3Store(plain, "bkt").identity(), "");
  assert.equal(new S3Store(plain, "bkt").ranged, undefined);
  const endpoint = () => Promise.resolve({ protocol: "http:", hostname: "a.local", path: "/" });
  assert.equal(await new S3Store({ ...plain, config: { endpoint } }, "bkt").identity(), "a.local");
  class Private extends S3 {
    #calls = 0;
    // deno-lint-ignore no-explicit-any -- the overloads of the class
    override listObjectsV2(...call: any[]): any {
      this.#calls++;
      return Reflect.apply(S3.prototype.listObjectsV2, this, call);
    }
  }
  const uncopied = new Private({ region: "us-east-1", credentials });
  assert.equal(await new S3Store(uncopied, "bkt").identity(), "");
  uncopied.destroy();
});

test("without a region nothing can be told, and the error says what to do", async () => {
  const before = process.env.AWS_CONFIG_FILE;
  process.env.AWS_CONFIG_FILE = join(tmpdir(), "koprs-external-no-such-file");
  try {
    let region = () => Promise.reject<string>(new Error("Region is missing"));
    const client = new S3({ credentials, region: () => region() });
    const store = new S3Store(client, "bkt");
    await assert.rejects(
      store.identity(),
      isFault(
        "store",
        /find 's3:\/\/bkt'.*Region is missing.*'region'.*AWS_REGION.*not pass by itself/,
      ),
    );
    region = () => Promise.resolve("eu-central-1");
    assert.equal(await store.identity(), "");
    client.destroy();
  } finally {
    if (before === undefined) delete process.env.AWS_CONFIG_FILE;
    else process.env.AWS_CONFIG_FILE = before;
  }
});
