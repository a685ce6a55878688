// How to reach a cluster, from a pod's service account or a kubeconfig. On the real API server: tests/servers/kubernetes_test.ts.
import {
  fromKubeConfig,
  inCluster,
  type KubeConfigCluster,
  type KubeConfigLike,
  type KubeConfigUser,
} from "@koprs/external/kubernetes";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, test, type TestContext } from "node:test";
import { fetchTrusting, isTrusted, variable } from "../../_kubernetes/runtime.ts";
import { type Certificate, issueForLocalhost, makeAuthority } from "../http/_authority.ts";
import { isBun, isDeno } from "../watch/_watch.ts";

const own: typeof fetch = () => Promise.reject(new Error("not asked"));
let ca: string;
let otherCa: string;
let certificate: Certificate;

before(async () => {
  const authority = await makeAuthority("Test CA");
  ca = authority.pem;
  otherCa = (await makeAuthority("Other CA")).pem;
  certificate = await issueForLocalhost(authority);
});

/** What is to be restored at the end of a test. */
const kept = new WeakMap<TestContext, Set<string>>();

/** Sets environment variables until the end of the test, as often as it likes; undefined removes one. */
function setEnv(t: TestContext, variables: Record<string, string | undefined>): void {
  const names = kept.get(t) ?? new Set();
  kept.set(t, names);
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    // Once: the hooks of a test run in the order they were given in, and the first one knows what was there.
    if (!names.has(name)) {
      t.after(() => {
        if (before === undefined) delete process.env[name];
        else process.env[name] = before;
      });
    }
    names.add(name);
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}

/** A folder with these files, and the environment of a pod. */
async function mount(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-pod-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  setEnv(t, { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" });
  return folder;
}

const unusable = (message: RegExp) => ({ name: "ExternalError", code: "invalid", message });

test("a pod has its URL, namespace and token, which is read again for each request", async (t) => {
  const folder = await mount(t, { token: " one\n", namespace: "shop\n" });
  const cluster = inCluster({ folder, fetch: own });
  const token = cluster.bearerToken as () => Promise<string>;
  assert.deepEqual({ ...cluster, bearerToken: await token() }, {
    url: "https://10.0.0.1:6443",
    bearerToken: "one",
    fetch: own,
    namespace: "shop",
  });
  await writeFile(join(folder, "token"), "two\n");
  assert.equal(await token(), "two");
  await writeFile(join(folder, "token"), "\n");
  await assert.rejects(token(), unusable(/token' is empty$/));
  await rm(join(folder, "token"));
  await assert.rejects(token(), unusable(/^Cannot use the cluster as the service account cannot/));
});

test("the URL is that of the environment: an IPv6 address in brackets, port 443 if none is given", async (t) => {
  const folder = await mount(t, { token: "one" });
  const url = () => inCluster({ folder, fetch: own }).url;
  setEnv(t, { KUBERNETES_SERVICE_HOST: "fd00::1" });
  assert.equal(url(), "https://[fd00::1]:6443");
  setEnv(t, { KUBERNETES_SERVICE_HOST: "api.cluster", KUBERNETES_SERVICE_PORT: undefined });
  assert.equal(url(), "https://api.cluster:443");
  setEnv(t, { KUBERNETES_SERVICE_PORT: "" });
  assert.equal(url(), "https://api.cluster:443");
  setEnv(t, { KUBERNETES_SERVICE_PORT: "no-port" });
  assert.throws(url, unusable(/'https:\/\/api\.cluster:no-port' is not a URL/));
  for (const host of [undefined, ""]) {
    setEnv(t, { KUBERNETES_SERVICE_HOST: host });
    assert.throws(url, unusable(/KUBERNETES_SERVICE_HOST is not set.*see 'fromKubeConfig'$/));
  }
});

test("without a namespace there is none, and without a token nothing goes", async (t) => {
  const folder = await mount(t, { token: "one" });
  const options = { folder, fetch: own };
  assert.equal("namespace" in inCluster(options), false);
  await writeFile(join(folder, "namespace"), " \n");
  assert.equal("namespace" in inCluster(options), false);
  await writeFile(join(folder, "token"), " ");
  assert.throws(() => inCluster(options), unusable(/token' is empty$/));
  await rm(join(folder, "token"));
  assert.throws(() => inCluster(options), (error: Error) => {
    assert.match(
      error.message,
      /see 'automountServiceAccountToken' of the pod.*may read '.*token'$/,
    );
    assert.notEqual(error.cause, undefined);
    return true;
  });
});

test("in a pod the usual folder is where the service account is looked for", {
  skip: existsSync("/var/run/secrets/kubernetes.io/serviceaccount/token") && "this is a pod",
}, (t) => {
  setEnv(t, { KUBERNETES_SERVICE_HOST: "10.0.0.1" });
  assert.throws(
    () => inCluster({ fetch: own }),
    unusable(/may read '\/var\/run\/secrets\/kubernetes\.io\/serviceaccount\/token'$/),
  );
  assert.throws(() => inCluster(), unusable(/serviceaccount\/token'$/));
});

test("the certificate authority of the cluster is trusted, and only with it its server", {
  skip: isDeno || isBun ? false : "Node's fetch takes no authority",
}, async (t) => {
  const server = createServer({ ...certificate }, (request, response) => {
    response.end(request.headers["x-own"]);
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const folder = await mount(t, { token: "one", "ca.crt": ca });
  setEnv(t, { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(port) });
  const pod = inCluster({ folder });
  const config = fromKubeConfig(configOf({ server: pod.url, caData: btoa(ca) }));
  const byFile = fromKubeConfig(configOf({ server: pod.url, caFile: join(folder, "ca.crt") }));
  for (const { url, fetch } of [pod, config, byFile]) {
    const response = await fetch!(url, { headers: { "x-own": "sent", connection: "close" } });
    assert.equal(await response.text(), "sent");
  }
  const stranger = fromKubeConfig(configOf({ server: pod.url, caData: btoa(otherCa) }));
  await assert.rejects(stranger.fetch!(pod.url));
});

test("a certificate authority that is none is refused", async (t) => {
  const folder = await mount(t, { token: "one", "ca.crt": "not a certificate" });
  assert.throws(() => inCluster({ folder }), unusable(/ca\.crt' holds no certificate$/));
  await rm(join(folder, "ca.crt"));
  assert.throws(() => inCluster({ folder }), unusable(/may read '.*ca\.crt'$/));
  assert.equal(inCluster({ folder, fetch: own }).fetch, own, "a 'fetch' needs none");
  const of = (cluster: Partial<KubeConfigCluster>) => () => fromKubeConfig(configOf(cluster));
  assert.throws(of({ caData: btoa("nothing") }), unusable(/authority' holds no certificate$/));
  assert.throws(of({ caData: "%" }), unusable(/authority-data' is not base64$/));
  assert.throws(of({ caFile: "/no/such/ca" }), unusable(/may read '\/no\/such\/ca'$/));
  if (isDeno) {
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert.throws(
      of({ caData: btoa(broken) }),
      unusable(/holds no certificate that can be used: /),
    );
  }
});

test("where 'fetch' takes no authority, the process must have been started with it", {
  skip: isBun && "Bun's fetch takes one",
}, async (t) => {
  // As on Node.
  if (isDeno) {
    const { createHttpClient } = Deno;
    Object.assign(Deno, { createHttpClient: undefined });
    t.after(() => Object.assign(Deno, { createHttpClient }));
  }
  assert.equal(fetchTrusting(ca), undefined);
  const folder = await mount(t, { token: "one", "ca.crt": ca, both: otherCa + ca });
  setEnv(t, { NODE_EXTRA_CA_CERTS: undefined });
  assert.throws(
    () => inCluster({ folder }),
    unusable(/start it with NODE_EXTRA_CA_CERTS=.*ca\.crt, or pass a 'fetch' that trusts it$/),
  );
  setEnv(t, { NODE_EXTRA_CA_CERTS: join(folder, "both") });
  const cluster = inCluster({ folder });
  assert.equal(cluster.url, "https://10.0.0.1:6443");
  assert.equal("fetch" in cluster, false);
});

test("all certificates of an authority must be trusted, however their lines are broken", async (t) => {
  const folder = await mount(t, { one: ca, both: `${otherCa}\r\n${ca.replaceAll("\n", "\r\n")}` });
  const trusted = (file: string | undefined) => {
    setEnv(t, { NODE_EXTRA_CA_CERTS: file && join(folder, file) });
    return [isTrusted(ca), isTrusted(ca + otherCa)];
  };
  assert.deepEqual(trusted(undefined), [false, false]);
  assert.deepEqual(trusted("none"), [false, false]);
  assert.deepEqual(trusted("one"), [true, false]);
  assert.deepEqual(trusted("both"), [true, true]);
  setEnv(t, { SOME_VARIABLE: "" });
  assert.equal(variable("SOME_VARIABLE"), undefined);
});

function configOf(cluster: Partial<KubeConfigCluster>, user?: KubeConfigUser): KubeConfigLike {
  return {
    getCurrentCluster: () => ({ server: "https://api:6443", ...cluster }),
    getCurrentUser: () => user,
  };
}

test("a kubeconfig gives its URL without a slash at its end, and the token of its user", () => {
  assert.deepEqual(fromKubeConfig(configOf({ server: "https://api:6443//" }, { token: "t" })), {
    url: "https://api:6443",
    bearerToken: "t",
  });
  assert.deepEqual(fromKubeConfig(configOf({})), { url: "https://api:6443" });
  assert.deepEqual(fromKubeConfig(configOf({ caFile: "/no/such/ca" }), { fetch: own }), {
    url: "https://api:6443",
    fetch: own,
  });
  assert.deepEqual(fromKubeConfig(configOf({}), { fetch: own }).fetch, own);
});

test("a kubeconfig that needs what a plain 'fetch' cannot do is refused without one that can", () => {
  const needy: [KubeConfigLike, RegExp][] = [
    [configOf({ skipTLSVerify: true }), /'insecure-skip-tls-verify' is not supported/],
    [configOf({}, { certData: "x" }), /a client's certificate is not supported/],
    [configOf({}, { certFile: "x" }), /a client's certificate is not supported/],
  ];
  for (const [config, message] of needy) {
    assert.throws(() => fromKubeConfig(config), unusable(message));
    assert.equal(fromKubeConfig(config, { fetch: own }).fetch, own);
  }
  fromKubeConfig(configOf({ skipTLSVerify: false }));
});

test("a kubeconfig without a current cluster is refused", () => {
  const without = [undefined, {}, configOf({ server: "api" }), configOf({ server: 7 as never }), {
    getCurrentCluster: () => null,
    getCurrentUser: () => null,
  }];
  for (const config of without) {
    assert.throws(
      () => fromKubeConfig(config as KubeConfigLike),
      unusable(/the kubeconfig has no cluster in its current context$/),
    );
  }
});
