// fake-gcs-server: the JSON API of Google Cloud Storage.
import { join } from "node:path";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import { cachedTool, fakeGcs } from "./tools.ts";

/** Options of {@linkcode startFakeGcs}. */
export interface FakeGcsOptions {
  /**
   * `filesystem` keeps its objects over a kill and a restart, but cleans keys as paths: `//`, `..`
   * and a final slash are lost. `memory` keeps every key exactly, and loses all objects when it ends.
   * @default {"filesystem"}
   */
  readonly backend?: "filesystem" | "memory";
}

/** A running fake-gcs-server. */
export interface FakeGcsServer extends ServerProcess {
  /** For `new Storage({ apiEndpoint, projectId })`. It asks for no credentials. */
  readonly endpoint: string;
  readonly projectId: string;
  /** Makes a bucket. */
  createBucket(bucket: string): Promise<void>;
  /**
   * Puts many objects, several at a time. Quick for some hundreds (0.5 s for 300); every object more
   * makes the next one slower (9 to 14 s for 3,000), so ask for small pages to see many of them.
   */
  putMany(
    bucket: string,
    entries: Iterable<{ readonly key: string; readonly body: string | Uint8Array<ArrayBuffer> }>,
  ): Promise<void>;
}

/** Why fake-gcs-server cannot be started, or undefined. */
export async function missingFakeGcs(): Promise<string | undefined> {
  const tool = await cachedTool(fakeGcs);
  return "missing" in tool ? tool.missing : undefined;
}

/** Starts fake-gcs-server without buckets. */
export async function startFakeGcs(options: FakeGcsOptions = {}): Promise<FakeGcsServer> {
  const tool = await cachedTool(fakeGcs);
  if ("missing" in tool) throw new Error(`Cannot start fake-gcs-server: ${tool.missing}`);
  const server = await startServer({
    name: "fake-gcs-server",
    launch: ({ port, folder }) => ({
      command: tool.path,
      args: [
        ...["-scheme", "http", "-host", "127.0.0.1", "-port", String(port)],
        ...["-public-host", `127.0.0.1:${port}`],
        ...["-external-url", `http://127.0.0.1:${port}`],
        ...["-backend", options.backend ?? "filesystem", "-filesystem-root", join(folder, "data")],
        ...["-data", join(folder, "none"), "-log-level", "error"],
      ],
    }),
    ready: async ({ port }) => await httpStatus(port, "/_internal/healthcheck") === 200,
  });
  const endpoint = `http://127.0.0.1:${server.port}`;
  const projectId = "koprs-test";
  return Object.assign(server, {
    endpoint,
    projectId,
    createBucket: async (bucket: string) => {
      await post(`${endpoint}/storage/v1/b?project=${projectId}`, {
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: bucket }),
      });
    },
    putMany: async (
      bucket: string,
      entries: Iterable<{ readonly key: string; readonly body: string | Uint8Array<ArrayBuffer> }>,
    ) => {
      const rest = entries[Symbol.iterator]();
      const base = `${endpoint}/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`;
      const worker = async () => {
        for (let next = rest.next(); !next.done; next = rest.next()) {
          const { key, body } = next.value;
          await post(`${base}?uploadType=media&name=${encodeURIComponent(key)}`, { body });
        }
      };
      await Promise.all(Array.from({ length: 16 }, worker));
    },
  });
}

async function post(url: string, init: RequestInit): Promise<void> {
  const response = await fetch(url, { method: "POST", ...init });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot post to ${url}: ${response.status} ${text}`);
}
