/**
 * The state of a poller: the last listing of which every change was handled.
 *
 * And what is in doubt. Of a delivery that broke off nobody knows how much the consumer took in: it may
 * have been told of a new object just before the process died. If that object is gone by the next poll,
 * the last listing and the next agree that it never was, and yet the consumer must hear that it is gone.
 * So every value that an unfinished delivery may have touched is remembered, with the state before the first
 * event is handed over, and reported once more by the next.
 */
import { compareBytes, textBytes } from "../_bytes/bytes.ts";
import type { Codec } from "./codec.ts";
import {
  type Change,
  changes,
  countChanges,
  restoreAll,
  saveAll,
  Snapshot,
  splice,
} from "./snapshot.ts";
import { ExternalError } from "../_errors/external_error.ts";

/** A listing whose changes are being handled. */
interface Progress {
  readonly next: Snapshot;
  /** The key of the last change that was handed over, and of the last that was handled. */
  given?: string;
  handled?: string;
}

/** What a tracker is told about the poller it serves. */
export interface TrackerOptions<V> {
  /** What errors call the source. */
  readonly name: string;
  /** What is watched, in full: saved state of anything else is refused. Not a secret. */
  readonly identity: string;
  readonly codec: Codec<V>;
  /** A snapshot of values in any order; the last of a key counts. */
  readonly build: (values: Iterable<V>) => Snapshot;
  /** The largest share of values a poll may remove. */
  readonly maxRemoved: number;
}

export class Tracker<V extends { readonly key: string }> {
  readonly #options: TrackerOptions<V>;
  #committed: Snapshot = Snapshot.empty;
  /** The values that deliveries before the one in progress may or may not have reported. */
  #doubtful: Snapshot = Snapshot.empty;
  #progress: Progress | undefined;

  constructor(options: TrackerOptions<V>) {
    this.#options = options;
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
    this.#breakOff();
    return this.#deliver(next);
  }

  /** What a delivery that broke off may have reported: the next one will report it once more. */
  get doubtful(): Snapshot {
    this.#breakOff();
    return this.#doubtful;
  }

  /** Another poll begins: a delivery that is not at its end by now will not get there. */
  #breakOff(): void {
    const { given } = this.#progress ?? {};
    if (given !== undefined) this.#doubtful = this.#inDoubt(undefined, given);
    this.#progress = undefined;
  }

  *#deliver(next: Snapshot): Iterable<Change<V>> {
    const progress: Progress = this.#progress = { next };
    for (const change of this.#changes(next)) {
      const { key } = change.item;
      progress.given = key;
      yield change;
      progress.handled = key; // The next one was asked for.
    }
    // A later poll has begun meanwhile: what is committed is for that one to say.
    if (this.#progress !== progress) return;
    this.#committed = next;
    this.#doubtful = Snapshot.empty;
    this.#progress = undefined;
  }

  /** The changes since the last listing, and what is in doubt once more, in the order of the keys. */
  *#changes(next: Snapshot): Iterable<Change<V>> {
    const { codec } = this.#options;
    const doubts = this.#doubtful.values(codec);
    let doubt = doubts.next();
    for (const change of changes(this.#committed, next, codec)) {
      let order = 1;
      while (!doubt.done && (order = compareKeys(doubt.value, change.item)) < 0) {
        yield this.#again(doubt.value, next);
        doubt = doubts.next();
      }
      if (!doubt.done && order === 0) doubt = doubts.next();
      yield change;
    }
    for (; !doubt.done; doubt = doubts.next()) yield this.#again(doubt.value, next);
  }

  /** Reports a value anew that has not changed since the last listing: the consumer may know another state. */
  #again(value: V, next: Snapshot): Change<V> {
    const item = next.get(value.key, this.#options.codec);
    return item === undefined
      ? { type: "removed", item: value }
      : { type: "modified", item, previous: value };
  }

  /** What the deliveries so far may or may not have reported, of the keys with `after < key <= until`. */
  #inDoubt(after?: string, until?: string): Snapshot {
    if (this.#progress === undefined) return this.#doubtful;
    const { codec, build } = this.#options;
    const old = this.#committed.slice(after, until);
    const next = this.#progress.next.slice(after, until);
    // Doubts of earlier deliveries lie behind `until` too: nothing was said of them in this one.
    const doubtful = this.#doubtful.slice(after);
    if (old.count + doubtful.count === 0) return next; // A first delivery: all of it.
    return build(function* () {
      yield* doubtful.values(codec);
      for (const { item } of changes(old, next, codec)) yield item;
    }());
  }

  /** The state, up to the last change that was handled; all that comes behind it may be reported or not. */
  save(): Uint8Array {
    const { next, handled } = this.#progress ?? {};
    const state = next === undefined || handled === undefined
      ? this.#committed
      : splice(next, this.#committed, handled);
    return saveAll(this.#options.identity, [state, this.#inDoubt(handled)]);
  }

  restore(state: Uint8Array): void {
    const { identity, codec } = this.#options;
    const [committed, doubtful] = restoreAll(state, identity, codec, 2);
    this.#committed = committed as Snapshot;
    this.#doubtful = doubtful as Snapshot;
    this.#progress = undefined;
  }

  #guard(next: Snapshot): void {
    const { name, maxRemoved } = this.#options;
    const known = this.#committed.count;
    if (maxRemoved === 1 || known === 0) return;
    const { removed } = countChanges(this.#committed, next);
    if (removed <= known * maxRemoved) return;
    throw new ExternalError(
      "removal-guard",
      `Cannot poll '${name}': ${removed} of ${known} would be removed, more than 'maxRemoved' ` +
        `(${maxRemoved}) allows; if that is right, raise it`,
      { source: name },
    );
  }
}

function compareKeys(a: { readonly key: string }, b: { readonly key: string }): number {
  if (a.key === b.key) return 0;
  const [x, y] = [textBytes(a.key), textBytes(b.key)];
  return compareBytes(x, 0, x.length, y, 0, y.length);
}
