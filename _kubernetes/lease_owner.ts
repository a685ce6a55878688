/** Replicas share sources: each has a Lease, and all work out the same shares. */
import { checkPositive } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { reasonOf } from "../_errors/redact.ts";
import { startTimer } from "../_bounds/timer.ts";
import type { GroupOwner } from "../_group/owner.ts";
import { type Lease, LeaseApi, type ListedLease } from "./lease_api.ts";
import type { Cluster } from "./cluster.ts";
import { Membership } from "./membership.ts";

/** A replica renews so many times within a lease. */
const RENEWALS = 3;
/** A lease that was not renewed for so many times its length belongs to a replica that died. */
const DEAD = 2;
/** The most times in a row that a view is published without a pause. */
const MAX_ROUNDS = 5;

/** How replicas share sources. */
export interface LeaseOwnerOptions {
  /** The namespace of the Leases. */
  namespace: string;
  /** Names the replicas that share: those of another group have nothing to do with them. A valid name of Kubernetes. */
  group: string;
  /**
   * Names this replica, for people: a random part is added.
   *
   * @default {"replica"} pass the name of the pod
   */
  identity?: string;
  /**
   * After so many seconds without a renewal a replica has lost its sources to the others. A shorter lease moves them sooner, and
   * writes more often: every replica renews three times a lease.
   *
   * @default {15}
   */
  leaseSeconds?: number;
  /**
   * Is told when the API server cannot be reached, what follows from that, and when the members change.
   *
   * @default {console}
   */
  logger?: Logger | false;
}

/**
 * Decides which sources of a `WatchGroup` this replica polls. Every replica has a Lease in `coordination.k8s.io/v1`, labelled
 * with the group; sources are shared by rendezvous hashing, so that one that joins or leaves moves its own share only.
 *
 * - A replica that joins takes over a source only after the one that had it has let go.
 * - One that was killed or cut off loses its sources after `leaseSeconds`, as the others see it on clocks of their own;
 *   it stops by itself before that.
 * - `close` lets go and deletes the Lease: the others take over with their next renewal.
 * - While the API server is away a replica goes on with what it has, for 0.8 of the lease, and then stops until it is back.
 *
 * It needs the verbs `create`, `list`, `get`, `update` and `delete` on `leases`. It begins with the first iteration of
 * {@linkcode changes}, and must be closed.
 *
 * @example
 * ```ts ignore
 * import { inCluster, LeaseOwner } from "@koprs/external/kubernetes";
 *
 * await using owner = new LeaseOwner(inCluster(), { namespace: "my-operator", group: "sources" });
 * ```
 */
export class LeaseOwner implements GroupOwner {
  /** What the Lease of this replica names as its holder. */
  readonly identity: string;
  readonly #api: LeaseApi;
  readonly #membership: Membership;
  readonly #leaseTime: number;
  readonly #logger: Logger | undefined;
  readonly #listeners: Set<() => void> = new Set();
  readonly #aborter: AbortController = new AbortController();
  #lease: Lease | undefined;
  /** The name of the Lease that was created last, be it that no answer has come. */
  #name: string | undefined;
  #listed: readonly ListedLease[] = [];
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #failures = 0;
  #members = "";
  #closed = false;

  /**
   * Makes no request yet.
   *
   * @param cluster The cluster.
   * @param options How replicas share sources.
   * @throws {TypeError} If an option is missing or of the wrong type.
   * @throws {RangeError} If `leaseSeconds` is not positive.
   */
  constructor(cluster: Cluster, options: LeaseOwnerOptions) {
    const { namespace, group, identity = "replica", leaseSeconds = 15, logger = console } = options;
    for (const [option, value] of Object.entries({ namespace, group, identity })) {
      if (typeof value !== "string" || value === "") {
        throw new TypeError(
          `Cannot share sources as '${option}' must be a string that is not empty`,
        );
      }
    }
    if (!/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(group)) {
      throw new TypeError(
        `Cannot share sources as 'group' must be a name of Kubernetes of at most 40 characters: current value is '${group}'`,
      );
    }
    checkPositive("share sources", "leaseSeconds", leaseSeconds);
    this.identity = `${identity}-${crypto.randomUUID().slice(0, 8)}`;
    this.#leaseTime = leaseSeconds * 1000;
    this.#membership = new Membership(this.identity, this.#leaseTime);
    this.#api = new LeaseApi(cluster, namespace, group, leaseSeconds);
    this.#logger = logger === false ? undefined : logger;
  }

  /**
   * Whether the Lease is held, so that sources may be polled here. Not before the first renewal, not while the API server is
   * away for longer than is safe, not after `close`: what a readiness probe asks.
   */
  get isHeld(): boolean {
    return !this.#closed && performance.now() < this.#membership.safeUntil;
  }

  /** Whether this replica may poll the source now. */
  owns(name: string): boolean {
    return !this.#closed && this.#membership.owns(name, performance.now());
  }

  /** Yields whenever what {@linkcode owns} says may have changed; ends when the owner is closed. */
  get changes(): AsyncIterable<void> {
    return { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  /** Lets go of all sources, and deletes the Lease so that the others take over at once. Harmless when called twice. */
  async close(): Promise<void> {
    if (this.#closed) return await this.#running;
    this.#closed = true;
    this.#notify();
    this.#wake?.();
    this.#aborter.abort(new DOMException("The owner was closed", "AbortError"));
    await this.#running;
    // By its name: the answer to what wrote it last may not have come.
    const name = this.#name;
    if (name === undefined) return;
    try {
      await this.#api.release(name);
    } catch (thrown) {
      this.#log(
        "warn",
        `Cannot release the lease '${name}': ${reasonOf(thrown)}: it ends by itself`,
      );
    }
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async *#iterate(): AsyncGenerator<void, void> {
    let changed = true;
    let wake: (() => void) | undefined;
    const listener = () => {
      changed = true;
      wake?.();
    };
    this.#listeners.add(listener);
    if (!this.#closed) this.#running ??= this.#run();
    try {
      while (!this.#closed) {
        if (!changed) await new Promise<void>((resolve) => wake = resolve);
        changed = false;
        if (this.#closed) return;
        yield;
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const startedAt = performance.now();
      try {
        await this.#round();
        if (this.#failures > 0) {
          this.#log("info", `The lease of '${this.identity}' is renewed again`);
        }
        this.#failures = 0;
      } catch (thrown) {
        if (this.#closed) return;
        this.#failed(thrown);
      }
      await this.#sleep(startedAt);
    }
  }

  /** Renews the lease, and reads what the others say; again as long as the members change. */
  async #round(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await this.#renew();
      const askedAt = performance.now();
      this.#listed = await this.#api.list(this.#aborter.signal);
      this.#membership.observe(this.#listed, askedAt, performance.now());
      if (!this.#membership.mustPublish) break;
      // What was lost is let go of before that is published.
      this.#notify();
    }
    this.#tellMembers();
    this.#notify();
    await this.#sweep();
  }

  async #renew(): Promise<void> {
    const view = this.#membership.view;
    const askedAt = performance.now();
    const { signal } = this.#aborter;
    if (this.#lease === undefined) {
      this.#name = this.#api.newName();
      this.#lease = await this.#api.create(this.#name, this.identity, view, signal);
    } else {
      const renewed = await this.#api.renew(this.#lease, this.identity, view, signal);
      this.#lease = renewed?.lease;
      // Whoever looked meanwhile may have taken this replica for gone: it begins anew.
      if (renewed?.edited !== false) {
        this.#log(
          "warn",
          `The lease of '${this.identity}' was changed by another: its sources are shared anew`,
        );
        this.#membership.lost();
        this.#notify();
      }
      if (renewed === undefined) return await this.#renew();
    }
    this.#membership.renewed(view, askedAt, performance.now());
  }

  /** Removes the leases of replicas that died long ago. */
  async #sweep(): Promise<void> {
    const dead = this.#membership.expired(performance.now(), this.#leaseTime * DEAD);
    for (const { id, lease } of this.#listed) {
      if (dead.includes(id)) await this.#api.sweep(lease, this.#aborter.signal);
    }
  }

  #failed(thrown: unknown): void {
    const left = this.#membership.safeUntil - performance.now();
    const follows = left > 0
      ? `sources are kept for ${Math.ceil(left / 1000)} s`
      : "no source is polled until it is renewed";
    // Once when it begins, and once when sources are let go of.
    if (this.#failures === 0 || (left <= 0 && this.#failures > 0)) {
      this.#log(left > 0 ? "warn" : "error", `${messageOf(thrown)}: ${follows}`);
    }
    this.#failures = left > 0 ? this.#failures + 1 : -1;
    this.#notify();
  }

  #tellMembers(): void {
    const members = this.#membership.view.join(", ");
    if (members === this.#members) return;
    this.#members = members;
    this.#log("info", `The sources are shared by ${members}`);
  }

  async #sleep(startedAt: number): Promise<void> {
    const wait = this.#leaseTime / RENEWALS / (this.#failures === 0 ? 1 : 2);
    const left = Math.max(startedAt + wait - performance.now(), 10);
    await new Promise<void>((resolve) => {
      const stop = startTimer(left, resolve);
      this.#wake = () => {
        stop();
        resolve();
      };
      if (this.#closed) this.#wake();
    });
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  #log(level: keyof Logger, message: string): void {
    this.#logger?.[level](message);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof ExternalError
    ? thrown.message
    : `Cannot renew the lease: ${reasonOf(thrown)}`;
}
