// What a pod has of its service account: the folder that Kubernetes mounts, and the environment.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { Agent, fetch as undiciFetch } from "undici";
import { type Cluster, inCluster } from "@koprs/external/kubernetes";
import type { KubernetesServer } from "./kubernetes.ts";

/** Options that make the runtime's `fetch` trust the cluster. Node's takes no authority: undici's own does. */
export function trusting(ca: string): { fetch?: typeof fetch } {
  if (process.versions.deno !== undefined || process.versions.bun !== undefined) return {};
  const dispatcher = new Agent({ connect: { ca } });
  const own = (input: string, init: object) => undiciFetch(input, { ...init, dispatcher });
  return { fetch: own as unknown as typeof fetch };
}

/** Mounts a service account at a folder, and takes the cluster from there. */
export async function mount(
  server: KubernetesServer,
  folder: string,
  token: string,
  namespace: string,
): Promise<Cluster> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "token"), token);
  await writeFile(join(folder, "ca.crt"), server.ca);
  await writeFile(join(folder, "namespace"), namespace);
  const { hostname, port } = new URL(server.url);
  process.env["KUBERNETES_SERVICE_HOST"] = hostname;
  process.env["KUBERNETES_SERVICE_PORT"] = port;
  return inCluster({ folder, ...trusting(server.ca) });
}
