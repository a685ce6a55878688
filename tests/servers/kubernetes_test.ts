// Against the real API server: what a pod reads of it, and how replicas share sources by its Leases.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  CollectionPoller,
  type ExternalError,
  type ExternalEvent,
  HttpPoller,
  type HttpResource,
  watchExternal,
} from "@koprs/external";
import {
  type Cluster,
  fromKubeConfig,
  type KubernetesObject,
  kubernetesPages,
} from "@koprs/external/kubernetes";
import { mount, trusting } from "./_pod.ts";
import { type KubernetesServer, missingKubernetes, startKubernetes } from "./kubernetes.ts";

const skip = await missingKubernetes() ?? false;
const NAMESPACE = "shop";
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;

describe("the API server", { skip }, () => {
  let server: KubernetesServer;
  let cluster: Cluster;
  let folder: string;

  before(async () => {
    // With snapshots of lists a `continue` would never expire.
    server = await startKubernetes({ featureGates: "ListFromCacheSnapshot=false" });
    folder = join(server.apiServer.folder, "serviceaccount");
    await server.createNamespace(NAMESPACE);
    await server.createServiceAccount(NAMESPACE, "reader", [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list"] },
    ]);
    cluster = await mount(server, folder, await server.createToken(NAMESPACE, "reader"), NAMESPACE);
  });
  after(() => server?.stop());

  const configMap = (name: string, data: Record<string, string>) => ({ metadata: { name }, data });
  const dataOf = (event: ExternalEvent<HttpResource>) =>
    (event.item.json() as { data: unknown }).data;

  test("kubernetes_configmap_lifecycle_via_http_poller", async () => {
    const url = `${cluster.url}${CONFIG_MAPS}/settings`;
    const failures: ExternalError[] = [];
    const watch = watchExternal(new HttpPoller(url, { ...cluster, name: "settings" }), {
      interval: 20,
      onError: (error) => void failures.push(error),
    });
    const events = watch[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value as ExternalEvent<HttpResource>;

    const added = next();
    await server.request("POST", CONFIG_MAPS, configMap("settings", { color: "red" }));
    assert.equal((await added).type, "added");
    assert.deepEqual(dataOf(await added), { color: "red" });

    const modified = next();
    await server.request("PATCH", `${CONFIG_MAPS}/settings`, { data: { color: "blue" } });
    assert.equal((await modified).type, "modified");
    assert.deepEqual(dataOf(await modified), { color: "blue" });

    const removed = next();
    await server.request("DELETE", `${CONFIG_MAPS}/settings`);
    assert.equal((await removed).type, "removed");
    assert.deepEqual(failures, []);
    await watch[Symbol.asyncDispose]();
  });

  test("a token that was replaced in its file is read again", async () => {
    await server.createServiceAccount(NAMESPACE, "rotated", [
      { apiGroups: [""], resources: ["configmaps"], verbs: ["list"] },
    ]);
    await server.request("POST", CONFIG_MAPS, configMap("rotation", {}));
    const path = join(folder, "token");
    const before = await server.createToken(NAMESPACE, "reader");
    const list = kubernetesPages(cluster, CONFIG_MAPS);
    try {
      await writeFile(path, "no-token");
      await assert.rejects(read(list), (error: ExternalError) => {
        assert.equal(error.status, 401);
        assert.match(error.message, /check the token/);
        return true;
      });
      await writeFile(path, await server.createToken(NAMESPACE, "rotated"));
      assert.equal((await read(list)).length, 1);
    } finally {
      await writeFile(path, before);
    }
  });

  test("what the service account may not do is named", async () => {
    await assert.rejects(
      read(kubernetesPages(cluster, `/api/v1/namespaces/${NAMESPACE}/secrets`)),
      (error: ExternalError) => {
        assert.equal(error.status, 403);
        assert.match(error.message, /cannot list resource "secrets"/);
        assert.match(error.message, /role/);
        return true;
      },
    );
  });

  test("a list comes in pages, whole, with what kind its items are", async () => {
    for (let i = 0; i < 25; i++) {
      await server.request("POST", CONFIG_MAPS, configMap(`page-${i}`, {}));
    }
    const requests: number[] = [];
    const items = await read(
      kubernetesPages(cluster, CONFIG_MAPS, { limit: 10 }),
      () => requests.push(1),
    );
    const pages = items.filter(({ metadata }) => metadata.name.startsWith("page-"));
    assert.equal(pages.length, 25);
    assert.equal(requests.length, Math.ceil(items.length / 10));
    assert.ok(items.every(({ kind, apiVersion }) => kind === "ConfigMap" && apiVersion === "v1"));
    const one = await read(
      kubernetesPages(cluster, CONFIG_MAPS, { fieldSelector: "metadata.name=page-7" }),
    );
    assert.deepEqual(one.map(({ metadata }) => metadata.name), ["page-7"]);
  });

  test("a list that expires between two pages is begun again once", async () => {
    const list = kubernetesPages(cluster, CONFIG_MAPS, { limit: 10 });
    const names = new Set<string>();
    let requests = 0;
    const onRequest = () => void requests++;
    for await (const page of list({ signal: new AbortController().signal, onRequest })) {
      for (const { metadata } of page) names.add(metadata.name);
      if (requests !== 1) continue;
      await server.request("POST", CONFIG_MAPS, configMap("late", {}));
      await server.compact();
    }
    assert.ok(names.has("late"), "the second walk saw it");
    assert.equal([...names].filter((name) => name.startsWith("page-")).length, 25);
    assert.equal(requests, 2 + Math.ceil(names.size / 10));
  });

  test("a collection of objects: added, modified and removed by generation or version", async () => {
    const poller = new CollectionPoller<KubernetesObject>({
      name: "config maps",
      list: kubernetesPages(cluster, CONFIG_MAPS, { labelSelector: "watched=yes" }),
      key: ({ metadata }) => metadata.uid,
      version: ({ metadata }) => metadata.resourceVersion,
    });
    const poll = async () =>
      [...await poller.poll({ signal: new AbortController().signal })]
        .map(({ type, item }) => `${type} ${item.metadata.name}`);
    assert.deepEqual(await poll(), []);
    const labels = { watched: "yes" };
    await server.request("POST", CONFIG_MAPS, {
      metadata: { name: "w", labels },
      data: { a: "1" },
    });
    assert.deepEqual(await poll(), ["added w"]);
    await server.request("PATCH", `${CONFIG_MAPS}/w`, { data: { a: "2" } });
    assert.deepEqual(await poll(), ["modified w"]);
    await server.request("DELETE", `${CONFIG_MAPS}/w`);
    await server.request("POST", CONFIG_MAPS, { metadata: { name: "w", labels } });
    assert.deepEqual((await poll()).sort(), ["added w", "removed w"]);
  });

  test("a kubeconfig by its shape", async () => {
    const list = (token: string) =>
      read(
        kubernetesPages(
          fromKubeConfig({
            getCurrentCluster: () => ({ server: `${server.url}/`, caData: btoa(server.ca) }),
            getCurrentUser: () => ({ token }),
          }, trusting(server.ca)),
          CONFIG_MAPS,
        ),
      );
    assert.ok((await list(server.adminToken)).length > 0);
    await assert.rejects(list("wrong"), /answered 401/);
  });

  test("a server whose certificate is another's is not trusted", async () => {
    const stranger = fromKubeConfig({
      getCurrentCluster: () => ({ server: server.url }),
      getCurrentUser: () => ({ token: server.adminToken }),
    });
    await assert.rejects(read(kubernetesPages(stranger, CONFIG_MAPS)), (error: ExternalError) => {
      assert.equal(error.code, "network");
      assert.doesNotMatch(error.message, /admin-token/);
      return true;
    });
  });

  test("the API server killed and restarted: failures, no false removal, and on it goes", async () => {
    await server.request("POST", CONFIG_MAPS, configMap("survivor", { a: "1" }));
    const failed = Promise.withResolvers<void>();
    const watch = watchExternal(
      new HttpPoller(`${cluster.url}${CONFIG_MAPS}/survivor`, { ...cluster, timeout: 2_000 }),
      { interval: 50, maxBackoff: 200, onError: () => failed.resolve() },
    );
    const events = watch[Symbol.asyncIterator]();
    const next = async () => (await events.next()).value as ExternalEvent<HttpResource>;
    assert.equal((await next()).type, "added");
    const modified = next();
    await server.apiServer.kill();
    await failed.promise;
    await server.apiServer.restart();
    await server.request("PATCH", `${CONFIG_MAPS}/survivor`, { data: { a: "2" } });
    assert.equal((await modified).type, "modified");
    assert.deepEqual(dataOf(await modified), { a: "2" });
    await watch[Symbol.asyncDispose]();
  });
});

async function read(
  list: ReturnType<typeof kubernetesPages>,
  onRequest?: () => void,
): Promise<KubernetesObject[]> {
  const items: KubernetesObject[] = [];
  const signal = new AbortController().signal;
  for await (const page of list({ signal, ...(onRequest && { onRequest }) })) items.push(...page);
  return items;
}
