// Stores that change while they are listed in ranges: what was there all the time is found, what never was is not, and once
// nothing changes any more the replay of all events equals the store. For as long as FUZZ_SECONDS says.
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import fc from "fast-check";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { compareKeys } from "../../_bytes/order.ts";
import { countUpTo } from "../listing/_key_spaces.ts";

const time = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;
const budget = { numRuns: Infinity, interruptAfterTimeLimit: time, markInterruptAsFailure: false };

/** How a store lists. */
interface Habits {
  readonly pageSize: number;
  /** Gives whole pages, and ends with the one that reaches the end of a range, as S3Store does. */
  readonly clips: boolean;
  /** Pages before `ranged` is known. */
  readonly knownAfter: number;
  /** Some pages are shorter than they might be, or empty. */
  readonly uneven: boolean;
  readonly order: "bytes" | "utf16";
}

/** A key with a number; the version changes. */
interface Change {
  /** After so many requests of a poll. */
  readonly at: number;
  readonly place: number;
  readonly what: "set" | "delete";
}

const habits: fc.Arbitrary<Habits> = fc.record({
  pageSize: fc.integer({ min: 1, max: 12 }),
  clips: fc.boolean(),
  knownAfter: fc.constantFrom(0, 0, 1, 3),
  uneven: fc.boolean(),
  order: fc.constantFrom("bytes", "bytes", "bytes", "utf16"),
});

const keyOf: Record<string, (place: number) => string> = {
  numbers: (place) => `objects/${String(place).padStart(6, "0")}`,
  hashes: (place) => (Math.imul(place + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0"),
  folders: (place) =>
    `${"abc"[place % 3]}/${["x", "x-y", "é", "\u{1f600}", "\uffff"][place % 5]}/${place}`,
  halves: (place) => `${["\ud800", "\udc00", "\ue000", "k", "\u{10000}"][place % 5]}${place}`,
};

const history = fc.record({
  habits,
  kind: fc.constantFrom(...Object.keys(keyOf)),
  begin: fc.nat(400),
  concurrency: fc.integer({ min: 1, max: 20 }),
  filtered: fc.boolean(),
  /** Restarts before these polls. */
  restarts: fc.array(fc.nat(5), { maxLength: 2 }),
  polls: fc.array(
    fc.array(
      fc.record<Change>({
        at: fc.nat(60),
        place: fc.nat(500),
        what: fc.constantFrom("set", "set", "delete"),
      }),
      { maxLength: 60, size: "max" },
    ),
    { maxLength: 5 },
  ),
});

class ChangingStore implements ObjectStore {
  readonly name = "changing://";
  readonly objects: Map<string, number> = new Map();
  /** All that was there at some time of this poll, with every version. */
  seen: Map<string, Set<number>> = new Map();
  /** What was there all the time, unchanged. */
  steady: Set<string> = new Set();
  pending: Change[] = [];
  requests = 0;
  #known = 0;
  #version = 0;
  readonly #habits: Habits;
  readonly #keyOf: (place: number) => string;

  constructor(habits: Habits, keyOf: (place: number) => string) {
    this.#habits = habits;
    this.#keyOf = keyOf;
  }

  get ranged(): boolean | undefined {
    return this.#known >= this.#habits.knownAfter ? true : undefined;
  }

  set(place: number): void {
    const key = this.#keyOf(place);
    this.objects.set(key, ++this.#version);
    this.steady.delete(key);
    this.seen.set(key, (this.seen.get(key) ?? new Set()).add(this.#version));
  }

  delete(place: number): void {
    const key = this.#keyOf(place);
    this.objects.delete(key);
    this.steady.delete(key);
  }

  beginPoll(changes: readonly Change[]): void {
    this.requests = 0;
    this.pending = [...changes].sort((a, b) => a.at - b.at);
    this.steady = new Set(this.objects.keys());
    this.seen = new Map([...this.objects].map(([key, version]) => [key, new Set([version])]));
  }

  async *list({ after, until }: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const { pageSize, clips, uneven, order } = this.#habits;
    for (let behind = after, nth = 1;; nth++) {
      this.requests++;
      await Promise.resolve();
      for (; (this.pending[0]?.at ?? Infinity) < this.requests; this.pending.shift()) {
        const { place, what } = this.pending[0] as Change;
        if (what === "set") this.set(place);
        else this.delete(place);
      }
      this.#known++;
      const keys = [...this.objects.keys()].sort(
        order === "bytes" ? compareKeys : (a, b) => a < b ? -1 : 1,
      );
      const count = (key: string) =>
        order === "bytes" ? countUpTo(keys, key) : keys.filter((other) => other <= key).length;
      const at = behind === undefined ? 0 : count(behind);
      const end = until === undefined ? keys.length : count(until);
      const size = !uneven ? pageSize : nth % 4 === 0 ? 0 : 1 + (this.requests * 7) % pageSize;
      const page = keys.slice(at, clips ? at + size : Math.min(at + size, end));
      yield page.filter((_, i) => at + i < end)
        .map((key) => ({ key, size: this.objects.get(key) as number }));
      behind = page.at(-1) ?? behind;
      const done = at + page.length;
      if (done >= (clips ? keys.length : end) || (clips && done >= end)) return;
    }
  }

  get(): Promise<never> {
    return Promise.reject(new Error("a poll reads no content"));
  }
}

test("ranges of a store that changes", async () => {
  let polls = 0;
  await fc.assert(
    fc.asyncProperty(history, async (history) => {
      const { habits, kind, begin, concurrency, filtered, restarts } = history;
      const store = new ChangingStore(habits, keyOf[kind] as (place: number) => string);
      for (let place = 0; place < begin; place++) store.set(place);
      const options = { concurrency, ...(filtered && { filter: () => true }) };
      let poller = new ObjectStorePoller(store, options);
      const replayed = new Map<string, number>();
      // The last two find the store at rest.
      for (const [i, changes] of [...history.polls, [], []].entries()) {
        if (restarts.includes(i)) {
          const state = poller.save();
          poller = new ObjectStorePoller(store, options);
          poller.restore(state);
        }
        store.beginPoll(changes);
        const events = await poller.poll({
          signal: new AbortController().signal,
          onWarning: () => assert.equal(habits.order, "utf16"),
        });
        polls++;
        let last: string | undefined;
        for (const { type, item: { key, size } } of events) {
          assert.ok(last === undefined || compareKeys(last, key) < 0, `${key} after ${last}`);
          last = key;
          assert.equal(replayed.has(key), type !== "added", `${type} ${key}`);
          if (type === "removed") replayed.delete(key);
          else replayed.set(key, size);
        }
        for (const key of store.steady) {
          assert.equal(replayed.get(key), store.objects.get(key), `lost: ${key}`);
        }
        for (const [key, version] of replayed) {
          assert.ok(store.seen.get(key)?.has(version), `never there: ${key} ${version}`);
        }
      }
      assert.deepEqual(
        [...replayed].sort(([a], [b]) => compareKeys(a, b)),
        [...store.objects].sort(([a], [b]) => compareKeys(a, b)),
      );
    }),
    budget,
  );
  assert.ok(polls > 10, `${polls} polls`);
});
