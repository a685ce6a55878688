/** What the tests of the watch share: a source that does as it is told, and a clock moved by hand. */
import {
  type ExternalError,
  type ExternalEvent,
  type ExternalSource,
  type ExternalWatch,
  type FailureInfo,
  type PollOptions,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import assert from "node:assert/strict";
import { mock } from "node:test";
import { setImmediate } from "node:timers";

export type Event = ExternalEvent<string>;

export function added(item: string): Event {
  return { type: "added", item };
}

/** Lets everything that is ready happen: microtasks, and the I/O of one turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** One call of `poll`, to be answered by the test. */
export interface Poll {
  readonly signal: AbortSignal;
  readonly onRequest: (() => void) | undefined;
  answer(...events: Event[]): Promise<void>;
  answerWith(events: unknown): Promise<void>;
  fail(error?: unknown): Promise<void>;
}

/** A source that answers when the test says so. It ignores its signal, as a bad source may. */
export class ManualSource implements ExternalSource<string> {
  readonly name: string = "manual";
  readonly polls: Poll[] = [];
  running = 0;
  mostAtOnce = 0;
  /** Calls whose signal was aborted before they began. */
  callsTooLate = 0;
  /** How often the events of a poll were read to their end. */
  commits = 0;

  get last(): Poll {
    const poll = this.polls.at(-1);
    if (poll === undefined) throw new Error("There was no poll yet");
    return poll;
  }

  poll({ signal, onRequest }: PollOptions): Promise<Iterable<Event>> {
    if (signal.aborted) this.callsTooLate++;
    this.running++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    return new Promise((resolve, reject) => {
      const answerWith = (events: unknown) => {
        this.running--;
        resolve(events as Iterable<Event>);
        return settle();
      };
      this.polls.push({
        signal,
        onRequest,
        answerWith,
        answer: (...events) => answerWith(this.#committing(events)),
        fail: (error = new Error("down")) => {
          this.running--;
          reject(error);
          return settle();
        },
      });
    });
  }

  *#committing(events: Event[]): Generator<Event> {
    yield* events;
    this.commits++;
  }
}

/** A clock that stands still until it is told to move, and counts the timers set and not yet fired. */
export interface Clock {
  readonly timers: number;
  readonly delays: readonly number[];
  /** Moves on, and lets what was due happen. */
  tick(ms: number): Promise<void>;
}

/** The time at which every hand-moved clock begins. */
export const START = 10_000_000;

export async function withClock(body: (clock: Clock) => Promise<void>): Promise<void> {
  // A test that hung may have left them on: its failure must not become everyone's.
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: START });
  const { setTimeout: mockedSet, clearTimeout: mockedClear } = globalThis;
  const live = new Set<unknown>();
  const delays: number[] = [];
  const scope = globalThis as unknown as Record<string, unknown>;
  scope.setTimeout = (callback: () => void, delay: number) => {
    delays.push(delay);
    const id = mockedSet(() => {
      live.delete(id);
      callback();
    }, delay);
    live.add(id);
    return id;
  };
  scope.clearTimeout = (id: ReturnType<typeof setTimeout>) => {
    live.delete(id);
    mockedClear(id);
  };
  try {
    await body({
      delays,
      get timers() {
        return live.size;
      },
      async tick(ms) {
        await settle();
        mock.timers.tick(ms);
        await settle();
      },
    });
  } finally {
    scope.setTimeout = mockedSet;
    scope.clearTimeout = mockedClear;
    mock.timers.reset();
  }
}

export interface Setup {
  readonly clock: Clock;
  readonly source: ManualSource;
  readonly watch: ExternalWatch<string>;
  readonly reader: ReadableStreamDefaultReader<Event>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
}

/** A watch of a manual source every 100 ms, without jitter or a log unless asked for, on a clock moved by hand. */
export function withWatch(
  options: Partial<WatchOptions>,
  body: (setup: Setup) => Promise<void>,
): Promise<void> {
  return withClock(async (clock) => {
    const source = new ManualSource();
    const failures: Setup["failures"] = [];
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      logger: false,
      onError: (error, info) => failures.push({ error, info }),
      ...options,
    });
    const reader = watch.getReader();
    await body({ clock, source, watch, reader, failures });
    // A stream that has failed rejects this with its error.
    await reader.cancel().catch(() => {});
    await settle();
    assert.equal(clock.timers, 0, "timers left");
  });
}

/** A read that is to be waited for later, and may well fail. */
export function begin<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

/** Whether a promise has not settled when all that is ready has happened. */
export async function pending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => settled = true;
  promise.then(note, note);
  await settle();
  return !settled;
}

export function isAbortError(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

export const isDeno = "Deno" in globalThis;
export const isBun = "Bun" in globalThis;
