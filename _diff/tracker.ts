/**
 * The state of a poller: the last listing all of whose changes were handled.
 *
 * It also has the values that are in doubt. If a delivery broke off, nobody knows how many of its events the consumer
 * handled: it may have been told of a new object just before the process died. If that object is gone by the next poll,
 * the last listing and the next agree that it never existed, but the consumer must still hear that it is gone. So every
 * value that an unfinished delivery may have reported is remembered. It is saved with the state before the first event
 * is handed over, and reported once more by the next delivery.
 *
 * Items whose events are acknowledged one by one are kept apart from both until they are handled: see `open_items.ts`.
 */
import { textBytes } from "../_bytes/exact_text.ts";
import { compareKeys } from "../_bytes/order.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { foreign } from "../_state/sealed_state.ts";
import { changes, countChanges, everything } from "./changes.ts";
import type { Codec } from "./codec.ts";
import { Cursor } from "./cursor.ts";
import { Lookup } from "./lookup.ts";
import { OpenItems } from "./open_items.ts";
import type { Part } from "./part.ts";
import { patch } from "./patch.ts";
import { restoreAll, saveAll } from "./saved_state.ts";
import { type Change, Snapshot, splice } from "./snapshot.ts";
import type { PollOptions } from "./source.ts";

/** How a poll wants its changes delivered. */
type Mode = Pick<PollOptions, "each" | "all">;

/** A listing whose changes are being handled. */
interface Progress {
  readonly next: Snapshot;
  readonly mode: Mode;
  /** The part of it that is reported and committed; undefined for all of it. */
  readonly part: Part | undefined;
  /** The values that are in doubt outside of that part. They stay in doubt. */
  readonly kept: Snapshot;
  /** The key of the last change that was handed over, and of the last that was handled. */
  given?: string;
  handled?: string;
}

/** What a tracker needs to know about the poller that it serves. */
export interface TrackerOptions<V> {
  /** The name of the source in errors. */
  readonly name: string;
  /** What is watched, as the JSON of an array: a saved state of anything else is refused. It must not be a secret. */
  readonly identity: string;
  readonly codec: Codec<V>;
  /** Builds a snapshot of values in any order; the last value of a key counts. */
  readonly build: (values: Iterable<V>) => Snapshot;
  /** The largest share of the values, from 0 to 1, that a poll may remove. */
  readonly maxRemoved: number;
}

export class Tracker<V extends { readonly key: string }> {
  readonly #options: TrackerOptions<V>;
  #committed: Snapshot = Snapshot.empty;
  /** The values that deliveries before the one in progress may or may not have reported. */
  #doubtful: Snapshot = Snapshot.empty;
  #progress: Progress | undefined;
  /** The items that were handed out to be acknowledged one by one, and are not handled yet. */
  readonly #open: OpenItems<V> = new OpenItems();
  /**
   * Where the watched data is kept, if `identity` does not say so; undefined until `confirm` or `restore` has told it.
   */
  #origin: string | undefined;

  constructor(options: TrackerOptions<V>) {
    this.#options = options;
  }

  /** The last listing all of whose changes were handled. A poll compares against it. */
  get committed(): Snapshot {
    return this.#committed;
  }

  /**
   * To be called when a poll begins, before it compares anything: a delivery that is not complete by then is broken
   * off.
   */
  begin({ each }: Mode): void {
    this.#breakOff();
    // A reader that acknowledges by reading on gets the items that were set aside once more.
    if (each === undefined) this.#fold(this.#open.take("aside"));
  }

  /**
   * The changes that lead to a new listing. Reading them to the end commits it.
   *
   * @param part The only part that was listed: outside of it `next` is the committed listing, and nothing is reported.
   * @throws {ExternalError} With code `removal-guard`, before the first change, if too many items would be removed.
   */
  deliver(next: Snapshot, mode: Mode = {}, part?: Part): Iterable<Change<V>> {
    this.begin(mode);
    this.#guard(next, part);
    return this.#start(next, mode, part);
  }

  /** The changes that lead to an empty listing, without the removal guard. Reading them to the end commits it. */
  withdraw(mode: Mode): Iterable<Change<V>> {
    this.begin(mode);
    return this.#start(Snapshot.empty, mode);
  }

  #start(next: Snapshot, mode: Mode, part?: Part): Iterable<Change<V>> {
    const kept = part === undefined ? Snapshot.empty : this.#takeDoubtsOutside(part);
    const progress: Progress = this.#progress = { next, mode, part, kept };
    return mode.each ? this.#deliverEach(progress) : this.#deliver(progress);
  }

  /** The values that a delivery that broke off may have reported: the next one reports them once more. */
  get doubtful(): Snapshot {
    this.#breakOff();
    return this.#doubtful;
  }

  /** Breaks off a delivery that is not complete, since another poll begins. */
  #breakOff(): void {
    const { given, next, mode, kept = Snapshot.empty } = this.#progress ?? {};
    if (given !== undefined && next !== undefined && mode?.each) {
      this.#committed = splice(next, this.#committed, given);
      this.#doubtful = this.#doubtful.slice(given);
    } else if (given !== undefined) this.#doubtful = this.#inDoubt(undefined, given);
    this.#doubtful = this.#both(this.#doubtful, kept);
    this.#progress = undefined;
    this.#fold(this.#open.take("out", "due", "settled"));
  }

  /** No longer keeps these items apart: what was handled is committed, and what was reported is in doubt. */
  #fold(items: OpenItems<V>): void {
    this.#committed = patch(this.#committed, items.handled(), this.#options);
    this.#doubtful = patch(this.#doubtful, items.told(), this.#options);
  }

  *#deliver(progress: Progress): Iterable<Change<V>> {
    for (const change of this.#changes(progress)) {
      // If a later poll has begun meanwhile, that one decides what is reported and committed.
      if (this.#progress !== progress) return;
      const { key } = change.item;
      progress.given = key;
      yield change;
      progress.handled = key; // The consumer has asked for the next one.
    }
    if (this.#progress === progress) this.#commit(progress);
  }

  *#deliverEach(progress: Progress): Iterable<Change<V>> {
    const { codec } = this.#options;
    const known = new Lookup(this.#committed);
    for (const change of this.#changes(progress)) {
      if (this.#progress !== progress) return;
      const { item } = change;
      // It was set aside before: `again` hands out, or has handed out, this same state.
      if (this.#open.has(item.key)) continue;
      progress.given = item.key;
      const key = textBytes(item.key);
      this.#open.put(item, known.find(key, 0, key.length)?.value(codec));
      yield change;
    }
    if (this.#progress === progress) this.#commit(progress);
  }

  #commit({ next, kept }: Progress): void {
    this.#committed = next;
    this.#doubtful = kept;
    this.#progress = undefined;
    this.#open.take("settled"); // The new listing includes them.
  }

  /** To be called when the item handed out last for this key was handled. */
  handled(key: string): void {
    const item = this.#open.get(key);
    if (item?.state !== "out") return;
    const { given, next } = this.#progress ?? {};
    if (next === undefined || given !== undefined && compareKeys(key, given) <= 0) {
      return this.#open.delete(key);
    }
    item.state = "settled";
    item.handled = next.get(key, this.#options.codec);
  }

  /** To be called when the item handed out last for this key was not handled. */
  setAside(key: string): void {
    const item = this.#open.get(key);
    if (item?.state === "out") item.state = "aside";
  }

  /** Hands out an item that was set aside once more, in its newest state. */
  again(key: string): Change<V> | undefined {
    const open = this.#open.get(key);
    if (open?.state !== "aside") return undefined;
    const item = (this.#progress?.next ?? this.#committed).get(key, this.#options.codec);
    open.state = "out";
    if (item === undefined) return { type: "removed", item: open.told };
    open.told = item;
    const previous = open.handled;
    return previous === undefined ? { type: "added", item } : { type: "modified", item, previous };
  }

  /** Leaves an item that was set aside to the next poll to report. */
  putBack(key: string): void {
    const item = this.#open.get(key);
    if (item?.state === "aside") item.state = "due";
  }

  /** The keys that are set aside. */
  asideKeys(): Iterable<string> {
    return this.#open.aside();
  }

  /** The changes since the last listing, and once more the values that are in doubt, in the order of the keys. */
  *#changes({ next, mode, part }: Progress): Iterable<Change<V>> {
    const { codec } = this.#options;
    const found = mode.all ? everything : changes;
    const listed = new Lookup(next);
    const doubts = this.#doubtful.values(codec);
    let doubt = doubts.next();
    for (const change of found(this.#committed, next, codec)) {
      if (part?.has(change.item.key) === false) continue;
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

  /**
   * Reports a value that is in doubt and has not changed since the last listing: the consumer may know another state.
   */
  #again(value: V, listed: Lookup): Change<V> {
    const key = textBytes(value.key);
    const item = listed.find(key, 0, key.length)?.value(this.#options.codec);
    return item === undefined
      ? { type: "removed", item: value }
      : { type: "modified", item, previous: value };
  }

  /** The values with `after < key <= until` that the deliveries so far may or may not have reported. */
  #inDoubt(after?: string, until?: string): Snapshot {
    if (this.#progress?.given === undefined) return this.#doubtful;
    const { codec, build } = this.#options;
    const old = this.#committed.slice(after, until);
    const next = this.#progress.next.slice(after, until);
    // Values in doubt from earlier deliveries may come after `until`, too: this delivery has not reported them.
    const doubtful = this.#doubtful.slice(after);
    if (old.count + doubtful.count === 0) return next; // A first delivery: all of it.
    return build(function* () {
      yield* doubtful.values(codec);
      for (const { item } of changes(old, next, codec)) yield item;
    }());
  }

  /** Keeps only the values in doubt that are in a part, and returns the others. */
  #takeDoubtsOutside(part: Part): Snapshot {
    const { codec, build } = this.#options;
    if (this.#doubtful.count === 0) return Snapshot.empty;
    const inside: V[] = [];
    const outside: V[] = [];
    for (const doubt of this.#doubtful.values(codec)) {
      (part.has(doubt.key) ? inside : outside).push(doubt);
    }
    this.#doubtful = build(inside);
    return build(outside);
  }

  /** Joins two snapshots that have no key in common. */
  #both(a: Snapshot, b: Snapshot): Snapshot {
    if (b.count === 0) return a;
    const { codec, build } = this.#options;
    return a.count === 0 ? b : build(function* () {
      yield* a.values(codec);
      yield* b.values(codec);
    }());
  }

  /** The state up to the last change that was handled. All later values count as in doubt. */
  save(): Uint8Array {
    const { next, mode, kept = Snapshot.empty, given, handled } = this.#progress ?? {};
    // Items that are acknowledged one by one are patched in below.
    const until = mode?.each ? given : handled;
    const state = next === undefined || until === undefined
      ? this.#committed
      : splice(next, this.#committed, until);
    return saveAll(this.#identityAt(this.#origin), [
      patch(state, this.#open.handled(), this.#options),
      patch(this.#both(this.#inDoubt(until), kept), this.#open.told(), this.#options),
    ]);
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
    this.#open.clear();
  }

  /**
   * To be called before anything is listed, with the place where the watched data is kept: `restore` could not know it.
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

  /** Of all items that were or may have been reported, no larger share than `maxRemoved` may be reported as removed. */
  #guard(next: Snapshot, part: Part | undefined): void {
    const { name, maxRemoved } = this.#options;
    if (maxRemoved === 1) return;
    const doubts = this.#countDoubts(next, part);
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

  /**
   * Counts the values in doubt that the last listing does not have, and those of them, within the listed part, that the
   * next listing does not have either.
   */
  #countDoubts(next: Snapshot, part: Part | undefined): { told: number; gone: number } {
    const count = { told: 0, gone: 0 };
    const known = new Lookup(this.#committed);
    const listed = new Lookup(next);
    for (const doubt = new Cursor(this.#doubtful.chunks); !doubt.done; doubt.next()) {
      if (known.find(doubt.key, 0, doubt.keyLength) !== undefined) continue;
      count.told++;
      if (part?.has(doubt.text()) === false) continue;
      if (listed.find(doubt.key, 0, doubt.keyLength) === undefined) count.gone++;
    }
    return count;
  }
}
