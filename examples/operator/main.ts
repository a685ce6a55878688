/**
 * The operator as a process. See README.md for how to run it in a cluster, or beside one.
 *
 *     deno run -A examples/operator/main.ts
 *
 * It is configured by environment variables; most of them have a default:
 *
 *     WATCH_NAMESPACE         the namespace of the resources                     default: the pod's own
 *     POD_NAME                names the replica in Leases and events             default: the process id
 *     KUBE_URL                the URL of a `kubectl proxy`, instead of the service account of a pod
 *     SERVICE_ACCOUNT_FOLDER  where the service account is mounted               default: Kubernetes' usual place
 *     LEASE_SECONDS           how long a dead replica keeps its sources          default: 15
 *     LIST_SECONDS            time between two listings of the resources         default: 10
 *     RESYNC_SECONDS          time between two repairs of what others changed    default: 600
 *     PORT                    the port of /healthz, /readyz and /metrics         default: 8080
 *     AWS_REGION              if set, buckets can be watched; credentials come from where the AWS SDK looks
 */
import process from "node:process";
import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";
import { type Cluster, inCluster, LeaseOwner } from "@koprs/external/kubernetes";
import { serveHealth } from "./health.ts";
import { Operator } from "./operator.ts";
import type { OpenBucket } from "./resource.ts";

/** Milliseconds to shut down in: less than the 30 s that Kubernetes gives a pod by default. */
const LAST_WORDS = 25_000;

const { env } = process;
const cluster = clusterOf();
const namespace = env["WATCH_NAMESPACE"] ?? cluster.namespace ?? "default";
const owner = new LeaseOwner(cluster, {
  namespace,
  group: "external-operator",
  identity: env["POD_NAME"] ?? `pid-${process.pid}`,
  leaseSeconds: seconds("LEASE_SECONDS", 15),
});
const operator = new Operator({
  cluster,
  namespace,
  owner,
  checkpoints: new ConfigMapCheckpointStore(cluster, { namespace, prefix: "external-operator" }),
  listInterval: seconds("LIST_SECONDS", 10) * 1000,
  resync: seconds("RESYNC_SECONDS", 600) * 1000,
  openBucket: await bucketOpener(),
  log: (message) => console.warn(message),
});
const health = await serveHealth(operator, seconds("PORT", 8080));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    console.info(`${signal}: finishing what is under way`);
    setTimeout(() => process.exit(1), LAST_WORDS).unref();
    operator.close().then(() => process.exit(0), fatal);
  });
}
await operator.run().catch(fatal);
health.close();

function fatal(error: unknown): never {
  console.error(error);
  process.exit(1);
}

function clusterOf(): Cluster {
  const url = env["KUBE_URL"];
  if (url !== undefined) return { url };
  const folder = env["SERVICE_ACCOUNT_FOLDER"];
  return inCluster(folder === undefined ? {} : { folder });
}

function seconds(name: string, otherwise: number): number {
  const number = Number(env[name] ?? otherwise);
  if (number > 0) return number;
  throw new RangeError(`Cannot start as ${name} must be positive: current value is '${env[name]}'`);
}

/** Loads the SDK only if buckets are watched. */
async function bucketOpener(): Promise<OpenBucket | undefined> {
  if (env["AWS_REGION"] === undefined) return undefined;
  const [{ S3 }, { S3Store }] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@koprs/external/stores/s3"),
  ]);
  // Most servers that are not Amazon's need the bucket in the path.
  const client = new S3({ forcePathStyle: env["AWS_ENDPOINT_URL"] !== undefined });
  return (bucket) => new S3Store(client, bucket);
}
