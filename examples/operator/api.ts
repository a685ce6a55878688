/** Requests to the API server, on `fetch`. */
import type { Cluster } from "@koprs/external/kubernetes";

/** Milliseconds for one request. */
const TIMEOUT = 10_000;

const TYPES = {
  json: "application/json",
  merge: "application/merge-patch+json",
  // The body is JSON, which is valid YAML.
  apply: "application/apply-patch+yaml",
} as const;

/** One request. */
export interface Call {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
  readonly type?: keyof typeof TYPES;
  /** Statuses other than success that do not throw. */
  readonly allow?: readonly number[];
  readonly signal?: AbortSignal;
}

/** An answer of the API server. The body is undefined if the status is no success. */
export interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** An answer whose status is neither success nor allowed. */
export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

export class Api {
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  async request<T>(call: Call): Promise<Answer<T>> {
    const { method, path, body, type = "json", allow = [], signal } = call;
    const { url, bearerToken, fetch = globalThis.fetch } = this.#cluster;
    const token = typeof bearerToken === "function" ? await bearerToken() : bearerToken;
    const bound = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        accept: "application/json",
        ...(body !== undefined && { "content-type": TYPES[type] }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: signal === undefined ? bound : AbortSignal.any([signal, bound]),
    });
    const { ok, status } = response;
    const text = await response.text();
    if (!ok && !allow.includes(status)) {
      throw new ApiError(status, `${method} ${path}: ${status}: ${reasonIn(text)}`);
    }
    return { status, body: ok ? JSON.parse(text) : undefined as T };
  }
}

/** The reason that the API server gives, such as which verb on which resource a role lacks. */
function reasonIn(text: string): string {
  try {
    return String(JSON.parse(text).message ?? text);
  } catch {
    return text.slice(0, 200);
  }
}
