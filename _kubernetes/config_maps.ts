/**
 * Checkpoints in ConfigMaps. Each write names the version that it replaces, so that it fails if another one was
 * written.
 */
import type { Found, Records } from "../_state/fenced.ts";
import { checkpointHash } from "../_state/name.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { KubernetesApi } from "./api.ts";
import type { Cluster } from "./cluster.ts";
import { type KubernetesObject, kubernetesPages } from "./pages.ts";
import { fromBase64, toBase64 } from "../_bytes/base64.ts";

const LABEL = "external.koprs.dev/checkpoints";
const KEY = "external.koprs.dev/source";
const MARK = "external.koprs.dev/mark";
/** The most bytes of a ConfigMap that the API server accepts, before encoding as base64. */
export const MAX_CONFIG_MAP_BYTES: number = 1024 * 1024;
/** How many ConfigMaps one page of a listing has: each may have 1.4 MB. */
const PAGE = 50;

interface ConfigMapBody {
  readonly metadata?: {
    readonly name?: unknown;
    readonly resourceVersion?: unknown;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly binaryData?: { readonly state?: unknown };
}

export class ConfigMaps implements Records {
  readonly #api: KubernetesApi;
  readonly #path: string;
  readonly #namespace: string;
  readonly #prefix: string;
  readonly #pages: ReturnType<typeof kubernetesPages<ConfigMapBody & KubernetesObject>>;

  constructor(cluster: Cluster, namespace: string, prefix: string) {
    this.#api = new KubernetesApi(cluster);
    this.#path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps`;
    this.#namespace = namespace;
    this.#prefix = prefix;
    this.#pages = kubernetesPages(cluster, this.#path, {
      labelSelector: `${LABEL}=${prefix}`,
      limit: PAGE,
    });
  }

  async read(key: string): Promise<Found | undefined> {
    const name = await this.#nameOf(key);
    const { status, body } = await this.#api.ask({
      path: `${this.#path}/${name}`,
      doing: `read the ConfigMap '${name}'`,
      allow: [404],
    });
    if (status === 404) return undefined;
    const { metadata, binaryData } = body as ConfigMapBody;
    const version = versionOf(body, name);
    const state = binaryData?.state === undefined
      ? undefined
      : fromBase64(String(binaryData.state));
    if (binaryData?.state !== undefined && state === undefined) {
      throw new ExternalError(
        "checkpoint",
        `Cannot load the checkpoint of '${key}' as the ConfigMap '${name}' holds no base64: delete it`,
        { source: key },
      );
    }
    return {
      version,
      // A ConfigMap that was created or edited by hand has no mark.
      mark: String(metadata?.annotations?.[MARK] ?? `version ${version}`),
      ...(state !== undefined && { state }),
    };
  }

  async write(
    key: string,
    { mark, state }: Omit<Found, "version">,
    version: string | undefined,
  ): Promise<string | undefined> {
    const name = await this.#nameOf(key);
    const answer = await this.#api.ask({
      method: version === undefined ? "POST" : "PUT",
      path: version === undefined ? this.#path : `${this.#path}/${name}`,
      body: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name,
          ...(version !== undefined && { resourceVersion: version }),
          labels: { [LABEL]: this.#prefix },
          // As JSON, since not every string can be sent as it is.
          annotations: { [KEY]: JSON.stringify(key), [MARK]: mark },
        },
        ...(state !== undefined && { binaryData: { state: toBase64(state) } }),
      },
      doing: `write the ConfigMap '${name}'`,
      // 409: it has another version, or exists already. 404: the ConfigMap or its namespace is gone.
      allow: version === undefined ? [409] : [409, 404],
    });
    if (answer.status === 409 || answer.status === 404) return undefined;
    return versionOf(answer.body, name);
  }

  async remove(key: string, version: string): Promise<boolean> {
    const name = await this.#nameOf(key);
    const { status } = await this.#api.ask({
      method: "DELETE",
      path: `${this.#path}/${name}`,
      body: { preconditions: { resourceVersion: version } },
      doing: `delete the ConfigMap '${name}'`,
      allow: [404, 409],
    });
    return status !== 404 && status !== 409;
  }

  async locate(key: string): Promise<string> {
    return `ConfigMap ${this.#namespace}/${await this.#nameOf(key)}`;
  }

  /** The keys that have a state. */
  async *list(): AsyncGenerator<string, void> {
    const { signal } = new AbortController();
    const seen = new Set<string>(); // A listing that expires begins again.
    for await (const page of this.#pages({ signal })) {
      for (const item of page) {
        const key = await this.#keyOf(item);
        if (key === undefined || seen.has(key)) continue;
        seen.add(key);
        yield key;
      }
    }
  }

  /** The key of a ConfigMap with a state; undefined if the key does not fit its name, such as in a copy. */
  async #keyOf({ metadata, binaryData }: ConfigMapBody): Promise<string | undefined> {
    if (binaryData?.state === undefined) return undefined;
    let key: unknown;
    try {
      key = JSON.parse(String(metadata?.annotations?.[KEY]));
    } catch {
      return undefined; // Edited by hand.
    }
    return typeof key === "string" && await this.#nameOf(key) === metadata?.name ? key : undefined;
  }

  async #nameOf(key: string): Promise<string> {
    return `${this.#prefix}-${await checkpointHash(key)}`;
  }
}

function versionOf(body: unknown, name: string): string {
  const version = (body as ConfigMapBody).metadata?.resourceVersion;
  if (typeof version === "string" && version !== "") return version;
  // Without a version, a write would replace whatever is there.
  throw new ExternalError(
    "protocol",
    `Cannot use the ConfigMap '${name}' as the API server gave no resourceVersion for it`,
  );
}
