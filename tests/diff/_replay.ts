/** What the tests of the pollers share: a naive model of one, and of a consumer that replays its events. */
import { ExternalError, type ExternalEvent, type ExternalSource } from "@koprs/external";
import fc from "fast-check";
import assert from "node:assert/strict";

export function compareKeys(a: string, b: string): number {
  const x = [...a], y = [...b];
  for (let i = 0; i < Math.min(x.length, y.length); i++) {
    const difference = (x[i]?.codePointAt(0) ?? 0) - (y[i]?.codePointAt(0) ?? 0);
    if (difference !== 0) return difference;
  }
  return x.length - y.length;
}

/** Polls, and reads all there is. */
export async function poll<T>(source: ExternalSource<T>): Promise<ExternalEvent<T>[]> {
  return [...await source.poll({ signal: new AbortController().signal })];
}

/** What becomes of the events of one poll. */
export interface Delivery {
  /** The consumer handles so many and stops while the next one is with it; undefined: it reads to the end. */
  readonly dropAfter: number | undefined;
  /** Whether it has handled that one too, although it never asked for another. */
  readonly inFlight: boolean;
  /** Goes on in a new poller, from the state saved while the event of this index was with the consumer. */
  readonly restartAt: number | undefined;
}

export const deliveries: fc.Arbitrary<Delivery> = fc.record({
  dropAfter: fc.option(fc.nat({ max: 6 }), { nil: undefined, freq: 3 }),
  inFlight: fc.boolean(),
  restartAt: fc.option(fc.nat({ max: 8 }), { nil: undefined }),
});

interface Saving<T> extends ExternalSource<T> {
  save(): Uint8Array;
  restore(state: Uint8Array): void;
}

/** How a poller is made and what its items are. */
export interface ReplayOptions<T> {
  make(): Saving<T>;
  keyOf(item: T): string;
  /** Two states of an item with one identity are no change. */
  identityOf(item: T): string;
  readonly maxRemoved: number;
}

/** Runs a poller through a history, and compares each poll with what it should have been. */
export class Replay<T> {
  /** What the poller has committed. */
  known: Map<string, T> = new Map();
  /** What the consumer makes of the events. It never looks at anything else. */
  readonly replayed: Map<string, T> = new Map();
  /** What the poller knows to be in doubt: values that deliveries which broke off may have reported. */
  doubts: Map<string, T> = new Map();
  /** Keys of polls that broke off: the consumer may or may not have heard of them. */
  readonly #unsure: Set<string> = new Set();
  readonly #options: ReplayOptions<T>;
  #poller: Saving<T>;

  constructor(options: ReplayOptions<T>) {
    this.#options = options;
    this.#poller = options.make();
  }

  /**
   * One poll that should lead to `next`. `mayFail` looks at an error that is not the guard's, and says
   * whether the poll should have failed with it.
   */
  async poll(
    next: Map<string, T>,
    delivery: Delivery,
    mayFail: (error: unknown) => boolean,
  ): Promise<"failed" | "handled"> {
    const { maxRemoved, keyOf } = this.#options;
    const expected = this.#changesTo(next);
    const told = new Set([...this.known.keys(), ...this.doubts.keys()]);
    const removed = [...told].filter((key) => !next.has(key)).length;
    let events: Iterable<ExternalEvent<T>>;
    try {
      events = await this.#poller.poll({ signal: new AbortController().signal });
    } catch (error) {
      if (error instanceof ExternalError && error.code === "removal-guard") {
        assert.ok(removed > told.size * maxRemoved, "the guard let nothing through");
      } else {
        assert.ok(mayFail(error), String(error));
      }
      return "failed";
    }
    assert.ok(removed <= told.size * maxRemoved, "more was removed than may be");
    const { read, whole, state, savedBehind } = this.#deliver(events, delivery);
    this.#check(read, whole, expected, next);

    const keys = read.map(({ item }) => keyOf(item));
    if (state !== undefined) {
      this.#poller = this.#options.make();
      this.#poller.restore(state);
      assert.deepEqual(this.#poller.save(), state);
    }
    const handled = state === undefined ? whole ? Infinity : 0 : savedBehind;
    if (handled === Infinity) {
      assert.ok(whole);
      this.known = next;
      this.doubts.clear();
      this.#unsure.clear();
    } else {
      for (const key of [...expected.keys(), ...keys]) this.#unsure.add(key);
      const last = keys[handled - 1];
      // In doubt is what was given in this process, and what may have been given after a state was saved.
      const given = state === undefined ? keys.at(-1) : undefined;
      const isBehind = (key: string) => last === undefined || compareKeys(key, last) > 0;
      const isGiven = (key: string) => given === undefined || compareKeys(key, given) <= 0;
      this.doubts = new Map(
        [
          ...this.doubts,
          ...[...expected].map(([key, { item }]) => [key, item] as const)
            .filter(([key]) => isGiven(key)),
        ].filter(([key]) => isBehind(key)),
      );
      this.known = splice(this.known, next, last);
    }
    if (whole) {
      assert.deepEqual(this.#identities(this.replayed), this.#identities(next));
    }
    return "handled";
  }

  #deliver(events: Iterable<ExternalEvent<T>>, { dropAfter, inFlight, restartAt }: Delivery) {
    const read: ExternalEvent<T>[] = [];
    let state: Uint8Array | undefined;
    let savedBehind = Infinity;
    const iterator = events[Symbol.iterator]();
    for (;;) {
      const { done, value } = iterator.next();
      if (done) break;
      const handled = read.push(value) - 1;
      const last = handled === dropAfter;
      if (restartAt !== undefined && (handled === restartAt || (last && handled < restartAt))) {
        state = this.#poller.save();
        savedBehind = handled;
      }
      if (!last || inFlight) this.#apply(value);
      if (last) return { read, whole: false, state, savedBehind };
    }
    if (restartAt !== undefined) state ??= this.#poller.save();
    return { read, whole: true, state, savedBehind };
  }

  #apply({ type, item }: ExternalEvent<T>): void {
    const key = this.#options.keyOf(item);
    // What is in doubt may come twice, or come to somebody who never heard of it.
    if (!this.#unsure.has(key)) {
      assert.equal(this.replayed.has(key), type !== "added", `${type} ${key}`);
    }
    if (type === "removed") this.replayed.delete(key);
    else this.replayed.set(key, item);
  }

  #changesTo(next: ReadonlyMap<string, T>): Map<string, ExternalEvent<T>> {
    const { identityOf } = this.#options;
    const changes = new Map<string, ExternalEvent<T>>();
    for (const key of [...new Set([...this.known.keys(), ...next.keys()])].sort(compareKeys)) {
      const previous = this.known.get(key), item = next.get(key);
      if (item === undefined) {
        if (previous !== undefined) changes.set(key, { type: "removed", item: previous });
      } else if (previous === undefined) {
        changes.set(key, { type: "added", item });
      } else if (identityOf(previous) !== identityOf(item)) {
        changes.set(key, { type: "modified", item, previous });
      }
    }
    return changes;
  }

  #check(
    read: readonly ExternalEvent<T>[],
    whole: boolean,
    expected: ReadonlyMap<string, ExternalEvent<T>>,
    next: ReadonlyMap<string, T>,
  ): void {
    const keys = read.map(({ item }) => this.#options.keyOf(item));
    assert.deepEqual(keys, [...new Set(keys)].sort(compareKeys), "each key once, in order");
    for (const [i, event] of read.entries()) {
      const key = keys[i] as string;
      const change = expected.get(key);
      if (change !== undefined) {
        assert.deepEqual(event, change);
        continue;
      }
      // Said once more, as the consumer may not know.
      assert.ok(this.#unsure.has(key), `${event.type} ${key}, but nothing changed`);
      assert.equal(event.type, next.has(key) ? "modified" : "removed");
      if (event.type === "modified") assert.deepEqual(event.item, next.get(key));
    }
    const last = keys.at(-1);
    for (const key of expected.keys()) {
      if (whole || (last !== undefined && compareKeys(key, last) <= 0)) {
        assert.ok(keys.includes(key), `not told: ${key}`);
      }
    }
  }

  #identities(known: ReadonlyMap<string, T>): string[] {
    return [...known].map(([key, item]) => JSON.stringify([key, this.#options.identityOf(item)]))
      .sort();
  }
}

/** `next` up to `key`, `known` behind it. */
function splice<T>(
  known: ReadonlyMap<string, T>,
  next: ReadonlyMap<string, T>,
  key: string | undefined,
): Map<string, T> {
  if (key === undefined) return new Map(known);
  return new Map([
    ...[...next].filter(([at]) => compareKeys(at, key) <= 0),
    ...[...known].filter(([at]) => compareKeys(at, key) > 0),
  ]);
}
