/** How to reach a cluster: from inside a pod, or by a kubeconfig. */
import { reasonOf, redactError } from "../_errors/redact.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { fetchTrusting, isTrusted, read, readNow, variable } from "./runtime.ts";

/** Where Kubernetes mounts the service account of a pod. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * How to reach the API server of a cluster. An `HttpPoller` takes one as its options.
 *
 * @example
 * ```ts
 * import { HttpPoller } from "@koprs/external";
 * import type { Cluster } from "@koprs/external/kubernetes";
 *
 * const cluster: Cluster = { url: "http://127.0.0.1:8001" }; // `kubectl proxy`
 * const poller = new HttpPoller(`${cluster.url}/api/v1/namespaces/default/configmaps/my-config`, cluster);
 * console.assert(poller.name.endsWith("/my-config"));
 * ```
 */
export interface Cluster {
  /** The URL of the API server, without a `/` at its end. */
  readonly url: string;
  /** The token for the requests, or a function that returns it. The function is called before each request. */
  readonly bearerToken?: string | (() => string | Promise<string>);
  /** The `fetch` for the requests, if the cluster's certificates need a special one. */
  readonly fetch?: typeof fetch;
  /** The namespace of the pod, or of the kubeconfig's context. */
  readonly namespace?: string;
}

/** How to reach the cluster that this process runs in. */
export interface InClusterOptions {
  /**
   * Where the service account is mounted: a folder with `token`, `ca.crt` and `namespace`.
   *
   * @default {"/var/run/secrets/kubernetes.io/serviceaccount"}
   */
  folder?: string;
  /**
   * The `fetch` for the requests. It must trust the cluster's certificate authority.
   *
   * @default {globalThis.fetch} with the `ca.crt` of the folder, on Deno and Bun
   */
  fetch?: typeof fetch;
}

/**
 * The cluster that this process runs in, with the service account of its pod. The token is read before each request,
 * since Kubernetes replaces it about every hour.
 *
 * On Deno and Bun the cluster's certificate authority is passed to `fetch`. Node's `fetch` does not accept one: start
 * Node with `NODE_EXTRA_CA_CERTS=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt`, or pass a `fetch`. Deno needs
 * `--allow-read` of the folder, `--allow-net`, and `--allow-env=KUBERNETES_SERVICE_HOST,KUBERNETES_SERVICE_PORT`.
 *
 * @example
 * ```ts ignore
 * import { HttpPoller, watchExternal } from "@koprs/external";
 * import { inCluster } from "@koprs/external/kubernetes";
 *
 * const cluster = inCluster();
 * const url = `${cluster.url}/api/v1/namespaces/${cluster.namespace}/configmaps/my-config`;
 * for await (const event of watchExternal(new HttpPoller(url, cluster), 30_000)) console.log(event.type);
 * ```
 *
 * @param options Where the service account is mounted, and the `fetch` to use.
 * @returns How to reach the cluster.
 * @throws {ExternalError} With code `invalid` if this process does not run in a pod, the pod has no service account, or
 * the runtime's `fetch` cannot be made to trust the cluster.
 */
export function inCluster(options?: InClusterOptions): Cluster {
  const { folder = SERVICE_ACCOUNT } = options ?? {};
  const host = variable("KUBERNETES_SERVICE_HOST");
  if (host === undefined) {
    throw unusable(
      "KUBERNETES_SERVICE_HOST is not set: this process does not run in a pod; see 'fromKubeConfig'",
    );
  }
  const port = variable("KUBERNETES_SERVICE_PORT") ?? "443";
  const url = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url)) {
    throw unusable(`'${url}' is not a URL: see KUBERNETES_SERVICE_HOST and _PORT`);
  }
  const path = `${folder}/token`;
  checkToken(mounted(path), path);
  const namespace = optional(`${folder}/namespace`);
  return {
    url,
    bearerToken: async () => checkToken(await again(path), path),
    ...withFetch(options?.fetch, () => mounted(`${folder}/ca.crt`), `${folder}/ca.crt`),
    ...(namespace !== undefined && { namespace }),
  };
}

/** The part that is needed of a `KubeConfig` of `@kubernetes/client-node`, or of your own kubeconfig reader. */
export interface KubeConfigLike {
  /** The cluster of the current context. */
  getCurrentCluster(): KubeConfigCluster | null | undefined;
  /** The user of the current context. */
  getCurrentUser(): KubeConfigUser | null | undefined;
}

/** A cluster of a kubeconfig. */
export interface KubeConfigCluster {
  /** The URL of the API server. */
  readonly server: string;
  /** The certificate authority: PEM, encoded as base64. */
  readonly caData?: string | undefined;
  /** The path of a file with the certificate authority, in PEM. */
  readonly caFile?: string | undefined;
  /** Whether to skip the check of certificates. Not supported without a `fetch` that does so. */
  readonly skipTLSVerify?: boolean | undefined;
}

/** A user of a kubeconfig. */
export interface KubeConfigUser {
  /** A bearer token. */
  readonly token?: string | undefined;
  /** A client certificate. Not supported without a `fetch` that uses it. */
  readonly certData?: string | undefined;
  /** The path of a client certificate. Not supported without a `fetch` that uses it. */
  readonly certFile?: string | undefined;
}

/**
 * The cluster of a kubeconfig: of a `KubeConfig` of `@kubernetes/client-node`, or anything of its shape.
 *
 * Tokens are used as they are. A client certificate needs a `fetch` that uses it, and so does a program that provides
 * tokens.
 *
 * @example
 * ```ts
 * import { fromKubeConfig } from "@koprs/external/kubernetes";
 *
 * const cluster = fromKubeConfig({
 *   getCurrentCluster: () => ({ server: "https://127.0.0.1:6443/" }),
 *   getCurrentUser: () => ({ token: "a token" }),
 * });
 * console.assert(cluster.url === "https://127.0.0.1:6443");
 * ```
 *
 * @param config The kubeconfig.
 * @param options The `fetch` for the requests, if it is not the runtime's own.
 * @returns How to reach the cluster of the current context.
 * @throws {ExternalError} With code `invalid` if the kubeconfig has no current cluster, or needs a special `fetch` and
 * none was given.
 */
export function fromKubeConfig(
  config: KubeConfigLike,
  options?: { fetch?: typeof fetch },
): Cluster {
  const cluster = config?.getCurrentCluster?.();
  const user = config?.getCurrentUser?.();
  if (typeof cluster?.server !== "string" || !URL.canParse(cluster.server)) {
    throw unusable("the kubeconfig has no cluster in its current context");
  }
  const { caData, caFile, skipTLSVerify } = cluster;
  if (options?.fetch === undefined) {
    if (skipTLSVerify === true) {
      throw unusable("'insecure-skip-tls-verify' is not supported: pass a 'fetch' that does so");
    }
    if (user?.certData !== undefined || user?.certFile !== undefined) {
      throw unusable("a client's certificate is not supported: pass a 'fetch' that has it");
    }
  }
  const authority = caData !== undefined
    ? () => decodeBase64(caData)
    : caFile !== undefined
    ? () => mounted(caFile)
    : undefined;
  return {
    url: cluster.server.replace(/\/+$/, ""),
    ...(user?.token !== undefined && { bearerToken: user.token }),
    ...(authority === undefined
      ? options?.fetch !== undefined && { fetch: options.fetch }
      : withFetch(options?.fetch, authority, caFile ?? "the kubeconfig's certificate authority")),
  };
}

/** The `fetch` for a cluster with its own certificate authority. */
function withFetch(
  given: typeof fetch | undefined,
  authority: () => string,
  place: string,
): Pick<Cluster, "fetch"> {
  if (given !== undefined) return { fetch: given };
  const ca = authority();
  if (!ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw unusable(`'${place}' holds no certificate`);
  }
  const trusting = trust(ca, place);
  if (trusting !== undefined) return { fetch: trusting };
  if (isTrusted(ca)) return {};
  throw unusable(
    `the 'fetch' of this runtime takes no certificate authority: start it with NODE_EXTRA_CA_CERTS=${place}, ` +
      "or pass a 'fetch' that trusts it",
  );
}

function trust(ca: string, place: string): typeof fetch | undefined {
  try {
    return fetchTrusting(ca);
  } catch (thrown) {
    throw unusable(`'${place}' holds no certificate that can be used: ${reasonOf(thrown)}`, thrown);
  }
}

function mounted(path: string): string {
  try {
    return readNow(path);
  } catch (thrown) {
    throw notMounted(path, thrown);
  }
}

async function again(path: string): Promise<string> {
  try {
    return await read(path);
  } catch (thrown) {
    throw notMounted(path, thrown);
  }
}

function optional(path: string): string | undefined {
  try {
    return readNow(path).trim() || undefined;
  } catch {
    return undefined; // A pod may have only a token.
  }
}

function checkToken(token: string, path: string): string {
  if (token.trim() === "") throw unusable(`'${path}' is empty`);
  return token.trim();
}

function decodeBase64(text: string): string {
  try {
    return atob(text.replace(/\s+/g, ""));
  } catch {
    throw unusable("the kubeconfig's 'certificate-authority-data' is not base64");
  }
}

function notMounted(path: string, thrown: unknown): ExternalError {
  return unusable(
    `the service account cannot be read: ${
      reasonOf(thrown)
    }; see 'automountServiceAccountToken' of the pod, ` +
      `and whether this process may read '${path}'`,
    thrown,
  );
}

function unusable(why: string, cause?: unknown): ExternalError {
  const options = cause === undefined ? {} : { cause: redactError(cause) };
  return new ExternalError("invalid", `Cannot use the cluster as ${why}`, options);
}
