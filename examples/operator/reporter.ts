/** Tells users how their resources are doing: by the status of each, and by events. */
import type { Api } from "./api.ts";
import { resourcePath } from "./finalizer.ts";
import { MANAGER } from "./mirror.ts";
import {
  API_VERSION,
  type Condition,
  KIND,
  nameOf,
  type SourceResource,
  type SourceStatus,
} from "./resource.ts";

/** Milliseconds until a status that could not be written is tried again. */
const RETRY = 5_000;
/** The most characters of a message in a status or an event. */
const MAX_LENGTH = 1_000;

/** How a resource is doing. */
export interface Report {
  readonly resource: SourceResource;
  readonly isReady: boolean;
  readonly reason: string;
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly lastChange?: number | undefined;
  readonly nextPoll?: number | undefined;
}

/** What was written last for a resource. */
interface Written {
  readonly uid: string;
  readonly condition: Condition;
}

export class Reporter {
  readonly #api: Api;
  readonly #identity: string;
  readonly #log: (message: string) => void;
  readonly #wanted: Map<string, Report> = new Map();
  readonly #written: Map<string, Written> = new Map();
  readonly #writing: Map<string, Promise<void>> = new Map();
  readonly #closing: AbortController = new AbortController();

  constructor(api: Api, identity: string, log: (message: string) => void) {
    this.#api = api;
    this.#identity = identity;
    this.#log = log;
  }

  /** Writes the status if it differs from the one before. Of several waiting reports, only the newest is written. */
  report(report: Report): void {
    const name = nameOf(report.resource);
    this.#wanted.set(name, report);
    if (this.#writing.has(name)) return;
    const writing = this.#write(name).finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
  }

  /** Forgets a resource that is gone. */
  forget(name: string): void {
    this.#wanted.delete(name);
    this.#written.delete(name);
  }

  /** Creates an event for a resource. If that fails, it is only logged. */
  event(resource: SourceResource, type: "Normal" | "Warning", reason: string, note: string): void {
    const { name, namespace, uid } = resource.metadata;
    this.#api.request({
      method: "POST",
      path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
      body: {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { generateName: `${name.slice(0, 50)}-`, namespace },
        eventTime: `${new Date().toISOString().slice(0, -1)}000Z`,
        type,
        reason,
        note: note.slice(0, MAX_LENGTH),
        action: "Mirror",
        reportingController: `external.koprs.dev/${MANAGER}`,
        reportingInstance: this.#identity,
        regarding: { apiVersion: API_VERSION, kind: KIND, name, namespace, uid },
      },
    }).catch((error) => this.#log(`Cannot create an event: ${error.message}`));
  }

  /** Waits for the writes under way, without further retries. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#writing.values());
  }

  async #write(name: string): Promise<void> {
    for (;;) {
      const report = this.#wanted.get(name);
      if (report === undefined) return;
      this.#wanted.delete(name);
      try {
        await this.#writeStatus(name, report);
      } catch (error) {
        this.#log(`Cannot write the status of '${name}': ${(error as Error).message}`);
        if (this.#closing.signal.aborted) return;
        if (!this.#wanted.has(name)) this.#wanted.set(name, report);
        await this.#pause();
      }
    }
  }

  async #writeStatus(name: string, report: Report): Promise<void> {
    const { resource, isReady, reason, lastChange, nextPoll } = report;
    const { uid, generation } = resource.metadata;
    const message = report.message.slice(0, MAX_LENGTH);
    const status = isReady ? "True" : "False";
    const last = this.#written.get(name);
    const before = last?.uid === uid ? last.condition : resource.status?.conditions?.[0];
    const isSame = before?.status === status && before.reason === reason &&
      before.message === message && before.observedGeneration === generation;
    if (isSame && lastChange === undefined) return;
    const condition: Condition = {
      type: "Ready",
      status,
      reason,
      message,
      lastTransitionTime: before?.status === status
        ? before.lastTransitionTime
        : timeOf(Date.now()),
      ...(generation !== undefined && { observedGeneration: generation }),
    };
    const written: SourceStatus = {
      conditions: [condition],
      ...(generation !== undefined && { observedGeneration: generation }),
      ...(lastChange !== undefined && { lastChange: timeOf(lastChange) }),
      ...(nextPoll !== undefined && { nextPoll: timeOf(nextPoll) }),
    };
    await this.#api.request({
      method: "PATCH",
      path: `${resourcePath(resource)}/status`,
      type: "merge",
      body: { metadata: { uid }, status: written },
      // The resource is gone, or has been replaced by another of the same name.
      allow: [404, 409],
    });
    this.#written.set(name, { uid, condition });
    if (before !== undefined && before.status !== status || before === undefined && !isReady) {
      this.event(resource, isReady ? "Normal" : "Warning", reason, message);
    }
  }

  async #pause(): Promise<void> {
    const { signal } = this.#closing;
    await new Promise<void>((resolve) => {
      const end = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      const timer = setTimeout(end, RETRY);
      signal.addEventListener("abort", end);
    });
  }
}

function timeOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
