// The real API server of Kubernetes on an etcd of its own: no kubelet, no controllers, so nothing is collected as garbage.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort } from "./ports.ts";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import {
  type CachedTool,
  cachedTool,
  cacheFolder,
  installTool,
  onPath,
  type Tool,
} from "./tools.ts";

const VERSION = "34.2";
const NEEDED = ["go", "bash", "openssl"];

/** kube-apiserver; etcd is built beside it. */
const apiServer: CachedTool = {
  name: "kubernetes",
  version: `v1.${VERSION}`,
  program: join("bin", "kube-apiserver"),
  installer: "bash",
  installerMissing: "bash is not installed",
  install: (folder) => ({
    args: [fileURLToPath(new URL("kubernetes_build.sh", import.meta.url)), folder, VERSION],
  }),
  unasked: false,
};

/** A running API server. */
export interface KubernetesServer {
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** The certificate that its own is signed by, in PEM. */
  readonly ca: string;
  /** The path of that. */
  readonly caFile: string;
  /** A bearer token that may do everything. */
  readonly adminToken: string;
  /** kube-apiserver's own process: to be killed, paused and restarted. */
  readonly apiServer: ServerProcess;
  /** One request with the admin's token. Rejects for a status that is no success, unless it is one of `allow`. */
  request(
    method: string,
    path: string,
    body?: unknown,
    allow?: readonly number[],
  ): Promise<KubernetesAnswer>;
  /** Applies an object that is written as YAML. */
  applyYaml(path: string, yaml: string): Promise<void>;
  /** Makes a namespace. */
  createNamespace(name: string): Promise<void>;
  /** Makes a service account, and a role for it in its namespace. */
  createServiceAccount(
    namespace: string,
    name: string,
    rules: readonly PolicyRule[],
  ): Promise<void>;
  /** A token of a service account, as a pod has one. The server gives none for less than 600 s. */
  createToken(namespace: string, serviceAccount: string, seconds?: number): Promise<string>;
  /** Drops all that etcd has of the past, so that a `continue` of before is answered with 410. */
  compact(): Promise<void>;
  stop(): Promise<void>;
}

/** What the API server answered. */
export interface KubernetesAnswer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

/** What a role allows. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** Why the API server cannot be started, or undefined. */
export async function missingKubernetes(): Promise<string | undefined> {
  if (
    !existsSync(join(cacheFolder(), `${apiServer.name}-${apiServer.version}`, apiServer.program))
  ) {
    const missing = NEEDED.find((program) => onPath(program) === undefined);
    if (missing !== undefined) {
      return `kube-apiserver is not built, and ${missing} is not installed`;
    }
  }
  const tool = await cachedTool(apiServer);
  return "missing" in tool ? tool.missing : undefined;
}

/** Builds the API server and etcd, unless they are there: about five minutes on two cores. */
export async function installKubernetes(): Promise<Tool> {
  const missing = NEEDED.find((program) => onPath(program) === undefined);
  return missing === undefined
    ? await installTool(apiServer)
    : { missing: `${missing} is not installed` };
}

/** Starts etcd and the API server. Ready in about four seconds, with 330 MB of memory. */
export async function startKubernetes(
  options: { readonly featureGates?: string } = {},
): Promise<KubernetesServer> {
  const tool = await cachedTool(apiServer);
  if ("missing" in tool) throw new Error(`Cannot start kube-apiserver: ${tool.missing}`);
  const etcd = await startServer({
    name: "etcd",
    launch: async ({ port, folder }) => {
      const client = `http://127.0.0.1:${port}`;
      const peer = `http://127.0.0.1:${await freePort()}`;
      return {
        command: join(dirname(tool.path), "etcd"),
        args: [
          ...["--data-dir", join(folder, "data"), "--unsafe-no-fsync", "--log-level", "error"],
          ...["--listen-client-urls", client, "--advertise-client-urls", client],
          ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
          ...["--initial-cluster", `default=${peer}`],
        ],
      };
    },
    ready: async ({ port }) => await httpStatus(port, "/health") === 200,
  });
  const adminToken = "admin-token";
  let server: ServerProcess;
  try {
    server = await startServer({
      name: "kube-apiserver",
      startTimeout: 90_000,
      launch: async ({ port, folder }) => {
        const [key, tokens] = [join(folder, "sa.key"), join(folder, "tokens.csv")];
        await promisify(execFile)("openssl", ["genrsa", "-out", key, "2048"]);
        await writeFile(tokens, `${adminToken},admin,admin,"system:masters"\n`);
        return {
          command: tool.path,
          args: [
            `--etcd-servers=http://127.0.0.1:${etcd.port}`,
            ...[
              "--bind-address=127.0.0.1",
              `--secure-port=${port}`,
              "--advertise-address=127.0.0.1",
            ],
            ...["--endpoint-reconciler-type=none", `--cert-dir=${join(folder, "certs")}`],
            "--service-account-issuer=https://kubernetes.default.svc",
            ...[`--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`],
            ...["--authorization-mode=RBAC", `--token-auth-file=${tokens}`],
            ...[
              "--service-cluster-ip-range=10.0.0.0/24",
              "--disable-admission-plugins=ServiceAccount",
            ],
            ...(options.featureGates === undefined
              ? []
              : [`--feature-gates=${options.featureGates}`]),
          ],
        };
      },
      ready: async ({ port }) =>
        (await exchange(port, "GET", "/readyz", adminToken)).status === 200,
    });
  } catch (error) {
    await etcd.stop();
    throw error;
  }
  const caFile = join(server.folder, "certs", "apiserver.crt");
  const ask: KubernetesServer["request"] = async (method, path, body, allow = []) => {
    const answer = await exchange(server.port, method, path, adminToken, body);
    if (answer.status < 300 || allow.includes(answer.status)) return answer;
    throw new Error(`Cannot ${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  return {
    url: `https://127.0.0.1:${server.port}`,
    ca: await readFile(caFile, "utf8"),
    caFile,
    adminToken,
    apiServer: server,
    request: ask,
    async applyYaml(path, yaml) {
      const query = "fieldManager=tests";
      const answer = await exchange(server.port, "PATCH", `${path}?${query}`, adminToken, yaml);
      if (answer.status < 300) return;
      throw new Error(`Cannot apply ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    },
    async createNamespace(name) {
      await ask("POST", "/api/v1/namespaces", { metadata: { name } });
    },
    async createServiceAccount(namespace, name, rules) {
      await ask("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } });
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
      await ask("POST", `${rbac}/roles`, { metadata: { name }, rules });
      await ask("POST", `${rbac}/rolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      });
    },
    async createToken(namespace, serviceAccount, seconds = 600) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
      const { body } = await ask("POST", path, { spec: { expirationSeconds: seconds } });
      return String(body.status.token);
    },
    async compact() {
      const at = `http://127.0.0.1:${etcd.port}/v3/kv`;
      const range = await post(`${at}/range`, { key: "AA==" });
      const { revision } = (range as { header: { revision: string } }).header;
      await post(`${at}/compaction`, { revision, physical: true });
    },
    async stop() {
      await server.stop();
      await etcd.stop();
    },
  };
}

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot post to ${url}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** By `node:https`, which takes a certificate that it does not know: what is tested has to check it. */
function exchange(
  port: number,
  method: string,
  path: string,
  token: string,
  body?: unknown,
): Promise<KubernetesAnswer> {
  return new Promise((resolve, reject) => {
    const isYaml = typeof body === "string";
    const patch = isYaml ? "application/apply-patch+yaml" : "application/merge-patch+json";
    const type = method === "PATCH" ? patch : "application/json";
    const call = request({
      host: "127.0.0.1",
      port,
      path,
      method,
      agent: false,
      rejectUnauthorized: false,
      timeout: 10_000,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { "content-type": type }),
      },
    }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => text += chunk);
      response.on("error", reject);
      response.on("end", () => {
        let parsed: unknown = text;
        try {
          parsed = JSON.parse(text);
        } catch {
          // /readyz answers in plain text.
        }
        resolve({ status: response.statusCode ?? 0, body: parsed });
      });
    });
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error("no answer within 10 s")));
    call.end(body === undefined || isYaml ? body : JSON.stringify(body));
  });
}
