/** What the suites of `testing.ts` share. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { ExternalError } from "../_errors/external_error.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";

/** One rule: the name of a test, and its check, which gets a fixture of its own. */
export type Rule<F> = readonly [name: string, check: (fixture: F, t: TestContext) => Promise<void>];

/** No call of a store or a source may take longer than this once its signal has aborted, in ms. */
const PROMPT = 1_000;

/** The `timeout` of a test, in ms. */
export const TEST_TIMEOUT = 60_000;

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** A key as messages show it. */
export function show(key: string): string {
  return JSON.stringify(key.length > 60 ? `${key.slice(0, 60)}…` : key);
}

/** Random numbers from 0 to 1, the same in every run. */
export function randomNumbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs `work` for each item, a few at a time. */
export async function forEach<I>(
  items: Iterable<I>,
  work: (item: I) => unknown,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

/** Fails if the promise has not settled soon. */
export async function promptly<R>(promise: Promise<R>, doing: string): Promise<R> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `${doing} did not settle within ${PROMPT} ms`;
    timer = setTimeout(() => reject(new assert.AssertionError({ message })), PROMPT);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a promise rejects with. Fails if it resolves, or does not settle soon. */
export async function rejectionOf(promise: Promise<unknown>, doing: string): Promise<unknown> {
  const resolved = {};
  const thrown = await promptly(promise.then(() => resolved, (error) => error), doing);
  assert.notEqual(thrown, resolved, `${doing} must reject`);
  return thrown;
}

/** Fails unless the promise soon rejects with exactly this reason. */
export async function rejectsWith(
  promise: Promise<unknown>,
  reason: unknown,
  doing: string,
): Promise<void> {
  const thrown = await rejectionOf(promise, doing);
  assert.equal(thrown, reason, `${doing} must reject with the reason of its signal, untouched`);
}

/** Fails unless the promise rejects with an error of code `store`, and of this status if one is given. */
export async function rejectsAsStore(
  promise: Promise<unknown>,
  doing: string,
  status?: number,
): Promise<void> {
  const thrown = await promise.then(() => undefined, (error) => error ?? "nothing");
  assert.notEqual(thrown, undefined, `${doing} must reject`);
  assert.ok(
    thrown instanceof ExternalError,
    `${doing} must reject with an ExternalError: ${thrown}`,
  );
  assert.equal(thrown.code, "store", `${doing} must reject with code 'store': ${thrown.message}`);
  if (status !== undefined) {
    assert.equal(thrown.status, status, `${doing} must reject with this status: ${thrown.message}`);
  }
}

/** Fails unless a name can be used in a log. */
export function checkName(name: unknown): void {
  assert.equal(typeof name, "string", "the name must be a string");
  assert.notEqual(name, "", "the name must not be empty");
  assert.doesNotMatch(String(name), /:\/\/[^/?#]*@/, "the name must not hold user info");
}

/** Polls once and reads all events, which commits them. */
export async function poll<T>(source: ExternalSource<T>): Promise<ExternalEvent<T>[]> {
  return [...await source.poll({ signal: new AbortController().signal })];
}

/** Polls once, handles up to `count` events, and drops the others. Nothing is committed, unless there are fewer. */
export async function pollPart<T>(
  source: ExternalSource<T>,
  count: number,
): Promise<ExternalEvent<T>[]> {
  const events: ExternalEvent<T>[] = [];
  if (count === 0) {
    await source.poll({ signal: new AbortController().signal });
    return events;
  }
  for (const event of await source.poll({ signal: new AbortController().signal })) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

/**
 * Applies events to the known items. Fails if an event cannot be true, except after a poll that was not read to its
 * end: a source may report once more what that poll may have reported.
 */
export function replay<T>(
  known: Map<string, T>,
  events: Iterable<ExternalEvent<T>>,
  keyOf: (item: T) => string,
  afterPart: boolean,
): void {
  for (const { type, item } of events) {
    const key = keyOf(item);
    assert.equal(typeof key, "string", "the key of an item must be a string");
    if (!afterPart) {
      if (type === "added") assert.ok(!known.has(key), `added, but it was there: ${show(key)}`);
      else assert.ok(known.has(key), `${type}, but it was not there: ${show(key)}`);
    }
    if (type === "removed") known.delete(key);
    else known.set(key, item);
  }
}

/** Events as text, such as `added a`, in the order in which they came. */
export function shortOf<T>(
  events: Iterable<ExternalEvent<T>>,
  keyOf: (item: T) => string,
): string[] {
  return Array.from(events, ({ type, item }) => `${type} ${keyOf(item)}`);
}

/** A signal that counts its listeners. */
export class CountedSignal {
  readonly signal: AbortSignal = new AbortController().signal;
  readonly #listeners = new Set<unknown>();

  constructor() {
    const { signal } = this;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      this.#listeners.add(args[1]);
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      this.#listeners.delete(args[1]);
      removeEventListener.apply(signal, args);
    };
  }

  /** Fails unless all listeners are gone soon. */
  async isLeft(behind: string): Promise<void> {
    const end = performance.now() + PROMPT;
    while (this.#listeners.size > 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal(this.#listeners.size, 0, `${behind} must leave no listener on its signal`);
  }
}
