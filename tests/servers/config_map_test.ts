// ConfigMapCheckpointStore on the real API server.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { sweep } from "@koprs/external/checkpoint";
import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";
import { ExternalError } from "@koprs/external/error";
import type { Cluster } from "@koprs/external/kubernetes";
import { testCheckpointStore } from "@koprs/external/testing";
import { freezeBeforeSave, freezeWatches } from "./_claim_process.ts";
import type { ClaimPlace } from "./_claim_worker.ts";
import { mount } from "./_pod.ts";
import { type KubernetesServer, missingKubernetes, startKubernetes } from "./kubernetes.ts";

const skip = await missingKubernetes() ?? false;
const noFreeze = process.platform !== "linux" && "needs /proc";
const NAMESPACE = "shop";
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const KEY = "https://example.com/Config?x=%2F";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

describe("checkpoints in ConfigMaps", { skip }, () => {
  let server: KubernetesServer;
  let cluster: Cluster;
  let place: ClaimPlace;
  let prefixes = 0;
  const open = (prefix: string) =>
    new ConfigMapCheckpointStore(cluster, { namespace: NAMESPACE, prefix });

  before(async () => {
    server = await startKubernetes();
    await server.createNamespace(NAMESPACE);
    await server.createServiceAccount(NAMESPACE, "operator", [{
      apiGroups: [""],
      resources: ["configmaps"],
      verbs: ["get", "list", "create", "update", "delete"],
    }]);
    await server.createServiceAccount(NAMESPACE, "reader", [{
      apiGroups: [""],
      resources: ["configmaps"],
      verbs: ["get"],
    }]);
    const folder = join(server.apiServer.folder, "operator");
    place = { kind: "config map", mounted: folder, ca: server.ca, namespace: NAMESPACE };
    cluster = await mount(
      server,
      folder,
      await server.createToken(NAMESPACE, "operator"),
      NAMESPACE,
    );
  });
  after(() => server?.stop());

  testCheckpointStore("ConfigMapCheckpointStore", () => {
    const prefix = `suite-${++prefixes}`;
    return Promise.resolve({ store: open(prefix), other: () => open(prefix) });
  });

  test("a ConfigMap has a valid name, a label, and the key as it is", async () => {
    const store = open("shown");
    await store.save(KEY, bytes("1"));
    const { body } = await server.request(
      "GET",
      `${CONFIG_MAPS}?labelSelector=external.koprs.dev/checkpoints%3Dshown`,
    );
    assert.equal(body.items.length, 1);
    const [{ metadata, binaryData }] = body.items;
    assert.match(metadata.name, /^shown-[0-9a-f]{32}$/);
    assert.equal(metadata.annotations["external.koprs.dev/source"], JSON.stringify(KEY));
    assert.deepEqual(binaryData, { state: btoa("1") });
    assert.equal(await store.locate(KEY), `ConfigMap ${NAMESPACE}/${metadata.name}`);
    await store.delete(KEY);
    const gone = await server.request("GET", `${CONFIG_MAPS}/${metadata.name}`, undefined, [404]);
    assert.equal(gone.status, 404, "nothing is left behind");
  });

  test("1 MiB is kept, and what is longer is refused by an error that says what to use", async () => {
    const store = open("large");
    const state = new Uint8Array(1024 * 1024).map((_, i) => i * 31 + (i >> 9));
    await store.save(KEY, state);
    assert.deepEqual(await open("large").load(KEY), state);
    await assert.rejects(store.save(KEY, new Uint8Array(state.length + 1)), {
      name: "ExternalError",
      code: "checkpoint",
      source: KEY,
      message: /1048577 bytes are more than the 1048576 .*: use an ObjectCheckpointStore/,
    });
    assert.deepEqual(await open("large").load(KEY), state);
  });

  test("what is deleted, edited or copied by hand", async () => {
    const store = open("hand");
    await store.save(KEY, bytes("1"));
    const name = (await store.locate(KEY)).split("/").at(-1);
    const path = `${CONFIG_MAPS}/${name}`;
    const { body } = await server.request("GET", path);
    // Labels and annotations of others are no other state.
    await server.request("PATCH", path, { metadata: { annotations: { note: "mine" } } });
    await store.save(KEY, bytes("2"));
    // A copy under another name is nobody's.
    await server.request("POST", CONFIG_MAPS, {
      ...body,
      metadata: { ...body.metadata, name: "copy", resourceVersion: undefined, uid: undefined },
    });
    assert.deepEqual(await Array.fromAsync(store.list()), [KEY]);
    await server.request("DELETE", path);
    await assert.rejects(store.save(KEY, bytes("3")), {
      code: "checkpoint",
      message: /as ConfigMap shop\/hand-\w+ because somebody has deleted it since/,
    });
    assert.equal(await open("hand").load(KEY), undefined);
  });

  test("sweep deletes what is not kept, of this prefix alone", async () => {
    const [one, two] = [open("sweep"), open("sweep-two")];
    for (const store of [one, two]) {
      for (const key of ["a", "b", "c"]) await store.save(key, bytes(key));
    }
    assert.deepEqual((await sweep(open("sweep"), (key) => key === "b")).sort(), ["a", "c"]);
    assert.deepEqual(await Array.fromAsync(one.list()), ["b"]);
    assert.deepEqual((await Array.fromAsync(two.list())).sort(), ["a", "b", "c"]);
  });

  test("what the role does not allow is named", async () => {
    const folder = join(server.apiServer.folder, "reader");
    const token = await server.createToken(NAMESPACE, "reader");
    const reader = await mount(server, folder, token, NAMESPACE);
    const store = new ConfigMapCheckpointStore(reader, { namespace: NAMESPACE });
    assert.equal(await store.load(KEY), undefined);
    await assert.rejects(store.save(KEY, bytes("1")), (error) => {
      assert.ok(error instanceof ExternalError);
      assert.deepEqual([error.code, error.status], ["status", 403]);
      assert.match(error.message, /cannot create resource "configmaps".*give the service account/);
      return true;
    });
  });

  test("frozen between its claim and its save, it overwrites nothing and ends", {
    skip: noFreeze,
  }, (t) => freezeBeforeSave(t, place));

  test("watches frozen while they save: each ends when it thaws", {
    skip: noFreeze,
  }, async (t) => {
    t.diagnostic(`${await freezeWatches(t, place, 3)} numbers saved`);
  });

  test("the API server away: an error that passes, and then on as before", async () => {
    const store = open("away");
    await store.save(KEY, bytes("1"));
    await server.apiServer.kill();
    await assert.rejects(store.save(KEY, bytes("2")), { code: "network" });
    await server.apiServer.restart();
    await store.save(KEY, bytes("3"));
    assert.deepEqual(await open("away").load(KEY), bytes("3"));
  });
});
