// Histories of a store of which parts are polled, and of a consumer that replays the events and crashes.
import { ExternalError, type ExternalEvent, type ExternalPart } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import fc from "fast-check";
import assert from "node:assert/strict";
import { compareKeys } from "./_replay.ts";

type Objects = Map<string, number>;

/** Keys in three folders, some of which begin with others. */
const KEYS = ["a", "a/1", "a/2", "a/3", "ab", "b/1", "b/2", "b/\u{10000}", "b/\uffff", "c"];

interface Change {
  readonly key: string;
  /** Undefined: it goes. */
  readonly version: number | undefined;
}

/** What is polled: all, or a part. `told`: the keys that changed since the last notification. */
type What = "all" | "told" | ExternalPart;

interface Step {
  readonly changes: readonly Change[];
  readonly what: What;
  /** The notification comes once more, or later, or not at all. */
  readonly fate: "in time" | "late" | "lost" | "twice";
  readonly failAt: number | undefined;
  /** The consumer stops while it has this event. Undefined: it reads on to the end. */
  readonly dropAt: number | undefined;
  /** It has handled that one, too. */
  readonly inFlight: boolean;
  /** What becomes of each event, in turn; acknowledged one by one. Undefined: reading on says so. */
  readonly fates: readonly ("handled" | "aside" | "open")[] | undefined;
  /** The process ends behind this step: the next begins with what was saved last. */
  readonly crashes: boolean;
}

export interface History {
  readonly prefix: string;
  readonly ranged: boolean;
  readonly filtered: boolean;
  readonly pageSize: number;
  readonly steps: readonly Step[];
}

const part: fc.Arbitrary<ExternalPart> = fc.oneof(
  fc.constantFrom("", "a", "a/", "b/", "b/\u{10000}", "c", "d").map((prefix) => ({ prefix })),
  fc.array(fc.constantFrom(...KEYS, "d"), { maxLength: 5 }).map((keys) => ({ keys })),
  fc.record({
    prefix: fc.constantFrom("a/", "b/"),
    keys: fc.array(fc.constantFrom(...KEYS), { maxLength: 3 }),
  }, { noNullPrototype: true }),
);

export const histories: fc.Arbitrary<History> = fc.record({
  prefix: fc.constantFrom("", "", "a/", "b/"),
  ranged: fc.boolean(),
  filtered: fc.boolean(),
  pageSize: fc.integer({ min: 1, max: 4 }),
  steps: fc.array(
    fc.record({
      changes: fc.array(
        fc.record({
          key: fc.constantFrom(...KEYS),
          version: fc.option(fc.nat({ max: 3 }), { nil: undefined, freq: 2 }),
        }),
        { maxLength: 6 },
      ),
      what: fc.oneof<fc.Arbitrary<What>[]>(
        fc.constant("all"),
        fc.constant("told"),
        fc.constant("told"),
        part,
      ),
      fate: fc.constantFrom("in time" as const, "in time", "late", "lost", "twice"),
      failAt: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 6 }),
      dropAt: fc.option(fc.nat({ max: 4 }), { nil: undefined, freq: 4 }),
      inFlight: fc.boolean(),
      fates: fc.option(
        fc.array(fc.constantFrom("handled" as const, "handled", "aside", "open"), {
          minLength: 1,
          maxLength: 6,
        }),
        { nil: undefined },
      ),
      crashes: fc.boolean(),
    }),
    { maxLength: 10 },
  ),
});

/** Lists what there is, and may fail on a page. Without an order unless it is ranged. */
class Store implements ObjectStore {
  readonly name: string = "parts://";
  readonly ranged: boolean;
  readonly objects: Objects = new Map();
  failAt: number | undefined;
  asked: ListOptions[] = [];
  readonly #pageSize: number;

  constructor({ ranged, pageSize }: History) {
    this.ranged = ranged;
    this.#pageSize = pageSize;
  }

  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const { prefix = "", after, until } = options;
    this.asked.push(options);
    const keys = [...this.objects.keys()].filter((key) =>
      key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0) &&
      (until === undefined || compareKeys(key, until) <= 0)
    ).sort(this.ranged ? compareKeys : (a, b) => compareKeys(b, a));
    for (let i = 0, page = 0; i < keys.length; i += this.#pageSize) {
      await Promise.resolve();
      if (++page === this.failAt) throw new Error("down");
      yield keys.slice(i, i + this.#pageSize).map((key) => metaOf(key, this.objects.get(key) ?? 0));
    }
  }

  get(): Promise<never> {
    throw new Error("a poll reads no content");
  }
}

const metaOf = (key: string, version: number): ObjectMeta => ({
  key,
  size: version,
  etag: `"${version}"`,
});
const passes = ({ size }: ObjectMeta): boolean => size !== 1;

/** A consumer of a poller, which knows nothing but the events. */
class Consumer {
  readonly known: Objects = new Map();
  readonly #history: History;
  readonly #store: Store;
  #poller: ObjectStorePoller;
  /** What was saved last: what a new process goes on from. */
  #saved: Uint8Array;

  constructor(history: History, store: Store) {
    this.#history = history;
    this.#store = store;
    this.#poller = this.#make();
    this.#saved = this.#poller.save();
  }

  #make(): ObjectStorePoller {
    const { prefix, filtered } = this.#history;
    return new ObjectStorePoller(this.#store, { prefix, ...(filtered && { filter: passes }) });
  }

  restart(): void {
    this.#poller = this.#make();
    this.#poller.restore(this.#saved);
  }

  /** Whether this key, if it exists, is in the poller's sight. */
  sees(key: string): boolean {
    const { prefix, filtered } = this.#history;
    const version = this.#store.objects.get(key);
    return version !== undefined && key.startsWith(prefix) && !(filtered && version === 1);
  }

  /** Polls. Returns the keys of the events; undefined if the poll failed. */
  async poll(part: ExternalPart | undefined, step: Step): Promise<string[] | undefined> {
    const { failAt, fates } = step;
    const { signal } = new AbortController();
    this.#store.failAt = failAt;
    this.#store.asked = [];
    let events: Iterable<ExternalEvent<ObjectMeta>>;
    try {
      events = await this.#poller.poll({
        signal,
        ...(part && { part }),
        ...(fates && { each: true }),
      });
    } catch (error) {
      assert.ok(failAt !== undefined && error instanceof ExternalError && error.code === "store");
      return undefined;
    }
    return fates === undefined ? this.#readOn(events, step) : this.#each(events, step, fates);
  }

  /** As a watch does: saves with the first event in hand, and before it hands that over. */
  #readOn(events: Iterable<ExternalEvent<ObjectMeta>>, { dropAt, inFlight }: Step): string[] {
    const keys: string[] = [];
    for (const event of events) {
      if (keys.length % 2 === 0) this.#saved = this.#poller.save();
      const isLast = keys.push(event.item.key) - 1 === dropAt;
      if (!isLast || inFlight) this.#apply(event);
      if (isLast) return keys;
    }
    this.#saved = this.#poller.save();
    return keys;
  }

  #each(
    events: Iterable<ExternalEvent<ObjectMeta>>,
    { dropAt }: Step,
    fates: NonNullable<Step["fates"]>,
  ): string[] {
    const keys: string[] = [];
    const { acknowledgement } = this.#poller;
    for (const event of events) {
      const nth = keys.push(event.item.key) - 1;
      this.#saved = this.#poller.save();
      if (nth === dropAt) return keys;
      const fate = fates[nth % fates.length];
      if (fate === "handled") {
        this.#apply(event);
        acknowledgement.handled(event.item.key);
      } else if (fate === "aside") acknowledgement.setAside(event.item.key);
      if (nth % 2 === 1) this.#saved = this.#poller.save();
    }
    this.#saved = this.#poller.save();
    return keys;
  }

  /** Whether a key was set aside: polls do not tell of it. */
  isAside(key: string): boolean {
    return [...this.#poller.acknowledgement.asideKeys()].includes(key);
  }

  /** Hands out, and handles, what was set aside. */
  handleAside(): void {
    const { acknowledgement } = this.#poller;
    for (const key of [...acknowledgement.asideKeys()]) {
      const event = acknowledgement.again(key);
      if (event === undefined) continue;
      this.#apply(event);
      acknowledgement.handled(key);
    }
    this.#saved = this.#poller.save();
  }

  #apply({ type, item }: ExternalEvent<ObjectMeta>): void {
    if (type === "removed") this.known.delete(item.key);
    else this.known.set(item.key, item.size);
  }
}

/** Runs a history, and looks at each part, and at everything behind a last sweep. */
export async function checkParts(history: History): Promise<void> {
  const store = new Store(history);
  const consumer = new Consumer(history, store);
  let late: string[] = [];
  for (const step of history.steps) {
    for (const { key, version } of step.changes) {
      if (version === undefined) store.objects.delete(key);
      else store.objects.set(key, version);
    }
    let told = step.changes.map(({ key }) => key);
    if (step.fate === "late") [told, late] = [late, told];
    else if (step.fate === "lost") told = [];
    else if (step.fate === "twice") late.push(...told);
    const { what } = step;
    const part = what === "all" ? undefined : what === "told" ? { keys: told } : what;
    const before = new Map(consumer.known);
    const keys = await consumer.poll(part, step);
    // Where everything takes fewer requests, everything is listed.
    const mayBeAll = store.asked.some(({ prefix = "" }) => prefix === history.prefix);
    for (const key of keys ?? []) {
      if (part === undefined || mayBeAll) break;
      assert.ok(isIn(part, key), `a poll of ${JSON.stringify(part)} told of '${key}'`);
    }
    const isHandled = keys !== undefined && step.dropAt === undefined &&
      step.fates?.every((fate) => fate === "handled") !== false;
    if (isHandled) checkSeen({ consumer, store, part, before, mayBeAll });
    if (step.crashes) consumer.restart();
  }
  const sweep: Step = {
    changes: [],
    what: "all",
    fate: "in time",
    failAt: undefined,
    dropAt: undefined,
    inFlight: false,
    fates: undefined,
    crashes: false,
  };
  consumer.handleAside();
  assert.ok(await consumer.poll(undefined, sweep));
  const before = consumer.known;
  checkSeen({ consumer, store, part: undefined, before, mayBeAll: true });
  assert.deepEqual(await consumer.poll({ keys: KEYS }, sweep), [], "nothing is left to be told");
}

function isIn({ prefix, keys = [] }: ExternalPart, key: string): boolean {
  return prefix !== undefined && key.startsWith(prefix) || keys.includes(key);
}

interface Seen {
  readonly consumer: Consumer;
  readonly store: Store;
  readonly part: ExternalPart | undefined;
  /** What the consumer knew before the poll. */
  readonly before: Objects;
  readonly mayBeAll: boolean;
}

/** What was polled is as it is; what was not is as it was. */
function checkSeen({ consumer, store, part, before, mayBeAll }: Seen): void {
  for (const key of KEYS) {
    if (consumer.isAside(key)) continue;
    const known = consumer.known.get(key);
    const is = consumer.sees(key) ? store.objects.get(key) : undefined;
    if (part === undefined || isIn(part, key)) assert.equal(known, is, `'${key}' was polled`);
    else if (!mayBeAll || known !== is) {
      assert.equal(known, before.get(key), `'${key}' lies outside`);
    }
  }
}
