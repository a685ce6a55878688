/** What the tests of checkpoints share: stores and sources that do as they are told, and what a state says. */
import {
  type CheckpointStore,
  type ExternalError,
  type ExternalEvent,
  type ExternalSource,
  type ExternalWatch,
  type FailureInfo,
  ObjectStorePoller,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import type { ObjectMeta } from "@koprs/external/store";
import type { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import {
  added,
  begin,
  type Clock,
  type Event,
  ManualSource,
  settle,
  withClock,
} from "../watch/_watch.ts";

/** How long a test may take. */
export const timeout = 20_000;

/** Keeps one state, tells of every call, and fails when it is told to. */
export class ScriptedStore implements CheckpointStore {
  readonly calls: string[] = [];
  readonly saved: Uint8Array[] = [];
  state: Uint8Array | undefined;
  failLoad: unknown;
  failSave: unknown;
  onSave: (state: Uint8Array) => unknown = () => {};

  load(key: string): Promise<Uint8Array | undefined> {
    this.calls.push(`load ${key}`);
    return this.failLoad === undefined
      ? Promise.resolve(this.state)
      : Promise.reject(this.failLoad);
  }

  async save(key: string, state: Uint8Array): Promise<void> {
    this.calls.push(`save ${key}`);
    if (this.failSave !== undefined) throw this.failSave;
    await this.onSave(state);
    this.saved.push(state.slice());
    this.state = state.slice();
  }
}

/** Says in `calls` when it is polled. */
export function observed<T>(source: ExternalSource<T>, calls: string[]): ExternalSource<T> {
  return {
    name: source.name,
    poll(options) {
      calls.push("poll");
      return source.poll(options);
    },
    save: () => source.save!(),
    restore: (state) => source.restore!(state),
  };
}

/** What a watch that goes on from this state reports first. */
export async function behind(state: Uint8Array | undefined, store: MemoryStore): Promise<string[]> {
  const poller = new ObjectStorePoller(store);
  if (state !== undefined) poller.restore(state);
  return [...await poller.poll({ signal: new AbortController().signal })].map(shown);
}

/** An event in two words. */
export function shown({ type, item }: ExternalEvent<ObjectMeta>): string {
  return `${type} ${item.key}`;
}

/** A watch that ends with its test. */
export function watching<T>(
  t: { after(callback: () => unknown): void },
  source: ExternalSource<T>,
  options: WatchOptions,
): ExternalWatch<T> {
  const watch = watchExternal(source, { logger: false, ...options });
  t.after(() => watch[Symbol.asyncDispose]());
  return watch;
}

/** Puts an object under each key. */
export async function fill(store: MemoryStore, ...keys: string[]): Promise<void> {
  for (const key of keys) await store.put(key, key);
}

/** A source whose state is one number, and whose polls the test answers. */
export class NumberSource extends ManualSource {
  value = 0;
  /** Every state that was taken back. */
  readonly restored: number[] = [];

  save(): Uint8Array {
    return Uint8Array.of(this.value);
  }

  restore(state: Uint8Array): void {
    this.restored.push(this.value = state[0]!);
  }
}

/** A call of a store, to be answered by the test. */
interface Call<T> {
  readonly state: readonly number[];
  answer(value: T): Promise<void>;
  fail(error: unknown): Promise<void>;
}

/** A store that answers when the test says so. */
export class ManualStore implements CheckpointStore {
  readonly loads: Call<Uint8Array | undefined>[] = [];
  readonly saves: Call<void>[] = [];
  /** Saves that were called and have not settled. */
  saving = 0;
  mostSaving = 0;
  /** Whether loads wait for the test, too. */
  holdLoads = false;
  /** The state whose save was answered last. */
  state: readonly number[] | undefined;

  load(): Promise<Uint8Array | undefined> {
    if (!this.holdLoads) {
      return Promise.resolve(this.state === undefined ? undefined : Uint8Array.from(this.state));
    }
    return new Promise((resolve, reject) => this.loads.push(call([], resolve, reject)));
  }

  save(_: string, state: Uint8Array): Promise<void> {
    this.mostSaving = Math.max(this.mostSaving, ++this.saving);
    const bytes = [...state.slice(0, 10)];
    return new Promise<void>((resolve, reject) => {
      this.saves.push(call(bytes, () => {
        this.state = bytes;
        resolve();
      }, reject));
    }).finally(() => this.saving--);
  }
}

function call<T>(
  state: readonly number[],
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): Call<T> {
  return {
    state,
    answer(value) {
      resolve(value);
      return settle();
    },
    fail(error) {
      reject(error);
      return settle();
    },
  };
}

export interface Setup {
  readonly clock: Clock;
  readonly source: NumberSource;
  readonly store: ManualStore;
  readonly watch: ExternalWatch<string>;
  readonly reader: ReadableStreamDefaultReader<Event>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
}

/** A watch of a number every second, with a store that answers when the test says so, on a clock moved by hand. */
export function withStore(
  body: (setup: Setup) => Promise<void>,
  options: Partial<WatchOptions> & { holdLoads?: boolean } = {},
): Promise<void> {
  return withClock(async (clock) => {
    const store = new ManualStore();
    store.holdLoads = options.holdLoads ?? false;
    const source = new NumberSource();
    const failures: Setup["failures"] = [];
    const watch = watchExternal(source, {
      interval: 1_000,
      jitter: 0,
      logger: false,
      checkpoint: store,
      onError: (error, info) => failures.push({ error, info }),
      ...options,
    });
    await body({ clock, source, store, watch, reader: watch.getReader(), failures });
    await watch[Symbol.asyncDispose]();
    await settle();
    assert.equal(clock.timers, 0, "timers left");
    assert.ok(store.mostSaving <= 1, "two saves at once");
  });
}

/** Has two events announced, handed over and handled. What follows is the save behind them. */
export async function handleOne(
  { source, store, reader }: Setup,
): Promise<{ next: Promise<unknown> }> {
  const first = reader.read();
  await settle();
  await source.last.answer(added("a"), added("b"));
  await store.saves.at(-1)!.answer();
  await first;
  await reader.read();
  source.value++;
  const next = begin(reader.read());
  await settle();
  return { next };
}
