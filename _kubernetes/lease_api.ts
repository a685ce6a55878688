/** Reads and writes the Leases of the replicas at the API server. */
import type { Peer } from "./membership.ts";
import { KubernetesApi } from "./api.ts";
import type { Cluster } from "./cluster.ts";

const LABEL = "external.koprs.dev/group";
const VIEW = "external.koprs.dev/members";

/** A Lease that this replica holds. */
export interface Lease {
  readonly name: string;
  readonly version: string;
}

/** A Lease that was listed, with what its replica has published. */
export interface ListedLease extends Peer {
  readonly lease: Lease;
}

/** A renewal that succeeded. */
export interface Renewed {
  readonly lease: Lease;
  /**
   * Whether somebody else had written the Lease meanwhile: the others may have read something that this replica did not
   * write.
   */
  readonly edited: boolean;
}

interface LeaseBody {
  readonly metadata?: {
    readonly name?: unknown;
    readonly resourceVersion?: unknown;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly spec?: { readonly holderIdentity?: unknown };
}

export class LeaseApi {
  readonly #api: KubernetesApi;
  readonly #path: string;
  readonly #group: string;
  readonly #leaseSeconds: number;

  constructor(cluster: Cluster, namespace: string, group: string, leaseSeconds: number) {
    // A renewal that hangs must leave time for another one.
    this.#api = new KubernetesApi(cluster, Math.min(leaseSeconds * 1000 / 4, 10_000));
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
    this.#group = group;
    this.#leaseSeconds = leaseSeconds;
  }

  /** A new name that no other Lease has. */
  newName(): string {
    return `${this.#group}-${crypto.randomUUID().slice(0, 13)}`;
  }

  /** Creates a Lease. */
  async create(
    name: string,
    identity: string,
    view: readonly string[],
    signal: AbortSignal,
  ): Promise<Lease> {
    const { body } = await this.#api.ask({
      method: "POST",
      path: this.#path,
      body: this.#lease(name, undefined, identity, view),
      doing: `create the lease '${name}'`,
      signal,
    });
    return leaseOf(body as LeaseBody, name);
  }

  /** Renews the Lease; undefined if it is gone or another replica holds it. */
  async renew(
    lease: Lease,
    identity: string,
    view: readonly string[],
    signal: AbortSignal,
  ): Promise<Renewed | undefined> {
    const put = async ({ name, version }: Lease) =>
      await this.#api.ask({
        method: "PUT",
        path: `${this.#path}/${name}`,
        body: this.#lease(name, version, identity, view),
        doing: `renew the lease '${name}'`,
        allow: [404, 409],
        signal,
      });
    let answer = await put(lease);
    const edited = answer.status === 409;
    if (edited) {
      // Somebody has edited it, or the answer to an earlier write of this replica was lost.
      const found = await this.#api.ask({
        path: `${this.#path}/${lease.name}`,
        doing: `read the lease '${lease.name}'`,
        allow: [404],
        signal,
      });
      const body = found.body as LeaseBody;
      if (found.status === 404 || body.spec?.holderIdentity !== identity) return undefined;
      answer = await put(leaseOf(body, lease.name));
    }
    if (answer.status === 404 || answer.status === 409) return undefined;
    return { lease: leaseOf(answer.body as LeaseBody, lease.name), edited };
  }

  /** Lists the Leases of the group. */
  async list(signal: AbortSignal): Promise<ListedLease[]> {
    const query = new URLSearchParams({ labelSelector: `${LABEL}=${this.#group}` });
    const { body } = await this.#api.ask({
      path: `${this.#path}?${query}`,
      doing: `list the leases of '${this.#group}'`,
      signal,
    });
    const { items } = body as { items?: unknown };
    return (Array.isArray(items) ? items : []).flatMap((item) => listedOf(item as LeaseBody));
  }

  /** Deletes the Lease of another replica, unless that replica has renewed it meanwhile. */
  async sweep({ name, version }: Lease, signal: AbortSignal): Promise<void> {
    const body = { preconditions: { resourceVersion: version } };
    await this.#delete(name, { body, signal });
  }

  /** Deletes a Lease of this replica, even if it was changed. */
  async release(name: string): Promise<void> {
    await this.#delete(name, {});
  }

  async #delete(name: string, options: { body?: unknown; signal?: AbortSignal }): Promise<void> {
    await this.#api.ask({
      method: "DELETE",
      path: `${this.#path}/${name}`,
      doing: `delete the lease '${name}'`,
      allow: [404, 409],
      ...options,
    });
  }

  #lease(
    name: string,
    version: string | undefined,
    holderIdentity: string,
    view: readonly string[],
  ): unknown {
    const now = `${new Date().toISOString().slice(0, -1)}000Z`;
    return {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name,
        ...(version !== undefined && { resourceVersion: version }),
        labels: { [LABEL]: this.#group },
        annotations: { [VIEW]: JSON.stringify(view) },
      },
      spec: {
        holderIdentity,
        // Only for people to read. A replica counts as alive while its Lease changes.
        renewTime: now,
        leaseDurationSeconds: Math.max(1, Math.ceil(this.#leaseSeconds)),
      },
    };
  }
}

function leaseOf({ metadata }: LeaseBody, name: string): Lease {
  return { name, version: String(metadata?.resourceVersion ?? "") };
}

/** What a Lease says; an empty array if it is not of a replica, such as one that was created by hand. */
function listedOf({ metadata, spec }: LeaseBody): ListedLease[] {
  const { name, resourceVersion, annotations } = metadata ?? {};
  const id = spec?.holderIdentity;
  const view = viewOf(annotations?.[VIEW]);
  if (typeof name !== "string" || typeof id !== "string" || id === "" || view === undefined) {
    return [];
  }
  const stamp = String(resourceVersion ?? "");
  return [{ id, stamp, view, lease: { name, version: stamp } }];
}

function viewOf(text: unknown): string[] | undefined {
  try {
    const view: unknown = JSON.parse(String(text));
    return Array.isArray(view) && view.every((id) => typeof id === "string") ? view : undefined;
  } catch {
    return undefined; // Edited by hand: its replica overwrites it at its next renewal.
  }
}
