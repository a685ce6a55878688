// Servers that answer as S3 does, and as it should not, for the real client of the SDK.
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { S3, type S3ClientConfig } from "@aws-sdk/client-s3";
import { ExternalError } from "@koprs/external/error";
import type { ListOptions, ObjectStorePoller } from "@koprs/external/store";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";

export type Answer = (
  query: URLSearchParams,
  response: ServerResponse,
  request: IncomingMessage,
) => void;

export interface Served {
  readonly client: S3;
  readonly config: S3ClientConfig;
  readonly requests: { query: URLSearchParams; request: IncomingMessage }[];
  /** Connections that are open now. */
  connections(): Promise<number>;
  store(options?: S3StoreOptions): S3Store;
}

/** Runs a test against a server. */
export async function serving(
  answer: Answer,
  run: (served: Served) => Promise<void>,
  config: S3ClientConfig = { maxAttempts: 2 },
): Promise<void> {
  const requests: Served["requests"] = [];
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    requests.push({ query, request });
    answer(query, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const whole = { ...configOf(port), ...config };
  const client = new S3(whole);
  try {
    await run({
      client,
      config: whole,
      requests,
      connections: () =>
        new Promise((resolve, reject) =>
          server.getConnections((error, count) => error ? reject(error) : resolve(count))
        ),
      store: (options) => new S3Store(client, "bkt", options),
    });
  } finally {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** How to reach a server on this machine, with the SDK's own defaults otherwise. */
export function configOf(port: number): S3ClientConfig {
  return {
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "very secret" },
  };
}

/** A page of a listing. */
export function listing(
  keys: readonly string[],
  token?: string,
  encode: (key: string) => string = encodeURIComponent,
): string {
  return '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    `<EncodingType>url</EncodingType><IsTruncated>${token !== undefined}</IsTruncated>` +
    (token === undefined ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`) +
    keys.map((key) =>
      `<Contents><Key>${encode(key)}</Key><ETag>&quot;${key.length}&quot;</ETag>` +
      "<LastModified>2026-11-23T04:05:06.789Z</LastModified><Size>1</Size></Contents>"
    ).join("") + "</ListBucketResult>";
}

/** Answers listings with these pages, each with a token that leads to the next. */
export function pages(...all: string[][]): Answer {
  return (query, response) => {
    const index = Number(query.get("continuation-token") ?? 0);
    const next = index + 1 < all.length ? String(index + 1) : undefined;
    response.end(listing(all[index] ?? [], next));
  };
}

/** An error as S3 writes it. */
export function failing(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Answer {
  return (_query, response) => {
    response.writeHead(status, headers);
    response.end(`<Error><Code>${code}</Code><Message>as tested</Message></Error>`);
  };
}

/** How a server orders keys, and goes on. */
export interface Bucket {
  /** In the order of the server. May be changed. */
  keys: string[];
  /** What tells whether a key is behind another one. Default: its place in `keys`. */
  isBehind?: (key: string, mark: string) => boolean;
  /** The token for what is behind a key, and the key for a token. */
  token?: { write(key: string): string; read(token: string): string };
  /** The header field of that name. */
  server?: string;
  /** How keys are written. Default: every escape that there is. */
  encode?: (key: string) => string;
  /** Whether `prefix` is ignored. */
  anyPrefix?: boolean;
}

const INVISIBLE = {
  write: (key: string) => Buffer.from(`at ${key}`).toString("base64"),
  read: (token: string) => Buffer.from(token, "base64").toString().slice(3),
};

/** Answers listings of a bucket. */
export function bucketOf(bucket: Bucket): Answer {
  return (query, response) => {
    const { keys, server, token = INVISIBLE, anyPrefix, encode } = bucket;
    const places = new Map(keys.map((key, i) => [key, i] as const));
    const isBehind = bucket.isBehind ??
      ((key, mark) => {
        const place = places.get(mark);
        return place === undefined ? compareUtf8(key, mark) > 0 : places.get(key)! > place;
      });
    const prefix = query.get("prefix") ?? "";
    const given = query.get("continuation-token");
    const mark = given !== null ? token.read(given) : query.get("start-after") ?? "";
    const max = Number(query.get("max-keys"));
    const found = keys.filter((key) =>
      (anyPrefix || key.startsWith(prefix)) && (mark === "" || isBehind(key, mark))
    );
    if (query.has("delimiter")) {
      const names = found.filter((key) => !key.slice(prefix.length).includes("/"));
      return void response.end(listing(names.slice(0, max), undefined, encode));
    }
    const page = found.slice(0, max);
    if (server !== undefined) response.setHeader("server", server);
    const next = found.length > max ? token.write(page.at(-1) ?? "") : undefined;
    response.end(listing(page, next, encode));
  };
}

export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The order of a walk through a tree of folders: `a/…` before `a-b`. */
export function compareInTree(a: string, b: string): number {
  return compareUtf8(a.replaceAll("/", "\0"), b.replaceAll("/", "\0"));
}

export async function list(store: S3Store, options?: ListOptions): Promise<string[]> {
  return (await Array.fromAsync(store.list(options))).flat().map(({ key }) => key);
}

export function isFault(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ExternalError && error.code === code && error.source === "s3://bkt" &&
    pattern.test(error.message) && !error.message.includes("very secret");
}

/** A logger that keeps its warnings. */
export function warnings(): { logger: NonNullable<S3StoreOptions["logger"]>; lines: string[] } {
  const lines: string[] = [];
  const unexpected = (line: string) => {
    throw new Error(`Not to be logged so: ${line}`);
  };
  return {
    lines,
    logger: {
      debug: unexpected,
      info: unexpected,
      error: unexpected,
      warn: (line) => lines.push(line),
    },
  };
}

/** A signal that counts the listeners on it. */
export function countingSignal(): {
  signal: AbortSignal;
  abort(reason: unknown): void;
  count(): number;
} {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set<unknown>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  Object.assign(signal, {
    addEventListener(type: string, listener: () => void, options?: AddEventListenerOptions) {
      listeners.add(listener);
      add(type, listener, options);
    },
    removeEventListener(type: string, listener: () => void) {
      listeners.delete(listener);
      remove(type, listener);
    },
  });
  return { signal, abort: (reason) => controller.abort(reason), count: () => listeners.size };
}

/** Keys in order that begin alike. */
export function many(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(5, "0")}`);
}

/** What a poll reports, in words. */
export async function poll(poller: ObjectStorePoller): Promise<string[]> {
  const { signal } = new AbortController();
  return [...await poller.poll({ signal })].map(({ type, item }) => `${type} ${item.key}`);
}
