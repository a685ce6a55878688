/** The operator: one group of sources follows the resources of a namespace, and mirrors each source to a ConfigMap. */
import {
  type CheckpointStore,
  CollectionPoller,
  type ExternalError,
  type ExternalEvent,
  type ExternalWatch,
  type Followed,
  type GroupEvent,
  type HandleContext,
  watchExternal,
  WatchGroup,
  type WatchStatus,
} from "@koprs/external";
import { type Cluster, kubernetesPages, type LeaseOwner } from "@koprs/external/kubernetes";
import { Api } from "./api.ts";
import { checkpointsOf } from "./checkpoints.ts";
import { addFinalizer, cleanup } from "./finalizer.ts";
import { Mirror } from "./mirror.ts";
import { Reporter } from "./reporter.ts";
import {
  type Found,
  intervalOf,
  nameOf,
  type OpenBucket,
  polledFor,
  type SourceResource,
  subjectOf,
  versionOf,
} from "./resource.ts";

/** How many handlers run at once. */
const CONCURRENCY = 8;
/** Milliseconds that one handler may take. */
const HANDLER_TIMEOUT = 30_000;
/** The waits after failures, in milliseconds: shorter than the defaults. */
const BACKOFF = { minBackoff: 5_000, maxBackoff: 120_000 };

/** What an operator works with. */
export interface OperatorOptions {
  readonly cluster: Cluster;
  /** The namespace whose resources are followed. */
  readonly namespace: string;
  /** Shares the sources between the replicas. The operator closes it last. */
  readonly owner: LeaseOwner;
  readonly checkpoints: CheckpointStore;
  /** Milliseconds between two listings of the resources. */
  readonly listInterval: number;
  /** Milliseconds after which every source is applied again, which undoes changes by others. */
  readonly resync: number;
  readonly openBucket?: OpenBucket | undefined;
  readonly log: (message: string) => void;
}

/** What the operator has done so far, for metrics. */
export interface Totals {
  changes: number;
  failures: number;
}

export class Operator {
  readonly totals: Totals = { changes: 0, failures: 0 };
  readonly #options: OperatorOptions;
  readonly #api: Api;
  readonly #reporter: Reporter;
  readonly #resources: ExternalWatch<SourceResource>;
  readonly #group: WatchGroup<Found>;
  readonly #mirrors: Map<string, Mirror> = new Map();
  #handling: Promise<void> | undefined;
  #isSynced = false;
  #isClosing = false;

  constructor(options: OperatorOptions) {
    const { cluster, namespace, owner, listInterval, resync, log } = options;
    this.#options = options;
    this.#api = new Api(cluster);
    this.#reporter = new Reporter(this.#api, owner.identity, log);
    const path = `/apis/external.koprs.dev/v1alpha1/namespaces/${namespace}/externalsources`;
    const poller = new CollectionPoller<SourceResource>({
      name: "resources",
      list: kubernetesPages(cluster, path),
      key: nameOf,
      version: versionOf,
    });
    this.#resources = watchExternal(poller, { interval: listInterval, ...backoff(listInterval) });
    this.#group = new WatchGroup<Found>({
      name: "operator",
      interval: 30_000,
      ...BACKOFF,
      resync,
      owner,
      telemetry: "totals",
      logger: false,
      onError: (error) => this.#failed(error),
      onStatus: (name, status) => this.#tell(name, status),
    });
    this.#resources.synced.then(() => this.#isSynced = true, () => {});
  }

  /** Whether the resources were listed, and this replica holds its Lease and is not shutting down. */
  get isReady(): boolean {
    return this.#isSynced && !this.#isClosing && this.#options.owner.isHeld;
  }

  /** The name and status of each source that this replica polls. */
  *statuses(): Generator<[string, WatchStatus], void> {
    for (const [name, status] of this.#group.statuses()) {
      if (this.#options.owner.owns(name)) yield [name, status];
    }
  }

  /** Works until it is closed. Rejects with an error that it cannot recover from: then restart the process. */
  async run(): Promise<void> {
    this.#handling = this.#group.handle((event, context) => this.#handle(event, context), {
      concurrency: CONCURRENCY,
      timeout: HANDLER_TIMEOUT,
    });
    const following = this.#group.follow(this.#noting(), (resource) => this.#make(resource), {
      key: nameOf,
      version: versionOf,
    });
    await Promise.all([this.#handling, following]);
  }

  /** Shuts down in order: begins nothing new, finishes what was begun, then lets go of the sources. */
  async close(): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#resources.close();
    this.#group.close();
    await this.#handling?.catch(() => {});
    await this.#reporter.close();
    await this.#options.owner.close();
  }

  /** Passes the events on, and forgets the resources that are gone. */
  async *#noting(): AsyncGenerator<ExternalEvent<SourceResource>, void> {
    for await (const event of this.#resources) {
      const name = nameOf(event.item);
      if (event.type === "removed") {
        this.#mirrors.delete(name);
        this.#reporter.forget(name);
      }
      yield event;
    }
  }

  #make(resource: SourceResource): Followed<Found> {
    const { checkpoints, openBucket, owner } = this.#options;
    if (resource.metadata.deletionTimestamp !== undefined) {
      this.#mirrors.delete(nameOf(resource));
      return { source: cleanup(this.#api, resource, checkpoints), options: { interval: 10_000 } };
    }
    const polled = polledFor(resource, openBucket);
    this.#mirrors.set(nameOf(resource), new Mirror(this.#api, resource, polled, owner));
    const interval = intervalOf(resource);
    const prepare = () => addFinalizer(this.#api, resource);
    const checkpoint = checkpointsOf(checkpoints, subjectOf(resource), prepare);
    return { source: polled.source, options: { interval, checkpoint, ...backoff(interval) } };
  }

  async #handle(event: GroupEvent<Found>, { signal }: HandleContext): Promise<void> {
    const mirror = this.#mirrors.get(event.source);
    if (mirror === undefined) return; // The resource is gone.
    const { resource } = mirror;
    try {
      const isChanged = await mirror.take(event, signal);
      if (isChanged) {
        this.totals.changes++;
        const what = mirror.polled.keyOf(event.item);
        this.#reporter.event(resource, "Normal", "Changed", `'${what}' was ${event.type}`);
      }
      this.#reportGood(mirror, isChanged ? Date.now() : undefined);
    } catch (thrown) {
      const message = thrown instanceof Error ? thrown.message : String(thrown);
      this.#report(mirror, { isReady: false, reason: "ApplyFailed", message });
      throw thrown;
    }
  }

  /** Reports the first poll of a source, a failure, and the recovery from it. */
  #tell(name: string, { failures, lastError }: WatchStatus): void {
    const mirror = this.#mirrors.get(name);
    if (mirror === undefined) return;
    if (failures === 0 && lastError?.code !== "checkpoint") return this.#reportGood(mirror);
    // Another replica has the source by now, and reports on it.
    if (!this.#options.owner.owns(name)) return;
    const message = lastError?.message ?? "the poll failed";
    this.#report(mirror, { isReady: false, reason: "PollFailed", message });
  }

  #reportGood(mirror: Mirror, lastChange?: number): void {
    const message = "the ConfigMap has the content of the last poll";
    this.#report(mirror, { isReady: true, reason: "Mirrored", message }, lastChange);
  }

  #report(
    { resource }: Mirror,
    condition: { readonly isReady: boolean; readonly reason: string; readonly message: string },
    lastChange?: number,
  ): void {
    const name = nameOf(resource);
    const nextPoll = this.#group.status(name)?.nextPoll ?? Date.now() + intervalOf(resource);
    this.#reporter.report({ resource, ...condition, lastChange, nextPoll });
  }

  #failed(error: ExternalError): void {
    this.totals.failures++;
    this.#options.log(`${error.code}: ${error.message}`);
  }
}

/** A source that is polled often is also tried again soon. */
function backoff(interval: number): { minBackoff: number; maxBackoff: number } {
  const { minBackoff, maxBackoff } = BACKOFF;
  return { minBackoff: Math.min(interval, minBackoff), maxBackoff };
}
