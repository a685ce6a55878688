/**
 * Kubernetes on `fetch`, without an SDK: reaches the API server, lists its objects, and shares sources between replicas
 * by Leases.
 *
 * @example Watching a ConfigMap from inside a pod
 * ```ts ignore
 * import { HttpPoller, watchExternal } from "@koprs/external";
 * import { inCluster } from "@koprs/external/kubernetes";
 *
 * const cluster = inCluster();
 * const url = `${cluster.url}/api/v1/namespaces/${cluster.namespace}/configmaps/my-config`;
 * for await (const { type, item } of watchExternal(new HttpPoller(url, cluster), 30_000)) {
 *   console.log(type, type === "removed" ? undefined : item.json());
 * }
 * ```
 *
 * @module
 */
export {
  type Cluster,
  fromKubeConfig,
  inCluster,
  type InClusterOptions,
  type KubeConfigCluster,
  type KubeConfigLike,
  type KubeConfigUser,
} from "./_kubernetes/cluster.ts";
export { LeaseOwner, type LeaseOwnerOptions } from "./_kubernetes/lease_owner.ts";
export {
  type KubernetesObject,
  kubernetesPages,
  type KubernetesPagesOptions,
} from "./_kubernetes/pages.ts";
export type { GroupOwner } from "./_group/ownership.ts";
export type { Logger } from "./_errors/logger.ts";
export type { PollOptions } from "./_diff/source.ts";
