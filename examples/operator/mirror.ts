/** The ConfigMap that holds the content of one source. */
import type { GroupEvent } from "@koprs/external";
import { type Api, ApiError } from "./api.ts";
import {
  API_VERSION,
  type Found,
  KIND,
  nameOf,
  type Polled,
  type SourceResource,
  subjectOf,
} from "./resource.ts";

/** Names this operator as field manager, in labels and in events. */
export const MANAGER = "external-operator";
const WRITTEN_BY = "external.koprs.dev/written-by";
const SUBJECT = "external.koprs.dev/subject";
/** How many times a write is tried if others write at the same time. */
const TRIES = 5;

/** This replica. */
export interface Replica {
  readonly identity: string;
  owns(name: string): boolean;
}

interface ConfigMap {
  readonly metadata: {
    readonly uid: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly { readonly manager?: string }[];
  };
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/** The two kinds of entries: text, and bytes in base64. */
interface Entries {
  readonly data: Record<string, string>;
  readonly binaryData: Record<string, string>;
}

const NOTHING: Entries = { data: {}, binaryData: {} };

export class Mirror {
  readonly resource: SourceResource;
  readonly polled: Polled;
  readonly #api: Api;
  readonly #replica: Replica;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(api: Api, resource: SourceResource, polled: Polled, replica: Replica) {
    this.#api = api;
    this.resource = resource;
    this.polled = polled;
    this.#replica = replica;
  }

  /** Applies one event to the ConfigMap. Resolves to whether the ConfigMap has changed. */
  async take(event: GroupEvent<Found>, signal: AbortSignal): Promise<boolean> {
    const { item, type } = event;
    const key = this.polled.keyOf(item);
    const content = type === "removed" ? undefined : await this.polled.contentOf(item, signal);
    // The objects of a bucket are entries of the same ConfigMap, so they are written one by one.
    const turn = this.#turn.then(() => this.#write(key, content, signal));
    this.#turn = turn.catch(() => {});
    return await turn;
  }

  async #write(
    key: string,
    content: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let tries = 1;; tries++) {
      const found = await findConfigMap(this.#api, this.resource, signal);
      // Checked between the read and the write. If this replica freezes in between, the write is refused: the replica
      // that took over has written its own name, so the version that was read is not the newest any more.
      if (!this.#replica.owns(nameOf(this.resource))) {
        throw new Error("another replica owns the source now");
      }
      const before = this.#entriesOf(found);
      const after = withEntry(before, key, content);
      try {
        if (content === undefined && !this.polled.isFolder) {
          if (found !== undefined) await deleteConfigMap(this.#api, this.resource, found, signal);
          return found !== undefined;
        }
        await this.#apply(found, after, signal);
        return before.data[key] !== after.data[key] ||
          before.binaryData[key] !== after.binaryData[key];
      } catch (thrown) {
        if (!(thrown instanceof ApiError && thrown.status === 409 && tries < TRIES)) throw thrown;
      }
    }
  }

  /** The entries that are there; none if they are of an earlier spec, such as another prefix. */
  #entriesOf(found: ConfigMap | undefined): Entries {
    const isOurs = found?.metadata.annotations?.[SUBJECT] === subjectOf(this.resource);
    return isOurs ? { data: { ...found.data }, binaryData: { ...found.binaryData } } : NOTHING;
  }

  /** By server-side apply: what others have added to the ConfigMap, such as labels, stays as it is. */
  async #apply(
    found: ConfigMap | undefined,
    { data, binaryData }: Entries,
    signal: AbortSignal,
  ): Promise<void> {
    const { name, uid } = this.resource.metadata;
    await this.#api.request({
      method: "PATCH",
      path: `${pathOf(this.resource)}?fieldManager=${MANAGER}&force=true`,
      type: "apply",
      body: {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name,
          // The write fails if the ConfigMap has changed since it was read.
          ...(found !== undefined && { resourceVersion: found.metadata.resourceVersion }),
          labels: { "app.kubernetes.io/managed-by": MANAGER },
          annotations: {
            [WRITTEN_BY]: this.#replica.identity,
            [SUBJECT]: subjectOf(this.resource),
          },
          // If all else fails, the garbage collector deletes it with the resource.
          ownerReferences: [{ apiVersion: API_VERSION, kind: KIND, name, uid }],
        },
        data,
        binaryData,
      },
      signal,
    });
  }
}

/** Deletes the ConfigMap of a resource, if there is one. */
export async function removeConfigMap(
  api: Api,
  resource: SourceResource,
  signal: AbortSignal,
): Promise<void> {
  const found = await findConfigMap(api, resource, signal);
  if (found !== undefined) await deleteConfigMap(api, resource, found, signal);
}

async function findConfigMap(
  api: Api,
  resource: SourceResource,
  signal: AbortSignal,
): Promise<ConfigMap | undefined> {
  const path = pathOf(resource);
  const { status, body } = await api.request<ConfigMap>({
    method: "GET",
    path,
    allow: [404],
    signal,
  });
  if (status === 404) return undefined;
  if (body.metadata.managedFields?.some(({ manager }) => manager === MANAGER)) return body;
  throw new Error(`there is a ConfigMap '${resource.metadata.name}' that is not this operator's`);
}

async function deleteConfigMap(
  api: Api,
  resource: SourceResource,
  { metadata }: ConfigMap,
  signal: AbortSignal,
): Promise<void> {
  const { uid, resourceVersion } = metadata;
  const preconditions = { uid, resourceVersion };
  const path = pathOf(resource);
  await api.request({ method: "DELETE", path, body: { preconditions }, allow: [404], signal });
}

function pathOf({ metadata }: SourceResource): string {
  return `/api/v1/namespaces/${metadata.namespace}/configmaps/${metadata.name}`;
}

function withEntry({ data, binaryData }: Entries, key: string, content?: Uint8Array): Entries {
  const after = { data: { ...data }, binaryData: { ...binaryData } };
  delete after.data[key];
  delete after.binaryData[key];
  if (content === undefined) return after;
  try {
    after.data[key] = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    after.binaryData[key] = toBase64(content);
  }
  return after;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
