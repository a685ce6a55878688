/** An API server in memory, behind a `fetch`: objects with versions, labels and pages. The real one is in tests/servers/. */
import type { Cluster } from "@koprs/external/kubernetes";

export interface Seen {
  readonly method: string;
  /** The path, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Record<string, string>;
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

interface Metadata {
  name: string;
  resourceVersion: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface Stored {
  metadata: Metadata;
  // deno-lint-ignore no-explicit-any
  [field: string]: any;
}

export function json(status: number, body: unknown, headers?: Record<string, string>): Response {
  return new Response(JSON.stringify(body), { status, headers: headers ?? {} });
}

const failed = (status: number, message: string) => json(status, { kind: "Status", message });

export class ApiServer {
  readonly objects: Map<string, Stored> = new Map();
  readonly requests: Seen[] = [];
  /** Answers in place of the server, if it gives an answer. */
  instead: (request: Seen) => Response | Promise<Response> | undefined = () => undefined;
  readonly cluster: Cluster = {
    url: "https://cluster.test",
    bearerToken: "a token",
    fetch: async (input, init) => {
      const { pathname, searchParams } = new URL(String(input));
      const request: Seen = {
        method: init?.method ?? "GET",
        path: pathname,
        query: searchParams,
        headers: { ...init?.headers as Record<string, string> },
        body: typeof init?.body === "string" ? JSON.parse(init.body) : undefined,
      };
      this.requests.push(request);
      return await this.instead(request) ?? this.answer(request);
    },
  };
  #version = 0;

  /** Method and last part of the path of each request so far. */
  get asked(): string[] {
    return this.requests.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`);
  }

  put(path: string, body: Omit<Stored, "metadata"> & { metadata: Partial<Metadata> }): Stored {
    const name = path.split("/").at(-1) as string;
    const metadata = { ...body.metadata, name, resourceVersion: String(++this.#version) };
    const stored = structuredClone({ ...body, metadata });
    this.objects.set(path, stored);
    return stored;
  }

  answer({ method, path, query, body }: Seen): Response {
    if (method === "POST") {
      const at = `${path}/${body.metadata.name}`;
      return this.objects.has(at) ? failed(409, "exists already") : json(201, this.put(at, body));
    }
    const found = this.objects.get(path);
    if (method === "GET" && /\/[a-z]+s$/.test(path)) return this.#list(path, query);
    if (found === undefined) return failed(404, `'${path}' not found`);
    if (method === "GET") return json(200, found);
    const expected = method === "PUT"
      ? body.metadata.resourceVersion
      : body?.preconditions?.resourceVersion;
    if (expected !== undefined && expected !== found.metadata.resourceVersion) {
      return failed(409, "has been modified");
    }
    if (method === "PUT") return json(200, this.put(path, body));
    this.objects.delete(path);
    return json(200, { kind: "Status", status: "Success" });
  }

  /** The `continue` of a page is the number of objects before it. */
  #list(path: string, query: URLSearchParams): Response {
    const [label = "", value] = query.get("labelSelector")?.split("=") ?? [];
    const items = [...this.objects].filter(([at, { metadata }]) =>
      at.startsWith(`${path}/`) && (label === "" || metadata.labels?.[label] === value)
    ).map(([, { apiVersion: _, kind: __, ...item }]) => item);
    const from = Number(query.get("continue") ?? 0);
    const to = from + Number(query.get("limit") ?? Infinity);
    const metadata = to < items.length ? { continue: String(to) } : {};
    const kind = path.endsWith("leases") ? "LeaseList" : "ConfigMapList";
    return json(200, { apiVersion: "v1", kind, metadata, items: items.slice(from, to) });
  }
}
