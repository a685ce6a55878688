/** Which sources of a group this process polls: those that it owns, as the owner decides at any time. */
import type { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { pollFailure } from "../_watch/failure.ts";
import type { Member } from "./member.ts";

/**
 * Tells which sources of a group this process owns, so that replicas share them.
 *
 * @example Own all sources whose names begin with a letter from a to m
 * ```ts
 * import type { GroupOwner } from "@koprs/external/kubernetes";
 *
 * const owner: GroupOwner = {
 *   owns: (name) => name < "n",
 *   changes: (async function* () {})(), // it never changes
 * };
 * console.assert(owner.owns("config"));
 * ```
 */
export interface GroupOwner {
  /** Whether this process may poll the source now. It is called often and at any time, so it must be quick. */
  owns(name: string): boolean;
  /**
   * Yields whenever the result of `owns` may have changed. Several iterations may run at once, and each gets every
   * change.
   */
  readonly changes: AsyncIterable<void>;
}

/** The conductor, as far as it is needed here. */
export interface OwnershipHost<T> {
  readonly members: ReadonlyMap<string, Member<T>>;
  readonly closing: boolean;
  readonly ended: boolean;
  /** Begins to poll a source. */
  start(member: Member<T>): void;
  /** Stops a source at once: its poll is aborted, and nothing is saved or handed out any more. */
  stop(member: Member<T>, state: "away", reason: unknown): void;
  /** Reports that a source could not be started, and tries again in `wait` milliseconds. */
  startLater(member: Member<T>, error: ExternalError, wait: number): void;
}

export class Ownership<T> {
  /** Undefined if this process has all sources. */
  readonly #owner: GroupOwner | undefined;
  readonly #host: OwnershipHost<T>;

  constructor(owner: GroupOwner | undefined, host: OwnershipHost<T>) {
    this.#owner = owner;
    this.#host = host;
  }

  /** Whether other processes may have some of the sources. */
  get isShared(): boolean {
    return this.#owner !== undefined;
  }

  owns(member: Member<T>): boolean {
    return this.#owner?.owns(member.name) ?? true;
  }

  /**
   * To be asked right before a source is polled, and before an event of it is handed out: the owner may have changed its
   * mind without a word. If the source is not ours, it stops here and now.
   */
  stillOwns(member: Member<T>): boolean {
    if (this.owns(member)) return true;
    this.review(member);
    return false;
  }

  /**
   * Reviews all sources at every change, until the returned function is called. Undefined if there is no owner. An owner
   * whose iteration throws has `failed`.
   */
  follow(failed: (error: unknown) => void): (() => void) | undefined {
    return this.#owner && followOwner(this.#owner, { changed: () => this.reviewAll(), failed });
  }

  /** Starts and stops sources, as the owner decides now. */
  reviewAll(): void {
    for (const member of this.#host.members.values()) this.review(member);
  }

  /** Starts or stops a source, as the owner decides now. */
  review(member: Member<T>): void {
    const host = this.#host;
    if (host.ended || member.state === "gone") return;
    const isOurs = this.owns(member);
    if (!isOurs && member.state !== "away") {
      host.stop(member, "away", lostError(member.name));
      member.removal?.resolve();
    } else if (
      isOurs && !host.closing && (member.state === "away" || member.state === "stopped")
    ) {
      this.#start(member);
    }
  }

  #start(member: Member<T>): void {
    try {
      this.#host.start(member);
    } catch (thrown) {
      // Another watch of this process still uses it.
      const { error } = pollFailure(member.name, thrown);
      this.#host.startLater(member, error, member.options.interval);
    }
  }
}

/**
 * Listens to an owner: calls `changed` at every change, until the returned function is called. If the owner's iteration
 * throws, calls `failed` once and ends.
 */
export function followOwner(
  owner: GroupOwner,
  listener: { changed: () => void; failed: (error: unknown) => void },
): () => void {
  let stopped = false;
  const changes = owner.changes[Symbol.asyncIterator]();
  const listen = async () => {
    while (!stopped) {
      const { done } = await changes.next();
      if (done || stopped) return;
      listener.changed();
    }
  };
  listen().catch((error) => {
    if (!stopped) listener.failed(error);
  });
  return () => {
    stopped = true;
    // Not awaited: it may settle only when the next change comes.
    changes.return?.().catch(() => {});
  };
}

function lostError(name: string): DOMException {
  return new DOMException(`'${oneLine(name)}' was given to another process`, "AbortError");
}
