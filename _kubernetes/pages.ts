/** Lists objects of the API server, page by page. */
import type { PollOptions } from "../_diff/source.ts";
import { checkPositive } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { KubernetesApi } from "./api.ts";
import type { Cluster } from "./cluster.ts";

/** The fields of every object of Kubernetes. */
export interface KubernetesObject {
  /** The group and version of its kind. */
  readonly apiVersion: string;
  /** Its kind. */
  readonly kind: string;
  /** The metadata of every object. */
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    /** Changes with every write, even of only the status. */
    readonly resourceVersion: string;
    /** Changes with every write of the spec, if the kind has one. */
    readonly generation?: number;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly finalizers?: readonly string[];
  };
}

/** Which objects to list, and how. */
export interface KubernetesPagesOptions {
  /**
   * The most objects in one page.
   *
   * @default {500}
   */
  limit?: number;
  /** Only objects with these labels, such as `app=web,tier!=db`. */
  labelSelector?: string;
  /** Only objects with these fields, such as `metadata.name=a`. */
  fieldSelector?: string;
  /**
   * Milliseconds for one request.
   *
   * @default {30_000}
   */
  timeout?: number;
}

interface List {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly metadata?: { readonly continue?: unknown };
  readonly items?: unknown;
}

/**
 * Makes the `list` of a `CollectionPoller` for objects of Kubernetes: {@linkcode KubernetesObject}s, or a type that you
 * name.
 *
 * If a list expires between two pages (410), it is begun again, at most once in each poll.
 *
 * As the key, take `metadata.uid` if an object that was deleted and created again counts as another one, or else its
 * namespace and name. As the version, take `metadata.generation` for objects whose status you write yourself: with
 * `metadata.resourceVersion` your own writes would come back as changes.
 *
 * @example
 * ```ts
 * import { CollectionPoller } from "@koprs/external";
 * import { type KubernetesObject, kubernetesPages } from "@koprs/external/kubernetes";
 *
 * const cluster = { url: "http://127.0.0.1:8001" }; // inCluster() in a pod
 * const pods = new CollectionPoller<KubernetesObject>({
 *   name: "pods",
 *   list: kubernetesPages(cluster, "/api/v1/namespaces/default/pods", { labelSelector: "app=web" }),
 *   key: ({ metadata }) => metadata.uid,
 *   version: ({ metadata }) => metadata.resourceVersion,
 * });
 * console.assert(pods.name === "pods");
 * ```
 *
 * @param cluster The cluster.
 * @param path The path of the list, such as `/apis/example.com/v1/namespaces/default/things`.
 * @param options Which objects to list, and how.
 * @returns A function that lists the objects, page by page.
 * @throws {TypeError} If the cluster, the path or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function kubernetesPages<T extends KubernetesObject = KubernetesObject>(
  cluster: Cluster,
  path: string,
  options?: KubernetesPagesOptions,
): (options: PollOptions) => AsyncIterable<readonly T[]> {
  const { limit = 500, labelSelector, fieldSelector, timeout = 30_000 } = options ?? {};
  if (typeof path !== "string" || !path.startsWith("/") || /[?#]/.test(path)) {
    throw new TypeError(
      `Cannot list as the path must begin with '/' and have no query: current value is '${path}'`,
    );
  }
  checkPositive("list", "limit", limit);
  if (!Number.isInteger(limit)) {
    throw new RangeError(
      `Cannot list as 'limit' must be a whole number: current value is ${limit}`,
    );
  }
  checkPositive("list", "timeout", timeout);
  const api = new KubernetesApi(cluster, timeout);
  const query = new URLSearchParams({ limit: String(limit) });
  if (labelSelector !== undefined) query.set("labelSelector", labelSelector);
  if (fieldSelector !== undefined) query.set("fieldSelector", fieldSelector);

  return async function* list(poll: PollOptions): AsyncIterable<readonly T[]> {
    let token: string | undefined;
    let restarted = false;
    const tokens = new Set<string>();
    for (;;) {
      const url = new URLSearchParams(query);
      if (token !== undefined) url.set("continue", token);
      const { status, body } = await api.ask({
        path: `${path}?${url}`,
        doing: `list '${path}'`,
        signal: poll.signal,
        onRequest: poll.onRequest,
        // Only a list that is continued can have expired.
        allow: token !== undefined && !restarted ? [410] : [],
      });
      if (status === 410) {
        // The objects listed so far come again, and the last state of each counts. The next poll finds the ones that
        // were deleted meanwhile to be gone.
        restarted = true;
        token = undefined;
        tokens.clear();
        continue;
      }
      const page = body as List;
      yield itemsOf<T>(page, path);
      token = nextOf(page, path);
      if (token === undefined) return;
      if (tokens.has(token)) throw broken(path, "the API server gave the same 'continue' twice");
      tokens.add(token);
    }
  };
}

/** The items of a list. Items of built-in kinds have no `apiVersion` and `kind`: these follow from the list. */
function itemsOf<T>({ apiVersion, kind, items }: List, path: string): readonly T[] {
  // Old servers give null for a list without items.
  if (items === null) return [];
  if (!Array.isArray(items) || typeof kind !== "string" || !kind.endsWith("List")) {
    throw broken(path, "the answer is not a list of objects");
  }
  const own = { apiVersion, kind: kind.slice(0, -"List".length) };
  return items.map((item) => ({ ...own, ...item }));
}

/** The `continue` token, which is missing or empty after the last page. */
function nextOf({ metadata }: List, path: string): string | undefined {
  const next = metadata?.continue;
  if (next === undefined || next === null || next === "") return undefined;
  if (typeof next !== "string") throw broken(path, "'continue' is not a string");
  return next;
}

function broken(path: string, why: string): ExternalError {
  return new ExternalError("protocol", `Cannot list '${path}' as ${why}`);
}
