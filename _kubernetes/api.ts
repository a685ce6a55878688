/** Requests to the API server of a cluster. */
import { HttpClient } from "../_http/request.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { askedWait } from "../_http/rate_limit.ts";
import type { Cluster } from "./cluster.ts";

/** The most bytes of one answer. The longest answers are lists, of up to 500 objects a page. */
const MAX_BYTES = 256 * 1024 * 1024;

/** What the API server answered. */
export interface ApiAnswer {
  readonly status: number;
  /** The parsed JSON. */
  readonly body: unknown;
}

/** One request. */
export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** The path from the root, with its parts encoded, and the query. */
  readonly path: string;
  readonly body?: unknown;
  /** What the request does, for errors: "renew the lease 'a'". */
  readonly doing: string;
  readonly signal?: AbortSignal | undefined;
  readonly onRequest?: (() => void) | undefined;
  /** Statuses that are not errors, besides those of success. */
  readonly allow?: readonly number[];
}

/** Sends requests to the API server, and reads why one has failed. */
export class KubernetesApi {
  readonly #client: HttpClient;

  /** @param timeout Milliseconds for one request. */
  constructor(cluster: Cluster, timeout = 30_000) {
    if (typeof cluster?.url !== "string") {
      throw new TypeError("Cannot use the cluster as it has no 'url': see 'inCluster'");
    }
    const { bearerToken, fetch } = cluster;
    this.#client = new HttpClient(`${cluster.url}/`, {
      name: cluster.url,
      timeout,
      maxBytes: MAX_BYTES,
      headers: { accept: "application/json", "content-type": "application/json" },
      ...(bearerToken !== undefined && { bearerToken }),
      ...(fetch !== undefined && { fetch }),
    });
  }

  /** Sends a request, and returns the answer if its status is a success or allowed. Rejects otherwise. */
  async ask(request: ApiRequest): Promise<ApiAnswer> {
    const { method = "GET", path, body, doing, allow = [] } = request;
    const reply = await this.#client.exchange({
      signal: request.signal,
      onRequest: request.onRequest,
      url: new URL(path, this.#client.url),
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
      wants: () => true,
    });
    const { status, headers } = reply;
    const answer = parse(reply.body);
    if (status >= 200 && status <= 299) {
      if (answer === undefined) {
        throw new ExternalError("protocol", `Cannot ${doing} as the answer is not JSON`, {
          status,
        });
      }
      return { status, body: answer };
    }
    if (allow.includes(status)) return { status, body: answer };
    const { retryAfter, rateLimit } = askedWait(status, (name) => headers.get(name));
    // The message of the API server says which verb of which resource the account may not use.
    const { message } = (answer ?? {}) as { message?: unknown };
    const why = typeof message === "string" && message !== "" ? `: ${message}` : "";
    const limited = rateLimit === undefined ? "" : `: ${rateLimit}`;
    throw new ExternalError(
      "status",
      `Cannot ${doing}: the API server answered ${status}${why}${limited}${hintFor(status)}`,
      { status, ...(retryAfter !== undefined && { retryAfter }) },
    );
  }
}

function hintFor(status: number): string {
  if (status === 401) return ": check the token";
  if (status === 403) return ": give the service account a role that allows it";
  return "";
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
