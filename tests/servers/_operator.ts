// What the operator of examples/operator works with in its test: the sources, and its replicas as processes.
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { KubernetesServer } from "./kubernetes.ts";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";

const FOLDER = new URL("../../examples/operator/", import.meta.url);

/** As in the Dockerfile, and without another look at the types. */
const DENO_FLAGS = [
  "run",
  "--no-check",
  "--cached-only",
  "--no-prompt",
  "--allow-net",
  "--allow-env",
  "--allow-sys=osRelease",
];

/** Sources on a local HTTP server, which tells when each was asked last. */
export class Sources {
  readonly #contents: Map<string, string> = new Map();
  readonly #askedAt: Map<string, number> = new Map();
  readonly #server: Server;
  #silence = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      const name = (request.url ?? "/").slice(1);
      const now = performance.now();
      this.#silence = Math.max(this.#silence, now - (this.#askedAt.get(name) ?? now));
      this.#askedAt.set(name, now);
      const content = this.#contents.get(name);
      if (content === undefined) response.writeHead(404).end();
      else if (content === "broken") response.writeHead(500).end();
      else response.end(content);
    });
    this.#server.keepAliveTimeout = 60_000;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
  }

  urlOf(name: string): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}/${name}`;
  }

  set(name: string, content: string): void {
    this.#contents.set(name, content);
  }

  remove(name: string): void {
    this.#contents.delete(name);
  }

  get(name: string): string | undefined {
    return this.#contents.get(name);
  }

  /** The longest that any of these was not asked, in ms, also if it still is not; and begins anew. */
  takeSilence(names: Iterable<string>): number {
    const now = performance.now();
    for (const name of names) {
      this.#silence = Math.max(this.#silence, now - (this.#askedAt.get(name) ?? now));
      this.#askedAt.set(name, now);
    }
    const silence = this.#silence;
    this.#silence = 0;
    return Math.round(silence);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What replicas are started with. */
export interface ReplicaOptions {
  readonly server: KubernetesServer;
  readonly serviceAccount: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts one replica, as a pod would, and waits until it is ready. */
export async function startReplica(
  name: string,
  { server, serviceAccount, env }: ReplicaOptions,
): Promise<ServerProcess> {
  const { hostname, port: apiPort } = new URL(server.url);
  const program = fileURLToPath(new URL("main.ts", FOLDER));
  const isDeno = process.versions.deno !== undefined;
  return await startServer({
    name,
    launch: ({ port }) => ({
      command: process.execPath,
      args: [...(isDeno ? [...DENO_FLAGS, `--allow-read=${serviceAccount}`] : []), program],
      env: {
        DENO_DIR: process.env["DENO_DIR"] ?? join(homedir(), ".cache", "deno"),
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: apiPort,
        SERVICE_ACCOUNT_FOLDER: serviceAccount,
        NODE_EXTRA_CA_CERTS: server.caFile,
        POD_NAME: name,
        PORT: String(port),
        ...env,
      },
    }),
    ready: async ({ port }) => await httpStatus(port, "/readyz") === 200,
    startTimeout: 60_000,
    stopTimeout: 20_000,
  });
}

/** The number that a replica tells under this name at /metrics. */
export async function metricOf({ port }: ServerProcess, name: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const found = new RegExp(`^${name} (\\S+)$`, "m").exec(await response.text());
  if (found === null) throw new Error(`No metric is called ${name}`);
  return Number(found[1]);
}

/** The objects of a manifest: each with its kind and name, and its YAML. */
export async function manifest(
  file: string,
): Promise<{ kind: string; name: string; yaml: string }[]> {
  const text = await readFile(new URL(`manifests/${file}`, FOLDER), "utf8");
  return text.split(/^---$/m).map((yaml) => {
    const [, kind = ""] = /^kind: (\S+)$/m.exec(yaml) ?? [];
    const [, name = ""] = /^metadata:\n {2}name: (\S+)$/m.exec(yaml) ?? [];
    return { kind, name, yaml };
  });
}
