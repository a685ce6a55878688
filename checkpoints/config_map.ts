/** Checkpoints as ConfigMaps of a Kubernetes cluster. */
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { FencedStates } from "../_state/fenced.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Cluster } from "../_kubernetes/cluster.ts";
import { ConfigMaps, MAX_CONFIG_MAP_BYTES } from "../_kubernetes/config_maps.ts";

/** Where to keep checkpoints in a cluster. */
export interface ConfigMapCheckpointStoreOptions {
  /** The namespace of the ConfigMaps. It must exist. */
  namespace: string;
  /**
   * The prefix of their names, and the value of their label `external.koprs.dev/checkpoints`: at
   * most 63 lower-case letters, digits and hyphens. Give each group of sources a prefix of its own.
   *
   * @default {"checkpoint"}
   */
  prefix?: string;
}

/**
 * Keeps checkpoints in a Kubernetes cluster, one ConfigMap for each source, so that an operator
 * needs neither a disk nor a bucket. Every write names the `resourceVersion` that it replaces: a
 * stale writer gets a clear error, and never overwrites newer state.
 *
 * A ConfigMap holds 1 MiB: the state of about 20,000 objects of a store, or of any HTTP resource
 * without its body. Each save is a write to etcd, so use an `ObjectCheckpointStore` for a source
 * that changes every second.
 *
 * The service account needs the verbs `get`, `list`, `create`, `update` and `delete` of
 * `configmaps` in the namespace. Whoever may read ConfigMaps there can read the states: names of
 * objects and, with `remember: "body"`, contents.
 *
 * @example
 * ```ts ignore
 * import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";
 * import { inCluster } from "@koprs/external/kubernetes";
 *
 * const cluster = inCluster();
 * const { namespace } = cluster;
 * const store = new ConfigMapCheckpointStore(cluster, { namespace, prefix: "my-operator" });
 * await store.save("config", new Uint8Array([1]));
 * console.assert((await store.load("config"))?.[0] === 1);
 * ```
 */
export class ConfigMapCheckpointStore implements CheckpointStore {
  readonly #maps: ConfigMaps;
  readonly #states: FencedStates;

  /**
   * Makes no request yet.
   *
   * @param cluster How to reach the API server: `inCluster()` in a pod.
   * @param options Where to keep the ConfigMaps.
   * @throws {TypeError} If the cluster has no URL, the namespace is missing or the prefix cannot be used.
   */
  constructor(cluster: Cluster, options: ConfigMapCheckpointStoreOptions) {
    const { namespace, prefix = "checkpoint" } = options ?? {};
    if (typeof namespace !== "string" || namespace === "") {
      throw new TypeError("Cannot keep checkpoints as 'namespace' must be a string, not empty");
    }
    if (
      typeof prefix !== "string" || prefix.length > 63 ||
      !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(prefix)
    ) {
      throw new TypeError(
        "Cannot keep checkpoints as 'prefix' must be 1 to 63 lower-case letters, digits and hyphens, " +
          `no hyphen first or last: current value is '${prefix}'`,
      );
    }
    this.#maps = new ConfigMaps(cluster, namespace, prefix);
    this.#states = new FencedStates(this.#maps);
  }

  /**
   * The state saved last under this key.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} If the request to the API server fails, such as with code `status` and
   * status 403; with code `checkpoint` if the ConfigMap holds something that is not a state.
   */
  async load(key: string): Promise<Uint8Array | undefined> {
    return await this.#states.load(key);
  }

  /**
   * Replaces the state under this key.
   *
   * @param key The name of the source.
   * @param state The state of the source: at most 1 MiB.
   * @throws {ExternalError} With code `checkpoint` if the state is larger, or another process has
   * written, claimed or deleted it since; with another code if the request to the API server fails.
   */
  async save(key: string, state: Uint8Array): Promise<void> {
    if (state.length > MAX_CONFIG_MAP_BYTES) {
      throw new ExternalError(
        "checkpoint",
        `Cannot save the checkpoint of '${key}' as ${await this.locate(
          key,
        )} as its ${state.length} bytes ` +
          `are more than the ${MAX_CONFIG_MAP_BYTES} that a ConfigMap holds: use an ObjectCheckpointStore, or a ` +
          "FileCheckpointStore on a volume, or watch a smaller part",
        { source: key },
      );
    }
    await this.#states.save(key, state);
  }

  /**
   * Loads the state under this key, and takes the key over: the state is written again with a mark
   * of this store object, so that no other one can save or delete it any more.
   *
   * @param key The name of the source.
   * @returns The state, or undefined if there is none.
   * @throws {ExternalError} If a request to the API server fails; with code `store` if others write the
   * key at the same time again and again.
   */
  async claim(key: string): Promise<Uint8Array | undefined> {
    return await this.#states.claim(key);
  }

  /**
   * Deletes the ConfigMap of this key.
   *
   * @param key The name of the source.
   * @throws {ExternalError} With code `checkpoint` if another process has written, claimed or
   * deleted it since this store object last read or wrote it; with another code if the request to
   * the API server fails.
   */
  async delete(key: string): Promise<void> {
    await this.#states.delete(key);
  }

  /**
   * The keys that have a state, from the ConfigMaps whose label has the store's prefix as its
   * value.
   *
   * @returns The keys.
   * @throws {ExternalError} If a request to the API server fails.
   */
  async *list(): AsyncGenerator<string, void> {
    yield* this.#maps.list();
  }

  /**
   * Where the state of this key is kept, for error messages.
   *
   * @param key The name of the source.
   * @returns The namespace and name of the ConfigMap.
   */
  async locate(key: string): Promise<string> {
    return await this.#maps.locate(key);
  }
}
