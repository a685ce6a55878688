// MinIO: a real S3 server, on one folder.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type Credentials, sign } from "./_sigv4.ts";
import { type Entry, tar } from "./_tar.ts";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import { cachedTool, minio } from "./tools.ts";

/** A running MinIO. */
export interface MinioServer extends ServerProcess {
  /** For the SDK's `endpoint`, with `forcePathStyle: true`. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Makes a bucket. */
  createBucket(bucket: string): Promise<void>;
  /**
   * Puts many objects by one request: MinIO unpacks an archive into the bucket, about 1,000 objects
   * a second on two busy cores. Keys hold at most 100 bytes and are cleaned as paths on the way;
   * write hostile ones with the SDK's `putObject` (MinIO itself refuses `//`).
   */
  putMany(bucket: string, entries: Iterable<Entry>): Promise<void>;
  /** Tells the webhook what changes in a bucket from now on. */
  notify(bucket: string): Promise<void>;
  /** A signed request, for what the two above do not cover. The body is not read. */
  send(
    method: string,
    path: string,
    init?: {
      query?: Record<string, string>;
      headers?: Record<string, string>;
      body?: Uint8Array<ArrayBuffer> | string;
    },
  ): Promise<Response>;
}

/** Why MinIO cannot be started, or undefined. */
export async function missingMinio(): Promise<string | undefined> {
  const tool = await cachedTool(minio);
  return "missing" in tool ? tool.missing : undefined;
}

/**
 * Starts MinIO with an empty folder and new credentials. About 0.6 s, 110 MB, idle when unused.
 *
 * @param options `webhook`: where it tells what changed in the buckets of `notify`.
 */
export async function startMinio(options: { webhook?: string } = {}): Promise<MinioServer> {
  const tool = await cachedTool(minio);
  if ("missing" in tool) throw new Error(`Cannot start MinIO: ${tool.missing}`);
  const region = "us-east-1";
  const credentials = {
    accessKeyId: `koprs${randomBytes(6).toString("hex")}`,
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  const server = await startServer({
    name: "MinIO",
    launch: ({ port, folder }) => ({
      command: tool.path,
      args: [
        "server",
        "--quiet",
        "--address",
        `127.0.0.1:${port}`,
        "--certs-dir",
        join(folder, "certs"),
        join(folder, "data"),
      ],
      env: {
        MINIO_ROOT_USER: credentials.accessKeyId,
        MINIO_ROOT_PASSWORD: credentials.secretAccessKey,
        MINIO_BROWSER: "off",
        MINIO_UPDATE: "off",
        MINIO_SCANNER_SPEED: "slowest",
        GOMEMLIMIT: "384MiB",
        ...(options.webhook !== undefined && {
          MINIO_NOTIFY_WEBHOOK_ENABLE_KOPRS: "on",
          MINIO_NOTIFY_WEBHOOK_ENDPOINT_KOPRS: options.webhook,
        }),
      },
    }),
    // Health answers before credentials work; refusing an unsigned request proves that they do.
    ready: async ({ port }) => await httpStatus(port, "/") === 403,
  });
  const endpoint = `http://127.0.0.1:${server.port}`;
  const send: MinioServer["send"] = (method, path, init = {}) => {
    const signer: Credentials = { ...credentials, region };
    const { query, headers: unsigned } = init;
    const { url, headers } = sign({ method, endpoint, path, query, headers: unsigned }, signer);
    return fetch(url, { method, headers, body: init.body });
  };
  return Object.assign(server, {
    endpoint,
    region,
    credentials,
    send,
    createBucket: async (bucket: string) => {
      await expectOk(`create bucket ${bucket}`, await send("PUT", `/${bucket}`));
    },
    notify: async (bucket: string) => {
      const response = await send("PUT", `/${bucket}`, {
        query: { notification: "" },
        body: "<NotificationConfiguration><QueueConfiguration>" +
          "<Queue>arn:minio:sqs::KOPRS:webhook</Queue>" +
          "<Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:*</Event>" +
          "</QueueConfiguration></NotificationConfiguration>",
      });
      await expectOk(`have ${bucket} notify`, response);
    },
    putMany: async (bucket: string, entries: Iterable<Entry>) => {
      const response = await send("PUT", `/${bucket}/archive.tar`, {
        headers: { "x-amz-meta-snowball-auto-extract": "true" },
        body: tar(entries),
      });
      await expectOk(`put objects into ${bucket}`, response);
    },
  });
}

async function expectOk(what: string, response: Response): Promise<void> {
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot ${what}: ${response.status} ${text.slice(0, 500)}`);
}
