/** The state of a poller: the last listing that was handled, and how far a newer one has been. */
import type { Codec } from "./_codec.ts";
import { type Change, changes, countChanges, Snapshot, splice } from "./_snapshot.ts";
import { ExternalError } from "./error.ts";

/** A listing whose changes are being handled, up to and including `key`. */
interface Progress {
  readonly next: Snapshot;
  key?: string;
}

export class Tracker<V extends { readonly key: string }> {
  readonly #name: string;
  readonly #identity: string;
  readonly #codec: Codec<V>;
  readonly #maxRemoved: number;
  #committed: Snapshot = Snapshot.empty;
  #progress: Progress | undefined;

  /**
   * @param name What errors call the source.
   * @param identity What is watched, in full: saved state of anything else is refused. Not a secret.
   * @param codec How values are kept.
   * @param maxRemoved The largest share of values a poll may remove.
   */
  constructor(name: string, identity: string, codec: Codec<V>, maxRemoved: number) {
    this.#name = name;
    this.#identity = identity;
    this.#codec = codec;
    this.#maxRemoved = maxRemoved;
  }

  /** The last listing of which every change was handled. A poll compares against it. */
  get committed(): Snapshot {
    return this.#committed;
  }

  /**
   * The changes that lead to a new listing. Reading them to the end commits it.
   *
   * @throws {ExternalError} With code `removal-guard`, before the first change, if too many would go.
   */
  deliver(next: Snapshot): Iterable<Change<V>> {
    this.#guard(next);
    return this.#deliver(next);
  }

  *#deliver(next: Snapshot): Iterable<Change<V>> {
    const progress: Progress = this.#progress = { next };
    for (const change of changes(this.#committed, next, this.#codec)) {
      yield change;
      progress.key = change.item.key; // The next one was asked for, so this one was handled.
    }
    this.#committed = next;
    this.#progress = undefined;
  }

  /** The state, up to the last change that was handled. */
  save(): Uint8Array {
    const { next, key } = this.#progress ?? {};
    const state = next === undefined || key === undefined
      ? this.#committed
      : splice(next, this.#committed, key);
    return state.save(this.#identity);
  }

  restore(state: Uint8Array): void {
    this.#committed = Snapshot.restore(state, this.#identity, this.#codec);
    this.#progress = undefined;
  }

  #guard(next: Snapshot): void {
    const known = this.#committed.count;
    if (this.#maxRemoved === 1 || known === 0) return;
    const { removed } = countChanges(this.#committed, next);
    if (removed <= known * this.#maxRemoved) return;
    throw new ExternalError(
      "removal-guard",
      `Cannot poll '${this.#name}': ${removed} of ${known} would be removed, more than 'maxRemoved' ` +
        `(${this.#maxRemoved}) allows; if that is right, raise it`,
      { source: this.#name },
    );
  }
}
