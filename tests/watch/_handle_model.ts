/** A world of objects, handlers that end when they are told to, and crashes: what the model test of `handle` drives. */
import {
  type ExternalEvent,
  type ExternalWatch,
  ObjectStorePoller,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import type { ObjectMeta, ObjectStore } from "@koprs/external/store";
import assert from "node:assert/strict";
import { type Clock, settle } from "./_watch.ts";

type Event = ExternalEvent<ObjectMeta>;

/** One handler under way. */
interface Running {
  readonly key: string;
  /** What the world is told to be: undefined for an object that is gone. */
  readonly version: string | undefined;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const versionOf = ({ type, item }: Event) => type === "removed" ? undefined : item.etag;

export class HandledWorld {
  /** The objects: each key with its ETag. */
  readonly objects = new Map<string, string>();
  /** What the consumer knows, by the handlers that have done their work. */
  readonly known = new Map<string, string>();
  /** Handlers under way in this life. */
  readonly running: Running[] = [];
  /** What was reported although nobody may do so by E2. */
  readonly unjustified: string[] = [];
  most = 0;
  events = 0;
  repeated = 0;
  #versions = 0;
  /** Keys that may be reported again as they are: handled since the last save, or never settled, or changed and back. */
  readonly #unsaved = new Set<string>();
  /** Those that failed, or were under way or not saved when the process died, and were not handled since. */
  readonly #inDoubt = new Set<string>();
  readonly #touched = new Set<string>();
  #resyncs = 0;
  #checkpoint = new MemoryCheckpointStore();
  #watch: ExternalWatch<ObjectMeta>;
  #done: Promise<void>;
  readonly #clock: Clock;
  readonly #concurrency: number;

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
    [this.#watch, this.#done] = this.#start();
  }

  get settled(): boolean {
    return this.running.length === 0 && this.#watch.status.aside === undefined;
  }

  put(key: string): void {
    this.objects.set(key, `"${++this.#versions}"`);
    this.#touched.add(key);
  }

  remove(key: string): void {
    this.objects.delete(key);
    this.#touched.add(key);
  }

  /** One of the handlers ends. */
  async end(nth: number, fails: boolean): Promise<void> {
    const [running] = this.running.splice(nth % Math.max(this.running.length, 1), 1);
    if (running === undefined) return;
    const { key } = running;
    if (fails) {
      this.#inDoubt.add(key);
      running.reject(new Error("poison"));
    } else {
      this.#did(running);
      this.#unsaved.add(key);
      this.#inDoubt.delete(key);
      running.resolve();
    }
    await settle();
  }

  resync(): void {
    this.#resyncs++;
    this.#watch.resync();
  }

  tick(ms: number): Promise<void> {
    return this.#clock.tick(ms);
  }

  /** The process dies: some handlers have done their work, and nobody was told. Then it starts anew. */
  async crash(did: number): Promise<void> {
    for (const [i, running] of this.running.entries()) {
      if ((did >> i & 1) === 1) this.#did(running);
      this.#inDoubt.add(running.key);
    }
    for (const key of this.#unsaved) this.#inDoubt.add(key);
    this.running.length = 0;
    // What the dead process would still have saved must not count.
    const store = new MemoryCheckpointStore();
    const state = await this.#checkpoint.load("store");
    if (state !== undefined) await store.save("store", state.slice());
    this.#checkpoint = store;
    await this.#watch[Symbol.asyncDispose]();
    await this.#done;
    this.#unsaved.clear();
    [this.#watch, this.#done] = this.#start();
  }

  /** The process ends in peace: those under way end first, and all that was handled is saved. */
  async restart(): Promise<void> {
    this.#watch.close();
    while (this.running.length > 0) await this.end(0, false);
    await this.#done;
    this.#unsaved.clear();
    [this.#watch, this.#done] = this.#start();
  }

  /** Ends all that is under way, again and again, until nothing comes any more. */
  async quiesce(): Promise<void> {
    for (let quiet = 0; quiet < 3;) {
      const before = this.events;
      while (this.running.length > 0) await this.end(0, false);
      await this.tick(2_000);
      quiet = this.events === before && this.settled ? quiet + 1 : 0;
    }
    await this.restart();
    await this.#watch[Symbol.asyncDispose]();
    await this.#done;
  }

  #did({ key, version }: Running): void {
    this.#touched.delete(key);
    if (version === undefined) this.known.delete(key);
    else this.known.set(key, version);
  }

  #handle(event: Event): Promise<void> {
    const { key } = event.item;
    const version = versionOf(event);
    this.events++;
    assert.ok(!this.running.some((running) => running.key === key), `two handlers for ${key}`);
    if (this.known.get(key) === version && event.type !== "removed" && this.#resyncs === 0) {
      this.repeated++;
      if (!this.#inDoubt.has(key) && !this.#touched.has(key)) {
        this.unjustified.push(`${event.type} ${key}`);
      }
    }
    return new Promise((resolve, reject) => {
      this.running.push({ key, version, resolve, reject });
      this.most = Math.max(this.most, this.running.length);
    });
  }

  #start(): [ExternalWatch<ObjectMeta>, Promise<void>] {
    const poller = new ObjectStorePoller(this.#store());
    const handledAtSave: string[][] = [];
    // To know what a save has in it: what was handled when the state was taken.
    const save = poller.save.bind(poller);
    poller.save = () => {
      handledAtSave.push([...this.#unsaved]);
      return save();
    };
    const checkpoint = this.#checkpoint;
    const options: WatchOptions = {
      interval: 100,
      minBackoff: 150,
      maxBackoff: 1_000,
      jitter: 0,
      logger: false,
      checkpoint: {
        load: (key) => checkpoint.load(key),
        save: async (key, state) => {
          const handled = handledAtSave.at(-1) ?? [];
          await checkpoint.save(key, state.slice());
          if (checkpoint !== this.#checkpoint) return;
          for (const saved of handled) this.#unsaved.delete(saved);
        },
      },
    };
    const watch = watchExternal(poller, options);
    const done = watch.handle((event) => this.#handle(event), {
      concurrency: this.#concurrency,
    });
    return [watch, done];
  }

  #store(): ObjectStore {
    return {
      name: "store",
      list: () => this.#list(),
      get: () => Promise.reject(new Error("nobody asks")),
    };
  }

  async *#list(): AsyncGenerator<ObjectMeta[]> {
    await Promise.resolve();
    yield [...this.objects].map(([key, etag]) => ({ key, size: 1, etag }));
  }
}
