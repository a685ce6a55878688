// How the stores of Google Cloud Storage and Azure are made: what they take, how they are named, what they are tied to.
import { ContainerClient } from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { AzureStore } from "@koprs/external/stores/azure";
import { GcsStore } from "@koprs/external/stores/gcs";
import assert from "node:assert/strict";
import { test } from "node:test";
import { clouds } from "./_clouds.ts";

function bucketAt(apiEndpoint?: string) {
  return new Storage({ projectId: "p", ...(apiEndpoint !== undefined && { apiEndpoint }) })
    .bucket("b");
}

for (const cloud of clouds) {
  test(`${cloud.title}: a page size or an invalid name is refused`, () => {
    const make = (options: object) => cloud.store("http://127.0.0.1:1", options);
    for (const pageSize of [0, -1, 1.5, 5001, NaN]) {
      assert.throws(() => make({ pageSize }), RangeError);
    }
    assert.throws(() => make({ pageSize: "1" }), TypeError);
    assert.equal(make({}).name, cloud.name);
    assert.equal(make({ name: "mine" }).name, "mine");
    for (const name of ["", 1, null]) {
      assert.throws(
        () => make({ name }),
        (error) => error instanceof TypeError && /'name' must be a string/.test(error.message),
      );
    }
  });

  test(`${cloud.title}: another name is in errors, too`, async () => {
    const store = cloud.store("http://127.0.0.1:1", { name: "mine" });
    await assert.rejects(store.list().next(), (error) => {
      const { message, source } = error as { message: string; source?: string };
      return message.startsWith("Cannot list 'mine': ") && source === "mine";
    });
  });
}

for (const cloud of clouds) {
  test(`${cloud.title}: a prefix that is no text is refused`, async () => {
    const listing = cloud.store("http://127.0.0.1:1").list({ prefix: "a\ud800" }).next();
    await assert.rejects(listing, (error) => {
      return error instanceof TypeError &&
        /'prefix' has half of a surrogate pair$/.test(error.message);
    });
  });
}

test("GcsStore: what is no bucket is refused", () => {
  const bucket = { name: "b", requestStream: () => {}, file: () => {} } as never;
  assert.equal(new GcsStore(bucket).name, "gs://b");
  assert.equal(new GcsStore(bucket).identity(), "");
  assert.equal(new GcsStore(bucket).ranged, true);
  for (const wrong of [undefined, null, "b", {}, { name: "b" }, { name: "b", file: () => {} }]) {
    assert.throws(() => new GcsStore(wrong as never), (error) => {
      return error instanceof TypeError && error.message.includes("@google-cloud/storage");
    });
  }
  assert.throws(() => new GcsStore(bucket, { pageSize: 1001 }), RangeError);
});

test("AzureStore: what is no container is refused, and the name has no secret", () => {
  const container = {
    url: "https://files.example.com/c?sig=secret",
    accountName: "",
    containerName: "c",
    listBlobsFlat: () => {},
    getBlockBlobClient: () => {},
  };
  assert.equal(new AzureStore(container as never).name, "az://files.example.com/c");
  assert.equal(new AzureStore({ ...container, accountName: "me" } as never).name, "az://me/c");
  for (const wrong of [undefined, null, "c", {}, { url: "https://a/c" }]) {
    assert.throws(() => new AzureStore(wrong as never), (error) => {
      return error instanceof TypeError && error.message.includes("@azure/storage-blob");
    });
  }
});

test("GcsStore: a bucket is tied to its endpoint, unless that is Google's own", () => {
  const identities = {
    "https://storage.googleapis.com": "",
    "https://storage.googleapis.com/": "",
    "https://storage.europe-west3.rep.googleapis.com": "",
    "https://storage-mine.p.googleapis.com": "",
    "https://storage.googleapis.com.example.com": "storage.googleapis.com.example.com",
    "https://evilgoogleapis.com": "evilgoogleapis.com",
    "http://127.0.0.1:4443": "127.0.0.1:4443",
    "http://127.0.0.1:4443/": "127.0.0.1:4443",
    "http://127.0.0.1:4444": "127.0.0.1:4444",
    "https://example.com/gcs": "example.com/gcs",
  };
  assert.equal(new GcsStore(bucketAt()).identity(), "");
  for (const [endpoint, identity] of Object.entries(identities)) {
    assert.equal(new GcsStore(bucketAt(endpoint)).identity(), identity, endpoint);
  }
});

test("GcsStore: an emulator of the environment counts as an endpoint", async () => {
  const { env } = await import("node:process");
  const before = env.STORAGE_EMULATOR_HOST;
  env.STORAGE_EMULATOR_HOST = "http://localhost:9023";
  try {
    assert.equal(new GcsStore(bucketAt()).identity(), "localhost:9023");
  } finally {
    if (before === undefined) delete env.STORAGE_EMULATOR_HOST;
    else env.STORAGE_EMULATOR_HOST = before;
  }
});

test("AzureStore: a container is tied to its account's endpoint, unless that is of the public cloud", () => {
  const identities = {
    "https://me.blob.core.windows.net/c": "",
    "https://me-secondary.blob.core.windows.net/c": "",
    "https://me.z12.blob.storage.azure.net/c": "",
    "https://me.privatelink.blob.core.windows.net/c": "",
    "https://me.blob.core.windows.net/c?sv=2024&sig=secret": "",
    "https://me.blob.core.windows.net.example.com/c": "me.blob.core.windows.net.example.com",
    "https://me.blob.core.chinacloudapi.cn/c": "me.blob.core.chinacloudapi.cn",
    "https://files.example.com/c?sig=secret": "files.example.com",
    "http://127.0.0.1:10000/me/c?sig=secret": "127.0.0.1:10000/me",
    "http://127.0.0.1:10001/me/c": "127.0.0.1:10001/me",
    "http://127.0.0.1:10001/me/c/": "127.0.0.1:10001/me",
  };
  for (const [url, identity] of Object.entries(identities)) {
    assert.equal(new AzureStore(new ContainerClient(url)).identity(), identity, url);
  }
});
