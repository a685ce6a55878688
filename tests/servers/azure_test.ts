// AzureStore against Azurite, through the real client.
import {
  ContainerClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { ObjectStorePoller } from "@koprs/external/store";
import { AzureStore } from "@koprs/external/stores/azure";
import assert from "node:assert/strict";
import {
  type CloudPlace,
  type CloudWorld,
  isStore,
  objectsOf,
  poll,
  testCloud,
} from "./_cloud_suite.ts";
import { type AzuriteServer, missingAzurite, startAzurite } from "./azurite.ts";

function containerAt(
  { accountName, accountKey }: AzuriteServer,
  name: string,
  port: number,
): ContainerClient {
  return new ContainerClient(
    `http://127.0.0.1:${port}/${accountName}/${name}`,
    new StorageSharedKeyCredential(accountName, accountKey),
    // Retries take seconds, and the tests know what fails.
    { retryOptions: { maxTries: 1 } },
  );
}

/** Past the client, which takes longer to sign a request than the server to answer it. */
async function putMany(container: ContainerClient, keys: readonly string[]): Promise<void> {
  const sas = await container.generateSasUrl({
    permissions: ContainerSASPermissions.parse("w"),
    expiresOn: new Date(Date.now() + 600_000),
  });
  const rest = keys.values();
  const worker = async () => {
    for (const key of rest) {
      const url = new URL(sas);
      url.pathname += `/${key.split("/").map(encodeURIComponent).join("/")}`;
      const headers = { "x-ms-blob-type": "BlockBlob" };
      const response = await fetch(url, { method: "PUT", headers, body: key });
      assert.equal(response.status, 201, await response.text());
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

const world: CloudWorld<AzuriteServer> = {
  title: "AzureStore on Azurite",
  missing: await missingAzurite(),
  start: () => startAzurite(),
  create: (server, name) => containerAt(server, name, server.port).create(),
  many: 1_200,
  // Azure has no names with a segment of dots, and reads a backslash as a slash. Azurite fails to list what
  // XML cannot hold; the service itself encodes it, which tests/listing/azure_listing_test.ts covers.
  accepts(key) {
    // deno-lint-ignore no-control-regex -- those are what it is about
    if (/[\\\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(key)) return false;
    return !key.split("/").some((segment) => segment === "." || segment === "..");
  },
  classify(path) {
    const { searchParams } = new URL(path, "http://host");
    if (searchParams.get("comp") !== "list") return undefined;
    return searchParams.get("marker") ? "next" : "first";
  },
  at(server, name, port): CloudPlace {
    const container = containerAt(server, name, port);
    return {
      name: `az://${server.accountName}/${name}`,
      store: (options) => new AzureStore(container, options),
      put: (key, body) => container.getBlockBlobClient(key).upload(body, body.length),
      putMany: (keys) => putMany(container, keys),
      delete: (key) => container.getBlobClient(key).deleteIfExists(),
      async list() {
        const blobs = await Array.fromAsync(container.listBlobsFlat());
        return blobs.map(({ name, properties }) => ({
          key: name,
          size: properties.contentLength ?? -1,
          etag: `"${properties.etag}"`,
          lastModified: properties.lastModified.getTime(),
        }));
      },
      vanish: () => container.delete(),
    };
  },
};

const onAzure = testCloud(world);

onAzure("wrong credentials say what to do, and show no secret", async ({ server, name }) => {
  const { url } = containerAt(server, name, server.port);
  const key = btoa("not the key of this account, but one of the right form");
  const wrong = new ContainerClient(
    url,
    new StorageSharedKeyCredential(server.accountName, key),
    { retryOptions: { maxTries: 1 } },
  );
  await assert.rejects(objectsOf(new AzureStore(wrong)), (error) => {
    isStore(403)(error);
    assert.ok(!String((error as Error).stack).includes(key));
    return (error as Error).message.includes("check the credentials");
  });
  // A URL that carries its credentials: they are in no name and in no message.
  const signed = new AzureStore(
    new ContainerClient(`${url}?sv=2024-01-01&sp=rl&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D`),
  );
  assert.equal(signed.name, `az://${server.accountName}/${name}`);
  assert.equal(signed.identity(), `127.0.0.1:${server.port}/${server.accountName}`);
  await assert.rejects(objectsOf(signed), (error) => {
    isStore(403)(error);
    return !/c2VjcmV0/.test(`${(error as Error).stack} ${(error as Error).cause}`);
  });
});

onAzure("the client is left as it was, and its own listing goes on as ever", async (scene) => {
  const { server, proxy, name, direct } = scene;
  await direct.putMany(["a", "b"]);
  const container = containerAt(server, name, proxy.port);
  const before = Reflect.ownKeys(container);
  const store = new AzureStore(container);
  assert.deepEqual((await objectsOf(store)).map(({ key }) => key), ["a", "b"]);
  assert.equal(await new Response(await store.get("a")).text(), "a");
  const own = await Array.fromAsync(container.listBlobsFlat());
  assert.deepEqual(own.map(({ name }) => name), ["a", "b"]);
  assert.deepEqual(Reflect.ownKeys(container), before);
});

onAzure("a client whose inside is another is used as it is", async (scene) => {
  const { server, proxy, name, direct, proxied } = scene;
  await direct.putMany(["a", "b/c", "d".repeat(300)]);
  const fast = await objectsOf(proxied.store({ pageSize: 2 }));
  const container = containerAt(server, name, proxy.port);
  const closed = {
    url: container.url,
    accountName: container.accountName,
    containerName: container.containerName,
    listBlobsFlat: container.listBlobsFlat.bind(container),
    getBlockBlobClient: container.getBlockBlobClient.bind(container),
  };
  const store = new AzureStore(closed, { pageSize: 2 });
  assert.deepEqual(await objectsOf(store), fast);
  assert.deepEqual((await poll(new ObjectStorePoller(store))).map(({ item }) => item), fast);
  assert.deepEqual((await objectsOf(store, { prefix: "b" })).map(({ key }) => key), ["b/c"]);
});

onAzure("a name with a segment of dots is refused, not read as another", async ({ direct }) => {
  await direct.putMany(["b"]);
  const store = direct.store();
  for (const key of ["a/../b", "./b", "..", "a\\..\\b"]) {
    await assert.rejects(store.get(key), isStore());
    await assert.rejects(async () => await store.put?.(key, new Uint8Array()), isStore());
  }
});
