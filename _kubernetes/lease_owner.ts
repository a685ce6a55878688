/** Lets replicas share sources: each has a Lease, and all compute the same shares. */
import { checkPositive } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { reasonOf } from "../_errors/redact.ts";
import { startTimer } from "../_bounds/timer.ts";
import type { GroupOwner } from "../_group/ownership.ts";
import { type Lease, LeaseApi, type ListedLease } from "./lease_api.ts";
import type { Cluster } from "./cluster.ts";
import { Membership } from "./membership.ts";

/** How many times a replica renews its Lease within the length of the lease. */
const RENEWALS = 3;
/** A Lease that was not renewed for so many times its length belongs to a dead replica. */
const DEAD = 2;
/** How many times in a row a view is published without a pause, at most. */
const MAX_ROUNDS = 5;

/** How replicas share sources. */
export interface LeaseOwnerOptions {
  /** The namespace of the Leases. */
  namespace: string;
  /**
   * The name of the group of replicas that share sources. Replicas of other groups do not count. It must be a valid
   * Kubernetes name of at most 40 characters.
   */
  group: string;
  /**
   * The name of this replica, for people to read. A random part is added to it.
   *
   * @default {"replica"} the name of the pod is a good choice
   */
  identity?: string;
  /**
   * After so many seconds without a renewal a replica loses its sources to the others. A shorter lease moves them
   * sooner but writes more often: every replica renews three times in the length of a lease.
   *
   * @default {15}
   */
  leaseSeconds?: number;
  /**
   * Where to log that the API server cannot be reached, what follows from that, and that the members have changed.
   * `false` logs nothing.
   *
   * @default {console}
   */
  logger?: Logger | false;
}

/**
 * Decides which sources of a `WatchGroup` this replica polls. Every replica has a Lease in `coordination.k8s.io/v1`,
 * with the group as a label. Sources are shared by rendezvous hashing, so that a replica that joins or leaves moves
 * only its own share.
 *
 * - A replica that joins takes over a source only after the replica that had it has let it go.
 * - A replica that was killed or cut off loses its sources after `leaseSeconds`, as the others measure it by their
 *   own clocks; it stops polling by itself before that.
 * - `close` lets go of all sources and deletes the Lease: the others take over at their next renewal.
 * - While the API server cannot be reached, a replica keeps its sources for 0.8 of the lease, and then stops polling
 *   until it can be reached again.
 *
 * The account needs the verbs `create`, `list`, `get`, `update` and `delete` on `leases`. The owner starts with the
 * first iteration of {@linkcode changes}, and must be closed.
 *
 * @example
 * ```ts ignore
 * import { inCluster, LeaseOwner } from "@koprs/external/kubernetes";
 *
 * await using owner = new LeaseOwner(inCluster(), { namespace: "my-operator", group: "sources" });
 * ```
 */
export class LeaseOwner implements GroupOwner {
  /** The holder that the Lease of this replica names. */
  readonly identity: string;
  readonly #api: LeaseApi;
  readonly #membership: Membership;
  readonly #leaseTime: number;
  readonly #logger: Logger | undefined;
  readonly #listeners: Set<() => void> = new Set();
  readonly #aborter: AbortController = new AbortController();
  #lease: Lease | undefined;
  /** The name of the Lease that was created last, even if no answer has come. */
  #name: string | undefined;
  #listed: readonly ListedLease[] = [];
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #failures = 0;
  #members = "";
  #closed = false;

  /**
   * Creates an owner. It makes no request yet.
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
   * Whether the Lease is held, so that sources may be polled here: what a readiness probe needs. False before the first
   * renewal, while the API server cannot be reached for longer than is safe, and after `close`.
   */
  get isHeld(): boolean {
    return !this.#closed && performance.now() < this.#membership.safeUntil;
  }

  /** Whether this replica may poll the source now. */
  owns(name: string): boolean {
    return !this.#closed && this.#membership.owns(name, performance.now());
  }

  /** Yields whenever the result of {@linkcode owns} may have changed; ends when the owner is closed. */
  get changes(): AsyncIterable<void> {
    return { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  /** Lets go of all sources, and deletes the Lease so that the others take over at once. A second call does no harm. */
  async close(): Promise<void> {
    if (this.#closed) return await this.#running;
    this.#closed = true;
    this.#notify();
    this.#wake?.();
    this.#aborter.abort(new DOMException("The owner was closed", "AbortError"));
    await this.#running;
    // By its name, not its version: the answer to the last write may not have come.
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
        if (this.#failures !== 0) {
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

  /** Renews the lease, and reads what the others have published; repeats this while the members change. */
  async #round(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      await this.#renew();
      const askedAt = performance.now();
      this.#listed = await this.#api.list(this.#aborter.signal);
      this.#membership.observe(this.#listed, askedAt, performance.now());
      if (!this.#membership.mustPublish) break;
      // Sources that were lost are let go before that is published.
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
      // Another replica may have counted this one as gone meanwhile, so it starts from nothing.
      if (renewed?.edited !== false) {
        this.#log(
          "warn",
          `The lease of '${this.identity}' was changed by another: its sources are shared again`,
        );
        this.#membership.lost();
        this.#notify();
      }
      if (renewed === undefined) return await this.#renew();
    }
    this.#membership.renewed(view, askedAt, performance.now());
  }

  /** Deletes the Leases of replicas that died long ago. */
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
    // Logged once when it begins, and once when the sources are let go.
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
