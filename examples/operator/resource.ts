/** The resource `ExternalSource`, as defined in manifests/crd.yaml, and what is polled for it. */
import {
  type ExternalSource,
  HttpPoller,
  type HttpResource,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external";
import type { KubernetesObject } from "@koprs/external/kubernetes";

export const API_VERSION = "external.koprs.dev/v1alpha1";
export const KIND = "ExternalSource";

const DEFAULT_INTERVAL_SECONDS = 30;
/** The most that a ConfigMap can hold. */
const MAX_BYTES = 1024 * 1024;

/** The spec, written by a user. */
export interface SourceSpec {
  /** An HTTP resource … */
  readonly url?: string;
  /** … or objects of an S3 bucket. */
  readonly bucket?: string;
  readonly prefix?: string;
  /** Seconds from the end of one good poll to the next. */
  readonly intervalSeconds?: number;
}

/** The status, written by the operator. */
export interface SourceStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  /** When the ConfigMap was changed last. */
  readonly lastChange?: string;
  /** When the next poll was due at the time this status was written. */
  readonly nextPoll?: string;
}

/** A condition of a status. */
export interface Condition {
  readonly type: "Ready";
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export interface SourceResource extends KubernetesObject {
  readonly spec: SourceSpec;
  readonly status?: SourceStatus;
}

/** An item of a source: an HTTP resource, or an object of a bucket. */
export type Found = HttpResource | ObjectMeta;

/** What is polled for a resource, and how its items become entries of a ConfigMap. */
export interface Polled {
  readonly source: ExternalSource<Found>;
  /** True: there is one entry for each object of a bucket. False: there is one entry only. */
  readonly isFolder: boolean;
  /** The key of the entry. */
  keyOf(found: Found): string;
  contentOf(found: Found, signal: AbortSignal): Promise<Uint8Array>;
}

/** Names a resource within the cluster, and its source within the group. */
export function nameOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** Changes with the spec, when the resource is being deleted, and when it was deleted and created again. */
export function versionOf({ metadata }: KubernetesObject): string {
  return `${metadata.uid}/${metadata.generation}/${metadata.deletionTimestamp ?? ""}`;
}

/** Says what is watched. A state that was saved for another subject must not be used. */
export function subjectOf({ metadata, spec }: SourceResource): string {
  return JSON.stringify([metadata.uid, spec.url, spec.bucket, spec.prefix]);
}

export function intervalOf({ spec }: SourceResource): number {
  return (spec.intervalSeconds ?? DEFAULT_INTERVAL_SECONDS) * 1000;
}

/** Opens a bucket by its name. */
export type OpenBucket = (bucket: string) => ObjectStore;

/** Throws if the resource cannot be used: the group reports that, and keeps the source that it had before. */
export function polledFor(resource: SourceResource, openBucket?: OpenBucket): Polled {
  const { url, bucket, prefix = "" } = resource.spec;
  if (url !== undefined) return polledUrl(nameOf(resource), url);
  if (bucket === undefined) throw new TypeError("the spec has neither 'url' nor 'bucket'");
  if (openBucket === undefined) {
    throw new TypeError("buckets are watched only if AWS_REGION is set");
  }
  return polledBucket(nameOf(resource), openBucket(bucket), prefix);
}

function polledUrl(name: string, url: string): Polled {
  return {
    source: new HttpPoller(url, { name, maxBytes: MAX_BYTES }),
    isFolder: false,
    keyOf: () => "content",
    contentOf: (found) => Promise.resolve((found as HttpResource).body),
  };
}

function polledBucket(name: string, store: ObjectStore, prefix: string): Polled {
  return {
    source: new ObjectStorePoller(store, { name, prefix }),
    isFolder: true,
    keyOf: (found) => entryKey((found as ObjectMeta).key.slice(prefix.length)),
    async contentOf(found, signal) {
      const { key, size, etag } = found as ObjectMeta;
      if (size > MAX_BYTES) throw new RangeError(`'${key}' is larger than a ConfigMap`);
      // Exactly this version: if the object has changed since, this fails, and the next poll reports the change.
      const ifMatch = etag === undefined ? {} : { ifMatch: etag };
      const content = await store.get(key, { ...ifMatch, signal });
      return new Uint8Array(await new Response(content).arrayBuffer());
    },
  };
}

/** A key of a ConfigMap: bytes other than letters, digits, `-` and `.` become `_` and their hexadecimal code. */
function entryKey(key: string): string {
  const bytes = new TextEncoder().encode(key);
  return Array.from(bytes, (byte) => {
    const char = String.fromCharCode(byte);
    return /[-.A-Za-z0-9]/.test(char) ? char : `_${byte.toString(16).padStart(2, "0")}`;
  }).join("");
}
