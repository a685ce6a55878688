/**
 * The state of a poller: the last listing of which every change was handled.
 *
 * And what is in doubt. Of a delivery that broke off nobody knows how much the consumer took in: it may
 * have been told of a new object just before the process died. If that object is gone by the next poll,
 * the last listing and the next agree that it never was, and yet the consumer must hear that it is gone.
 * So every value that an unfinished delivery may have touched is remembered, with the state before the first
 * event is handed over, and reported once more by the next.
 */
import { textBytes } from "../_bytes/bytes.ts";
import { compareKeys } from "../_bytes/order.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { foreign } from "../_state/seal.ts";
import { changes, countChanges } from "./changes.ts";
import type { Codec } from "./codec.ts";
import { Cursor } from "./cursor.ts";
import { Lookup } from "./lookup.ts";
import { restoreAll, saveAll } from "./saved_state.ts";
import { type Change, Snapshot, splice } from "./snapshot.ts";

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
  /** What is watched, as the JSON of an array: saved state of anything else is refused. Not a secret. */
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
  /** Where what is watched is kept, if its identity does not say; undefined as long as nobody has said. */
  #origin: string | undefined;

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
    this.#breakOff();
    this.#guard(next);
    const progress: Progress = this.#progress = { next };
    return this.#deliver(progress);
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

  *#deliver(progress: Progress): Iterable<Change<V>> {
    for (const change of this.#changes(progress.next)) {
      // A later poll has begun meanwhile: what is reported and committed is for that one to say.
      if (this.#progress !== progress) return;
      const { key } = change.item;
      progress.given = key;
      yield change;
      progress.handled = key; // The next one was asked for.
    }
    if (this.#progress !== progress) return;
    this.#committed = progress.next;
    this.#doubtful = Snapshot.empty;
    this.#progress = undefined;
  }

  /** The changes since the last listing, and what is in doubt once more, in the order of the keys. */
  *#changes(next: Snapshot): Iterable<Change<V>> {
    const { codec } = this.#options;
    const listed = new Lookup(next);
    const doubts = this.#doubtful.values(codec);
    let doubt = doubts.next();
    for (const change of changes(this.#committed, next, codec)) {
      let order = 1;
      while (!doubt.done && (order = compareKeys(doubt.value.key, change.item.key)) < 0) {
        yield this.#again(doubt.value, listed);
        doubt = doubts.next();
      }
      if (!doubt.done && order === 0) doubt = doubts.next();
      yield change;
    }
    for (; !doubt.done; doubt = doubts.next()) yield this.#again(doubt.value, listed);
  }

  /** Reports a value anew that has not changed since the last listing: the consumer may know another state. */
  #again(value: V, listed: Lookup): Change<V> {
    const key = textBytes(value.key);
    const item = listed.find(key, 0, key.length)?.value(this.#options.codec);
    return item === undefined
      ? { type: "removed", item: value }
      : { type: "modified", item, previous: value };
  }

  /** What the deliveries so far may or may not have reported, of the keys with `after < key <= until`. */
  #inDoubt(after?: string, until?: string): Snapshot {
    if (this.#progress?.given === undefined) return this.#doubtful;
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
    return saveAll(this.#identityAt(this.#origin), [state, this.#inDoubt(handled)]);
  }

  restore(bytes: Uint8Array): void {
    const { identity, codec } = this.#options;
    let origin: string | undefined;
    const belongs = (found: string) => void (origin = this.#originOf(found));
    const [committed = Snapshot.empty, doubtful = Snapshot.empty] = restoreAll(
      bytes,
      identity,
      codec,
      2,
      belongs,
    );
    this.#origin = origin ?? this.#origin;
    this.#committed = committed;
    this.#doubtful = doubtful;
    this.#progress = undefined;
  }

  /**
   * To be told, before anything is listed, where what is watched is kept: what a `restore` could not know.
   *
   * @throws {ExternalError} With code `checkpoint` if the restored state was kept elsewhere.
   */
  confirm(origin: string | undefined): void {
    if (this.#origin !== undefined && this.#origin !== origin) {
      throw foreign(this.#identityAt(origin), this.#identityAt(this.#origin));
    }
    this.#origin = origin;
  }

  #identityAt(origin: string | undefined): string {
    const { identity } = this.#options;
    return origin === undefined ? identity : `${identity.slice(0, -1)},${JSON.stringify(origin)}]`;
  }

  /** The origin in an identity; undefined if it has none. */
  #originOf(found: string): string | undefined {
    const { identity } = this.#options;
    if (found === identity) return undefined;
    const start = identity.length;
    try {
      const origin: unknown = JSON.parse(found.slice(start, -1));
      if (typeof origin === "string" && this.#identityAt(origin) === found) return origin;
    } catch { /* It is something else. */ }
    throw foreign(identity, found);
  }

  /** Of all that was told, or may have been told, no larger share than `maxRemoved` may be reported as removed. */
  #guard(next: Snapshot): void {
    const { name, maxRemoved } = this.#options;
    if (maxRemoved === 1) return;
    const doubts = this.#countDoubts(next);
    const known = this.#committed.count + doubts.told;
    const removed = countChanges(this.#committed, next).removed + doubts.gone;
    if (removed <= known * maxRemoved) return;
    throw new ExternalError(
      "removal-guard",
      `Cannot poll '${name}': ${removed} of ${known} would be removed, more than 'maxRemoved' ` +
        `(${maxRemoved}) allows; if that is right, raise it`,
      { source: name },
    );
  }

  /** How many are in doubt that the last listing does not have, and how many of those the next one does not have either. */
  #countDoubts(next: Snapshot): { told: number; gone: number } {
    const count = { told: 0, gone: 0 };
    const known = new Lookup(this.#committed);
    const listed = new Lookup(next);
    for (const doubt = new Cursor(this.#doubtful.chunks); !doubt.done; doubt.next()) {
      if (known.find(doubt.key, 0, doubt.keyLength) !== undefined) continue;
      count.told++;
      if (listed.find(doubt.key, 0, doubt.keyLength) === undefined) count.gone++;
    }
    return count;
  }
}
