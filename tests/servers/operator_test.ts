// The operator of examples/operator against the real API server: three replicas as processes, with the manifests' own CRD
// and role. Replicas are killed, frozen and replaced while sources change: nothing is lost.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { manifest, metricOf, type ReplicaOptions, Sources, startReplica } from "./_operator.ts";
import { type KubernetesServer, missingKubernetes, startKubernetes } from "./kubernetes.ts";
import { type MinioServer, missingMinio, startMinio } from "./minio.ts";
import type { ServerProcess } from "./process.ts";

const skip = await missingKubernetes() ?? false;
const noBuckets = await missingMinio();
const NAMESPACE = "operator";
const RESOURCES = `/apis/external.koprs.dev/v1alpha1/namespaces/${NAMESPACE}/externalsources`;
const CONFIG_MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const OURS = encodeURIComponent("app.kubernetes.io/managed-by=external-operator");
const CHECKPOINTS = encodeURIComponent("external.koprs.dev/checkpoints=external-operator");
/** Fewer where a whole file has two minutes. */
const COUNT = process.versions.deno !== undefined ? 200 : 60;
const NAMES = Array.from({ length: COUNT }, (_, i) => `source-${i}`);
/** The sources from one share of them to another. */
const some = (from: number, to: number) => NAMES.slice(COUNT * from, COUNT * to);
const LEASE_SECONDS = 6;
/** How long anything may take to come about. */
const PATIENCE = 60_000;

describe("the operator", { skip }, () => {
  const sources = new Sources();
  let server: KubernetesServer;
  let minio: MinioServer | undefined;
  let options: ReplicaOptions;
  let replicas: ServerProcess[] = [];
  let started = 0;
  const start = async () => {
    const replica = await startReplica(`replica-${started++}`, options);
    replicas.push(replica);
    return replica;
  };

  before(async () => {
    await sources.listen();
    if (noBuckets === undefined) minio = await startMinio();
    server = await startKubernetes();
    await server.createNamespace(NAMESPACE);
    for (
      const { kind, name, yaml } of [...await manifest("crd.yaml"), ...await manifest("rbac.yaml")]
    ) {
      await server.applyYaml(`${PATHS[kind]}/${name}`, yaml);
    }
    await until("the CRD is served", async () => {
      const { status } = await server.request("GET", RESOURCES, undefined, [404, 429]);
      return status === 200;
    });
    const folder = join(server.apiServer.folder, "operator");
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, "token"),
      await server.createToken(NAMESPACE, "external-operator"),
    );
    await writeFile(join(folder, "ca.crt"), server.ca);
    await writeFile(join(folder, "namespace"), NAMESPACE);
    options = {
      server,
      serviceAccount: folder,
      env: {
        LEASE_SECONDS: String(LEASE_SECONDS),
        LIST_SECONDS: "1",
        RESYNC_SECONDS: "6",
        ...(minio !== undefined && {
          AWS_REGION: minio.region,
          AWS_ENDPOINT_URL: minio.endpoint,
          AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
        }),
      },
    };
  });
  after(async () => {
    await Promise.all(replicas.map((replica) => replica.kill()));
    await Promise.all(replicas.map((replica) => replica.stop()));
    await server?.stop();
    await minio?.kill();
    await minio?.stop();
    await sources.close();
  });

  const create = (name: string, spec: Readonly<Record<string, unknown>>) =>
    server.request("POST", RESOURCES, {
      apiVersion: "external.koprs.dev/v1alpha1",
      kind: "ExternalSource",
      metadata: { name },
      spec: { intervalSeconds: 2, ...spec },
    });
  /** Gives sources new content, which says what has just happened. */
  const change = (word: string, names = NAMES) =>
    names.forEach((name) => sources.set(name, `${name} ${word}`));
  /** The contents of all ConfigMaps of the operator, by name. */
  const mirrored = async () => {
    const { body } = await server.request("GET", `${CONFIG_MAPS}?labelSelector=${OURS}`);
    return new Map<string, string>(
      // deno-lint-ignore no-explicit-any
      body.items.map((item: any) => [item.metadata.name, item.data?.content]),
    );
  };
  const allMirrored = () =>
    until("every ConfigMap has the last content", async () => {
      const found = await mirrored();
      const behind = NAMES.filter((name) => found.get(name) !== sources.get(name));
      return behind.length === 0 ||
        `${behind.length} are behind, such as ${behind[0]}: ${found.get(behind[0] as string)}`;
    }, () => replicas.map((replica) => `--- ${replica.name}\n${replica.log()}`).join("\n"));
  const conditionOf = async (name: string) => {
    const { body } = await server.request("GET", `${RESOURCES}/${name}`);
    return { ...body.status, ...body.status?.conditions?.[0] };
  };

  test("three replicas share the sources, and mirror each", async (t) => {
    change("at first");
    for (let i = 0; i < COUNT; i += 20) {
      await Promise.all(
        NAMES.slice(i, i + 20).map((name) => create(name, { url: sources.urlOf(name) })),
      );
    }
    await Promise.all([start(), start(), start()]);
    await allMirrored();
    // A replica that joins late has its share later.
    let shares: number[] = [];
    await until("each replica has its share", async () => {
      shares = await Promise.all(
        replicas.map((replica) => metricOf(replica, "external_operator_sources")),
      );
      const sum = shares.reduce((sum, share) => sum + share, 0);
      return sum === COUNT && shares.every((share) => share > COUNT / 10) || shares.join();
    });
    t.diagnostic(`sources of each replica: ${shares.join(", ")}`);
    sources.takeSilence(NAMES);
    // Whoever has it by now tells of its change.
    change("once more", ["source-7"]);
    await allMirrored();
    await until("its last change is told", async () => {
      const { lastChange, nextPoll } = await conditionOf("source-7");
      return Date.parse(lastChange) <= Date.now() && Date.parse(nextPoll) > 0 ||
        `${lastChange} ${nextPoll}`;
    });
    const { type, status, reason, observedGeneration } = await conditionOf("source-7");
    assert.deepEqual({ type, status, reason, observedGeneration }, {
      ...{ type: "Ready", status: "True", reason: "Mirrored", observedGeneration: 1 },
    });
    const { body } = await server.request(
      "GET",
      `/apis/events.k8s.io/v1/namespaces/${NAMESPACE}/events`,
    );
    assert.ok(body.items.some(({ note }: { note: string }) => note === "'content' was added"));
  });

  test("a replica is killed while sources change", async (t) => {
    change("before the kill", some(0, 0.5));
    await replicas[0]?.kill();
    await allMirrored();
    t.diagnostic(`longest silence of a source: ${sources.takeSilence(NAMES)} ms`);
    await replicas.shift()?.stop();
    await start();
  });

  test("a replica is frozen while sources change, and thaws when the others have its sources", async (t) => {
    const frozen = replicas[0] as ServerProcess;
    change("before the freeze", some(0, 0.3));
    await until(
      "it is at work",
      async () => (await mirrored()).get("source-0") === sources.get("source-0"),
    );
    frozen.pause();
    change("in the freeze", some(0.15, 0.5));
    await allMirrored();
    t.diagnostic(`longest silence of a source: ${sources.takeSilence(NAMES)} ms`);
    frozen.resume();
    await until(
      "it has its share again",
      async () => await metricOf(frozen, "external_operator_sources") > 0,
    );
    await allMirrored();
    change("behind the thaw", some(0.4, 0.75));
    await allMirrored();
  });

  test("all replicas are replaced one by one while sources change", async (t) => {
    sources.takeSilence(NAMES);
    for (const [i, old] of [...replicas].entries()) {
      await start();
      change(`while ${old.name} ends`, some(i / 3, (i + 1) / 3));
      await old.stop();
      replicas = replicas.filter((replica) => replica !== old);
      const { body } = await server.request("GET", LEASES);
      const holders = body.items.map(({ spec }: { spec: { holderIdentity: string } }) =>
        spec.holderIdentity
      );
      assert.ok(
        !holders.some((holder: string) => holder.startsWith(`${old.name}-`)),
        holders.join(),
      );
    }
    await allMirrored();
    t.diagnostic(`longest silence of a source: ${sources.takeSilence(NAMES)} ms`);
  });

  test("what others change is repaired, what is gone goes, and what fails is said", async () => {
    await server.request("PATCH", `${CONFIG_MAPS}/source-1`, {
      data: { content: "by hand" },
      metadata: { labels: { kept: "yes" } },
    });
    await server.request("DELETE", `${CONFIG_MAPS}/source-2`);
    sources.remove("source-3");
    sources.set("source-4", "broken");
    await until(
      "the failure is said",
      async () => (await conditionOf("source-4")).reason === "PollFailed",
    );
    assert.match((await conditionOf("source-4")).message, /500/);
    sources.set("source-4", "whole again");
    await allMirrored();
    const { body } = await server.request("GET", `${CONFIG_MAPS}/source-1`);
    assert.equal(body.metadata.labels.kept, "yes", "what is not the operator's stays");
    await until(
      "the recovery, too",
      async () => (await conditionOf("source-4")).status === "True",
    );
  });

  test("another URL is another source, and a resource that is deleted leaves nothing", async () => {
    sources.set("elsewhere", "from elsewhere");
    await server.request("PATCH", `${RESOURCES}/source-5`, {
      spec: { url: sources.urlOf("elsewhere") },
    });
    await until(
      "it is mirrored",
      async () => (await mirrored()).get("source-5") === "from elsewhere",
    );
    const gone = some(0.5, 0.75);
    for (const name of gone) await server.request("DELETE", `${RESOURCES}/${name}`);
    await until("they are gone", async () => {
      const { body } = await server.request("GET", RESOURCES);
      return body.items.length === COUNT - gone.length;
    });
    const left = await mirrored();
    assert.deepEqual(gone.filter((name) => left.has(name)), []);
    const { body } = await server.request("GET", `${CONFIG_MAPS}?labelSelector=${CHECKPOINTS}`);
    assert.equal(body.items.length, COUNT - gone.length, "checkpoints");
  });

  test("the objects of a bucket are entries of one ConfigMap", async (t) => {
    if (minio === undefined) return t.skip(noBuckets);
    const { endpoint, region, credentials } = minio;
    const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
    await minio.createBucket("settings");
    const put = (Key: string, Body: string | Uint8Array) =>
      client.putObject({ Bucket: "settings", Key, Body });
    await put("app/limits.json", "{}");
    await put("app/a/b", "nested");
    await put("app/bytes", new Uint8Array([255]));
    await put("other", "not of it");
    await create("from-bucket", { bucket: "settings", prefix: "app/" });
    const entries = async () => {
      const path = `${CONFIG_MAPS}/from-bucket`;
      const { body: { data, binaryData } } = await server.request("GET", path, undefined, [404]);
      return JSON.stringify({ data, binaryData });
    };
    const expected = {
      data: { a_2fb: "nested", "limits.json": "{}" },
      binaryData: { bytes: "/w==" },
    };
    await until("all are there", async () => await entries() === JSON.stringify(expected));
    await client.deleteObject({ Bucket: "settings", Key: "app/a/b" });
    await put("app/limits.json", "[]");
    await until(
      "what changed changes, and what is gone goes",
      async () =>
        await entries() ===
          JSON.stringify({ data: { "limits.json": "[]" }, binaryData: { bytes: "/w==" } }),
    );
    client.destroy();
  });

  test("a resource that makes no sense is refused by the API server", async () => {
    for (const spec of [{}, { url: "https://a/", bucket: "abc" }, { url: "ftp://a/" }]) {
      const object = {
        apiVersion: "external.koprs.dev/v1alpha1",
        kind: "ExternalSource",
        metadata: { name: "nonsense" },
        spec,
      };
      const { status } = await server.request("POST", RESOURCES, object, [422]);
      assert.equal(status, 422, JSON.stringify(spec));
    }
  });
});

const PATHS: Readonly<Record<string, string>> = {
  CustomResourceDefinition: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  ServiceAccount: `/api/v1/namespaces/${NAMESPACE}/serviceaccounts`,
  Role: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/roles`,
  RoleBinding: `/apis/rbac.authorization.k8s.io/v1/namespaces/${NAMESPACE}/rolebindings`,
};

/** Looks until it is so. The API server is asked again and again, as nothing tells of it. */
async function until(
  what: string,
  holds: () => Promise<boolean | string>,
  details: () => string = () => "",
): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    const found = await holds();
    if (found === true) return;
    if (performance.now() > deadline) assert.fail(`Not so: ${what}: ${found}\n${details()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
