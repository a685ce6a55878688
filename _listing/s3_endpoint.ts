/** Where the requests of an S3 client go. */
import type { S3Client } from "./s3_client.ts";
import { copyClient } from "./s3_tap.ts";

/** The parts of a client's configuration that are used, in version 3 of the SDK. */
interface S3Config {
  /** Set if an endpoint was given. */
  endpoint?: unknown;
  /** The endpoint of the environment or of a profile, in newer versions of the SDK. */
  serviceConfiguredEndpoint?: unknown;
}

/** An endpoint as the SDK has it. */
interface Endpoint {
  hostname?: string;
  port?: number;
  path?: string;
}

/** How the names of Amazon's own endpoints end: of regions, access points, FIPS, dual stack, and private links. */
const AMAZON =
  /(^|\.)(amazonaws\.(com(\.cn)?|eu)|api\.(aws|amazonwebservices\.com\.cn)|(c2s|csp\.hci)\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk)$/;

/** Whether a client was made without an endpoint, as far as it shows: the environment may still name one. */
export function isOfAmazon(client: S3Client): boolean {
  const { config } = client;
  return typeof config === "object" && config !== null &&
    (config as S3Config).endpoint === undefined;
}

/**
 * The host, port and path of the endpoint, without the bucket: they tell buckets of the same name at two endpoints
 * apart. Empty for all of Amazon's own endpoints, as a name means the same bucket at each. The scheme is left out,
 * as one server may be reached by both.
 *
 * @throws What the client throws if it cannot tell, such as without a region.
 */
export async function endpointOf(client: S3Client, bucket: string): Promise<string> {
  if (typeof client.config !== "object" || client.config === null) return "";
  const { endpoint, serviceConfiguredEndpoint } = client.config as S3Config;
  if (typeof endpoint === "function") return nameOf(await endpoint());
  const resolved = await resolve(client, bucket);
  if (resolved !== undefined) return nameOf(resolved, bucket);
  return typeof serviceConfiguredEndpoint === "function"
    ? nameOf(await serviceConfiguredEndpoint.call(client.config))
    : "";
}

/**
 * Asks the SDK where a request would go, the environment and profiles included: lets it begin a listing, and ends
 * that before it is signed and sent. Undefined if the client does not work as a copy.
 */
async function resolve(client: S3Client, bucket: string): Promise<URL | undefined> {
  const copy = copyClient(client);
  if (copy === undefined) return undefined;
  let entered = false;
  let url: URL | undefined;
  copy.stack.add((_next, context) => () => {
    entered = true;
    url = (context as { endpointV2?: { url?: URL } }).endpointV2?.url;
    return Promise.resolve({ output: { $metadata: {} } });
  }, { step: "build", priority: "high", name: "koprsExternalEndpoint" });
  try {
    const { signal } = new AbortController();
    await copy.client.listObjectsV2({ Bucket: bucket }, { abortSignal: signal });
  } catch (thrown) {
    if (entered || !(thrown instanceof TypeError)) throw thrown;
  }
  return url;
}

function nameOf(endpoint: unknown, bucket?: string): string {
  if (endpoint === undefined) return "";
  const { host, hostname, pathname } = urlOf(endpoint);
  if (AMAZON.test(hostname)) return "";
  const prefix = `${bucket}.`;
  const suffix = `/${bucket}`;
  const path = pathname.replace(/\/+$/, "");
  if (bucket === undefined) return host + path;
  return (host.startsWith(prefix) ? host.slice(prefix.length) : host) +
    (path.endsWith(suffix) ? path.slice(0, -suffix.length) : path);
}

/** The URL constructor writes the host in lower case, and leaves out a default port. */
function urlOf(endpoint: unknown): URL {
  if (endpoint instanceof URL) return endpoint;
  if (typeof endpoint === "string") return new URL(endpoint);
  const { protocol = "https:", hostname = "", port, path = "/" } = (endpoint ?? {}) as
    & Endpoint
    & { protocol?: string };
  return new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`);
}
