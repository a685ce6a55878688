// AzureStore against Azurite, through the real client.
import {
  ContainerClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { ExternalError, watchExternal } from "@koprs/external";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { AzureStore } from "@koprs/external/stores/azure";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { FAULTS, startListingProxy } from "./_listing_proxy.ts";
import { type AzuriteServer, missingAzurite, startAzurite } from "./azurite.ts";

const missing = await missingAzurite();
const skip = missing ?? false;
const PAGE = 10;

// One for all tests: each has a container of its own.
let shared: Promise<AzuriteServer> | undefined;
let containers = 0;
after(async () => {
  await (await shared)?.stop();
});

async function setUp() {
  const server = await (shared ??= startAzurite());
  const name = `container-${++containers}`;
  const proxy = await startListingProxy(server.port, classify);
  const direct = clientOf(server, name);
  await direct.create();
  return { server, proxy, direct, container: clientOf(server, name, proxy.port) };
}

function classify(path: string): "first" | "next" | undefined {
  const { searchParams } = new URL(path, "http://host");
  if (searchParams.get("comp") !== "list") return undefined;
  return searchParams.get("marker") ? "next" : "first";
}

function clientOf(
  { accountName, accountKey, port: own }: AzuriteServer,
  name: string,
  port = own,
): ContainerClient {
  return new ContainerClient(
    `http://127.0.0.1:${port}/${accountName}/${name}`,
    new StorageSharedKeyCredential(accountName, accountKey),
    // Retries take seconds, and the tests know what fails.
    { retryOptions: { maxTries: 1 } },
  );
}

async function put(container: ContainerClient, key: string, body: string | ArrayBuffer = key) {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body).buffer : body;
  await container.getBlockBlobClient(key).upload(bytes, bytes.byteLength);
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

function isStore(status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, `no ExternalError: ${JSON.stringify(error)}`);
    assert.equal(error.code, "store", error.message);
    if (status !== undefined) assert.equal(error.status, status, error.message);
    return true;
  };
}

async function objectsOf(store: AzureStore, options = {}): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(options))).flat();
}

function poll(poller: ObjectStorePoller) {
  return poller.poll({ signal: new AbortController().signal }).then((events) => [...events]);
}

// Azure has no names with a segment of dots, and reads a backslash as a slash. Azurite fails to list what
// XML cannot hold; the service itself encodes it, which tests/azure_listing_test.ts covers.
function accepts(key: string): boolean {
  // deno-lint-ignore no-control-regex -- those are what it is about
  if (/[\\\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(key)) return false;
  return !key.split("/").some((segment) => segment === "." || segment === "..");
}

if (missing === undefined) {
  testStore("AzureStore on Azurite", async () => {
    const { proxy, direct, container } = await setUp();
    return {
      store: new AzureStore(container, { pageSize: PAGE }),
      otherStore: new AzureStore(direct),
      pageSize: PAGE,
      put: (key, body) => put(direct, key, body.buffer),
      delete: (key) => direct.deleteBlob(key),
      accepts,
      leavesSignals: true,
      vanish: () => direct.delete(),
      failPage: (n) => proxy.failPage(n),
      close: () => proxy.close(),
    };
  });
}

test("a thousand blobs over many pages, and what changes in them", { skip }, async () => {
  const { proxy, direct, container } = await setUp();
  try {
    const keys = Array.from({ length: 1_200 }, (_, i) => `data/${i % 7}/${i}`);
    await putMany(direct, keys);
    const poller = new ObjectStorePoller(new AzureStore(container, { pageSize: 100 }));
    assert.equal((await poll(poller)).length, 1_200);
    assert.equal(proxy.pages, 12);
    await put(direct, "data/3/3", "other");
    await direct.deleteBlob("data/0/7");
    await put(direct, "data/9/new");
    const events = await poll(poller);
    assert.deepEqual(events.map(({ type, item }) => [type, item.key]), [
      ["removed", "data/0/7"],
      ["modified", "data/3/3"],
      ["added", "data/9/new"],
    ]);
    const changed = events[1]?.item as ObjectMeta;
    const store = new AzureStore(container);
    const content = await store.get(changed.key, { ifMatch: changed.etag ?? "" });
    assert.equal(await new Response(content).text(), "other");
    // The two ways to list are one, and what the client itself lists.
    const listed = await objectsOf(store);
    const seen = (await poll(new ObjectStorePoller(store))).map(({ item }) => item);
    assert.deepEqual(seen, listed);
    const own: ObjectMeta[] = [];
    for await (const { name, properties } of direct.listBlobsFlat()) {
      own.push({
        key: name,
        size: properties.contentLength ?? -1,
        etag: `"${properties.etag}"`,
        lastModified: properties.lastModified.getTime(),
      });
    }
    assert.deepEqual(listed, own);
  } finally {
    await proxy.close();
  }
});

test("each fault on each page fails the poll, and the next one goes on", { skip }, async () => {
  const { proxy, direct, container } = await setUp();
  try {
    await putMany(direct, Array.from({ length: 25 }, (_, i) => `k${i}`));
    const poller = new ObjectStorePoller(new AzureStore(container, { pageSize: PAGE }));
    await poll(poller);
    for (const fault of FAULTS) {
      for (const n of [1, 2, 3]) {
        proxy.failPage(n, fault);
        const error: unknown = await poll(poller).catch((error) => error);
        isStore(fault === "unavailable" ? 503 : undefined)(error);
        if (fault === "unavailable") assert.equal((error as ExternalError).retryAfter, 7_000);
        assert.match(
          (error as Error).message,
          /^Cannot list 'az:\/\/koprsaccount\/container-\d+': /,
        );
        assert.deepEqual(await poll(poller), []);
      }
    }
  } finally {
    await proxy.close();
  }
});

test("a server killed in the middle of a listing removes nothing", { skip }, async () => {
  const server = await startAzurite();
  const proxy = await startListingProxy(server.port, classify);
  try {
    const direct = clientOf(server, "mine");
    await direct.create();
    const keys = Array.from({ length: 25 }, (_, i) => `k${i}`);
    await putMany(direct, keys);
    await server.restart(); // writes what it knows to disk
    const store = new AzureStore(clientOf(server, "mine", proxy.port), { pageSize: PAGE });
    const failures: ExternalError[] = [];
    const failedTwice = Promise.withResolvers<void>();
    const watch = watchExternal(new ObjectStorePoller(store), {
      interval: 20,
      onError: (error) => {
        failures.push(error);
        if (failures.length === 2) failedTwice.resolve();
      },
    });
    const reader = watch.getReader();
    const seen: string[] = [];
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
    await direct.deleteBlob("k3");
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
  const { proxy, direct, container } = await setUp();
  try {
    const watch = watchExternal(
      new ObjectStorePoller(new AzureStore(container, { pageSize: 5 })),
      5,
    );
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
      const key = `k${(round * 7) % 17}`;
      if (round % 3 === 2) await direct.getBlobClient(key).deleteIfExists();
      else await put(direct, key, `round ${round}`);
    }
    // A listing is not of one moment: what it missed comes with the next one.
    const listed = (await Array.fromAsync(new AzureStore(direct).list())).flat();
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

test("a missing container and wrong credentials are errors that say so", { skip }, async () => {
  const { server, proxy, direct } = await setUp();
  try {
    await assert.rejects(objectsOf(new AzureStore(clientOf(server, "absent"))), (error) => {
      isStore(404)(error);
      return (error as Error).message.endsWith(": check that the container exists");
    });
    const key = btoa("not the key of this account, but one of the right form");
    const wrong = new ContainerClient(
      direct.url,
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
      new ContainerClient(`${direct.url}?sv=2024-01-01&sp=rl&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D`),
    );
    assert.equal(signed.name, `az://koprsaccount/${direct.containerName}`);
    await assert.rejects(objectsOf(signed), (error) => {
      isStore(403)(error);
      return !/c2VjcmV0/.test(`${(error as Error).stack} ${(error as Error).cause}`);
    });
  } finally {
    await proxy.close();
  }
});

test("an abort ends a listing that hangs, and its request", { skip }, async () => {
  const { proxy, container } = await setUp();
  try {
    const givenUp = proxy.hang();
    const controller = new AbortController();
    const listing = new AzureStore(container).list({ signal: controller.signal }).next();
    while (proxy.pages === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(listing, (error) => error === reason);
    await givenUp;
  } finally {
    await proxy.close();
  }
});

test("the client is left as it was, and its own listing goes on as ever", { skip }, async () => {
  const { proxy, direct, container } = await setUp();
  try {
    await putMany(direct, ["a", "b"]);
    const before = Reflect.ownKeys(container);
    const store = new AzureStore(container);
    assert.deepEqual((await objectsOf(store)).map(({ key }) => key), ["a", "b"]);
    const own: string[] = [];
    for await (const { name } of container.listBlobsFlat()) own.push(name);
    assert.deepEqual(own, ["a", "b"]);
    assert.deepEqual(Reflect.ownKeys(container), before);
  } finally {
    await proxy.close();
  }
});

test("a client whose inside is another is used as it is", { skip }, async () => {
  const { proxy, direct, container } = await setUp();
  try {
    await putMany(direct, ["a", "b/c", "d".repeat(300)]);
    const fast = await objectsOf(new AzureStore(container, { pageSize: 2 }));
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
  } finally {
    await proxy.close();
  }
});

test("a name with a segment of dots is refused, not read as another", { skip }, async () => {
  const { proxy, direct } = await setUp();
  try {
    await put(direct, "b");
    const store = new AzureStore(direct);
    for (const key of ["a/../b", "./b", "..", "a\\..\\b"]) {
      await assert.rejects(store.get(key), isStore());
      await assert.rejects(store.put(key, new Uint8Array()), isStore());
    }
  } finally {
    await proxy.close();
  }
});
