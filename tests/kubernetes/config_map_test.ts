// Checkpoints in ConfigMaps of an API server in memory. On the real one: tests/servers/config_map_test.ts.
import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";
import { testCheckpointStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigMaps } from "../../_kubernetes/config_maps.ts";
import { ApiServer, json, type Seen } from "./_api_server.ts";

const PATH = "/api/v1/namespaces/shop/configmaps";
const KEY = "https://example.com/Config?x=%2F";
const bytes = (text: string) => new TextEncoder().encode(text);

function open(server: ApiServer, prefix = "mine"): ConfigMapCheckpointStore {
  return new ConfigMapCheckpointStore(server.cluster, { namespace: "shop", prefix });
}

testCheckpointStore("ConfigMapCheckpointStore on an API server in memory", () => {
  const server = new ApiServer();
  return Promise.resolve({ store: open(server), other: () => open(server) });
});

test("a ConfigMap is created, replaced at its version, and deleted at its version", async () => {
  const server = new ApiServer();
  const store = open(server);
  await store.save(KEY, bytes("1"));
  await store.save(KEY, bytes("2"));
  const [path = ""] = [...server.objects.keys()];
  const name = path.split("/").at(-1) as string;
  assert.match(name, /^mine-[0-9a-f]{32}$/);
  assert.equal(await store.locate(KEY), `ConfigMap shop/${name}`);
  const writes = server.requests.filter(({ method }) => method !== "GET");
  assert.deepEqual(writes.map(({ method, path }) => `${method} ${path}`), [
    `POST ${PATH}`,
    `PUT ${PATH}/${name}`,
  ]);
  const [{ body: first }, { body: second }] = writes as [Seen, Seen];
  const mark = first.metadata.annotations["external.koprs.dev/mark"];
  assert.deepEqual(first, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name,
      labels: { "external.koprs.dev/checkpoints": "mine" },
      annotations: {
        "external.koprs.dev/source": JSON.stringify(KEY),
        "external.koprs.dev/mark": mark,
      },
    },
    binaryData: { state: btoa("1") },
  });
  assert.equal(second.metadata.resourceVersion, "1");
  assert.deepEqual(second.binaryData, { state: btoa("2") });
  await store.delete(KEY);
  assert.deepEqual(server.requests.at(-1)?.body, { preconditions: { resourceVersion: "2" } });
  assert.equal(server.objects.size, 0);
});

test("a claim of what is not there keeps a ConfigMap without a state, which no list tells of", async () => {
  const server = new ApiServer();
  assert.equal(await open(server).claim(KEY), undefined);
  const [map] = [...server.objects.values()];
  assert.equal(map?.["binaryData"], undefined);
  assert.deepEqual(await Array.fromAsync(open(server).list()), []);
  assert.equal(await open(server).load(KEY), undefined);
});

test("a namespace is encoded in the path", async () => {
  const server = new ApiServer();
  const store = new ConfigMapCheckpointStore(server.cluster, { namespace: "a/b" });
  await store.load(KEY);
  assert.match(server.requests[0]!.path, /^\/api\/v1\/namespaces\/a%2Fb\/configmaps\/checkpoint-/);
});

test("the keys are listed over several pages, each once, also where the list expires", async () => {
  const server = new ApiServer();
  const keys = Array.from({ length: 120 }, (_, i) => `key ${i}`);
  for (const key of keys) await open(server).save(key, bytes("1"));
  await open(server, "other").save("another", bytes("1"));
  server.requests.length = 0;
  let expired = false;
  server.instead = ({ query }) => {
    if (query.get("continue") !== "100" || expired) return undefined;
    expired = true;
    return json(410, {});
  };
  assert.deepEqual(await Array.fromAsync(open(server).list()), keys);
  assert.deepEqual(server.requests.map(({ query }) => query.get("continue")), [
    ...[null, "50", "100"],
    ...[null, "50", "100"],
  ]);
  assert.equal(
    server.requests[0]?.query.get("labelSelector"),
    "external.koprs.dev/checkpoints=mine",
  );
});

test("what was copied, renamed or edited by hand is nobody's key", async () => {
  const server = new ApiServer();
  await open(server).save(KEY, bytes("1"));
  const [[, map]] = [...server.objects] as [[string, object & { metadata: object }]];
  server.put(`${PATH}/copy`, map);
  for (const source of ["no JSON", "7", undefined]) {
    server.put(`${PATH}/edited-${source}`, {
      ...map,
      metadata: { ...map.metadata, annotations: { "external.koprs.dev/source": source as string } },
    });
  }
  server.put(`${PATH}/bare`, {
    metadata: { labels: { "external.koprs.dev/checkpoints": "mine" } },
  });
  assert.deepEqual(await Array.fromAsync(open(server).list()), [KEY]);
});

test("a ConfigMap that was made by hand can be loaded, saved and deleted; one without base64 cannot", async () => {
  const server = new ApiServer();
  const store = open(server);
  const name = (await store.locate(KEY)).split("/").at(-1);
  server.put(`${PATH}/${name}`, { metadata: {}, binaryData: { state: btoa("by hand") } });
  assert.deepEqual(await store.load(KEY), bytes("by hand"));
  await store.save(KEY, bytes("2"));
  server.put(`${PATH}/${name}`, { metadata: {}, binaryData: { state: btoa("again") } });
  // Each edit is another one's write, with or without a mark.
  await assert.rejects(store.save(KEY, bytes("3")), { code: "checkpoint" });
  await open(server).delete(KEY);
  assert.equal(server.objects.size, 0);
  server.put(`${PATH}/${name}`, { metadata: {}, binaryData: { state: "%" } });
  await assert.rejects(store.load(KEY), {
    name: "ExternalError",
    code: "checkpoint",
    source: KEY,
    message: `Cannot load the checkpoint of '${KEY}' as the ConfigMap '${name}' holds no base64: ` +
      "delete it",
  });
});

test("an API server that gives no version is refused: a write could replace anything", async () => {
  for (const resourceVersion of ["", undefined, 7]) {
    const server = new ApiServer();
    server.instead = () => json(200, { metadata: { resourceVersion } });
    const message = /gave no resourceVersion for it$/;
    await assert.rejects(open(server).load(KEY), { code: "protocol", message });
    await assert.rejects(open(server).save(KEY, bytes("1")), { code: "protocol", message });
  }
});

test("what the API server refuses is said by name: read, write and delete", async () => {
  const server = new ApiServer();
  const store = open(server);
  await store.save(KEY, bytes("1"));
  const name = (await store.locate(KEY)).split("/").at(-1);
  server.instead = () => json(403, { message: "no" });
  const refused = (verb: string) => ({
    status: 403,
    message: new RegExp(`^Cannot ${verb} the ConfigMap '${name}': the API server answered 403: no`),
  });
  await assert.rejects(store.load(KEY), refused("read"));
  await assert.rejects(store.save(KEY, bytes("2")), refused("write"));
  await assert.rejects(store.delete(KEY), refused("delete"));
  // A namespace that is gone is not taken for a ConfigMap that is to be made.
  server.instead = ({ method }) => method === "POST" ? json(404, { message: "gone" }) : undefined;
  await assert.rejects(open(server).save("another", bytes("1")), { status: 404 });
});

test("a record that is gone or newer is neither written nor removed", async () => {
  const server = new ApiServer();
  const maps = new ConfigMaps(server.cluster, "shop", "mine");
  const first = await maps.write("a", { mark: "1" }, undefined);
  assert.deepEqual(await maps.read("a"), { version: first, mark: "1" });
  assert.equal(await maps.write("a", { mark: "2" }, undefined), undefined, "is there already");
  const second = await maps.write("a", { mark: "2", state: bytes("x") }, first);
  assert.deepEqual(await maps.read("a"), { version: second, mark: "2", state: bytes("x") });
  assert.equal(await maps.write("a", { mark: "3" }, first), undefined, "has another version");
  assert.equal(await maps.remove("a", first as string), false, "has another version");
  assert.equal(await maps.remove("a", second as string), true);
  assert.equal(await maps.remove("a", second as string), false, "is gone");
  assert.equal(await maps.write("a", { mark: "4" }, second), undefined, "is gone");
  assert.equal(await maps.read("a"), undefined);
});
