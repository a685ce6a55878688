// Histories of a store and of a consumer that breaks off, crashes and goes on: each poll is compared with the naive way.
import { ExternalError } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
  type ObjectStorePollerOptions,
} from "@koprs/external/store";
import fc from "fast-check";
import assert from "node:assert/strict";
import { mock } from "node:test";
import { compareKeys, deliveries, type Delivery, Replay } from "./_replay.ts";

const START = 1_700_000_000_000;
const keyOf = (object: ObjectMeta): string => object.key;

/** One poll: what there is, how it is listed, and what happens to it. */
interface Step {
  /** The store's objects from now on. */
  readonly objects: readonly ObjectMeta[];
  /** Seed of the order of an unordered listing. */
  readonly order: number;
  readonly pageSize: number;
  /** Objects listed twice, first as they were. */
  readonly duplicates: number;
  /** The page that fails, if there are as many. */
  readonly failAt: number | undefined;
  readonly delivery: Delivery;
  /** How far the clock moves before the poll. */
  readonly wait: number;
}

/** A store that lists what it is told to, as it is told to. */
class ScriptedStore implements ObjectStore {
  readonly name: string = "scripted://";
  readonly ranged: boolean;
  step: Step | undefined;
  /** What the last listing that began was asked for. */
  ranges: ListOptions[] = [];

  constructor(ranged: boolean) {
    this.ranged = ranged;
  }

  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const step = this.step as Step;
    const { prefix = "", after, until } = options;
    this.ranges.push(options);
    const listed = step.objects.filter(({ key }) =>
      key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0) &&
      (until === undefined || compareKeys(key, until) <= 0)
    );
    if (this.ranged) listed.sort((a, b) => compareKeys(a.key, b.key));
    else this.#disorder(listed, step);
    let page = 0;
    for (let i = 0; i < listed.length; i += step.pageSize) {
      await Promise.resolve();
      if (++page === step.failAt) throw new Error("down");
      yield listed.slice(i, i + step.pageSize);
    }
    if (step.failAt !== undefined && step.failAt > page) throw new Error("down at the end");
  }

  get(): Promise<never> {
    throw new Error("a poll reads no content");
  }

  #disorder(listed: ObjectMeta[], { order, duplicates }: Step): void {
    const rank = (key: string) => {
      let hash = order;
      for (const character of key) {
        hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      }
      return hash;
    };
    listed.sort((a, b) => rank(a.key) - rank(b.key));
    const stale = listed.slice(0, duplicates).map((object) => ({
      ...object,
      ...(object.etag !== undefined && { etag: "stale" }),
      lastModified: 1,
    }));
    listed.unshift(...stale);
  }
}

const keys = fc.constantFrom(
  ...["a", "a/", "a//b", "a/b", "a%2Fb", "..", "__proto__", "+", " ", "\n", "\uffff", "\u{10000}"],
  ...["b/1", "b/2", "b/3", "b", "é", "\0"],
);

const objects = (etags: boolean): fc.Arbitrary<ObjectMeta[]> =>
  fc.uniqueArray(
    fc.record({
      key: keys,
      size: fc.nat({ max: 2 }),
      ...(etags && { etag: fc.constantFrom('"1"', '"2"', "d41d8cd98f00b204e9800998ecf8427e") }),
      lastModified: fc.constantFrom(START, START + 1, START + 1_000),
    }, { noNullPrototype: true }),
    { selector: keyOf, maxLength: 12 },
  );

const steps = (etags: boolean, most: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.record({
      objects: objects(etags),
      order: fc.integer(),
      pageSize: fc.integer({ min: 1, max: 5 }),
      duplicates: fc.nat({ max: 2 }),
      failAt: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 3 }),
      delivery: deliveries,
      wait: fc.constantFrom(0, 1, 999, 5_000),
    }),
    { maxLength: most },
  );

export interface Case {
  readonly ranged: boolean;
  readonly prefix: string;
  readonly filtered: boolean;
  readonly minAge: number;
  readonly maxRemoved: number;
  readonly steps: readonly Step[];
}

/** Any history. */
export const cases = (etags: boolean, mostPolls = 8): fc.Arbitrary<Case> =>
  fc.record({
    ranged: fc.boolean(),
    prefix: fc.constantFrom("", "", "a", "a/", "b/", "\u{10000}"),
    filtered: fc.boolean(),
    minAge: fc.constantFrom(0, 0, 1_000),
    maxRemoved: fc.constantFrom(1, 1, 0.5, 0),
    steps: steps(etags, mostPolls),
  });

const passes = (object: ObjectMeta): boolean => object.size !== 1;

/** What decides whether an object changed. */
function identityOf({ key, size, etag, lastModified }: ObjectMeta): string {
  return JSON.stringify([key, size, etag ?? lastModified]);
}

/** What a poller should know of a listing, worked out the naive way. */
function expected(
  { known, doubts }: Replay<ObjectMeta>,
  { objects }: Step,
  { prefix, filtered, minAge }: Case,
): Map<string, ObjectMeta> {
  const next = new Map<string, ObjectMeta>();
  for (const object of objects) {
    if (!object.key.startsWith(prefix) || (filtered && !passes(object))) continue;
    const young = minAge > 0 && Date.now() - (object.lastModified ?? 0) < minAge;
    const old = doubts.get(object.key) ?? known.get(object.key);
    const state = young ? old : object;
    if (state !== undefined) next.set(object.key, state);
  }
  return next;
}

/** Runs a whole history, and compares every poll with the naive way. */
export async function check(history: Case): Promise<void> {
  const { ranged, prefix, filtered, minAge, maxRemoved, steps } = history;
  mock.timers.enable({ apis: ["Date"], now: START });
  try {
    const store = new ScriptedStore(ranged);
    const options: ObjectStorePollerOptions = {
      prefix,
      minAge,
      maxRemoved,
      ...(filtered && { filter: passes }),
    };
    const make = () => new ObjectStorePoller(store, options);
    const replay = new Replay<ObjectMeta>({ make, keyOf, identityOf, maxRemoved });
    for (const step of steps) {
      mock.timers.tick(step.wait);
      store.step = step;
      const next = expected(replay, step, history);
      const result = await replay.poll(
        next,
        step.delivery,
        (error) =>
          step.failAt !== undefined && error instanceof ExternalError && error.code === "store",
      );
      if (step.failAt !== undefined) assert.equal(result, "failed");
    }
  } finally {
    mock.timers.reset();
  }
}
