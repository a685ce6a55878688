/**
 * Drives groups with random adds, removals, changes of hands, failures and slow readers: whatever order they come in, the events
 * of each source, applied in order, give what its list holds in the end; and nothing is left behind.
 */
import {
  CollectionPoller,
  ExternalError,
  type GroupEvent,
  MemoryCheckpointStore,
  WatchGroup,
} from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import fc from "fast-check";
import { settle, withClock } from "../watch/_watch.ts";
import { Shares } from "./_owner.ts";

const NAMES = ["a", "b", "c", "d"];
const MEMBERS = ["one", "two"] as const;
const RUNS = Number(process.env.FC_RUNS ?? 60);

interface Item {
  readonly key: string;
  readonly version: number;
}

/** What the sources list, and whether they answer. */
class World {
  readonly lists = new Map(NAMES.map((name) => [name, new Map<string, number>()]));
  readonly failing = new Set<string>();
  version = 0;

  poller(name: string): CollectionPoller<Item> {
    const list = () => {
      if (this.failing.has(name)) throw new ExternalError("status", "down");
      return [...this.lists.get(name) ?? []].map(([key, version]) => ({ key, version }));
    };
    return new CollectionPoller<Item>({
      name,
      async *list() {
        yield list();
      },
      key: ({ key }) => key,
    });
  }
}

type Action =
  | { readonly kind: "change"; readonly name: string; readonly key: string; readonly gone: boolean }
  | { readonly kind: "fail" | "heal" | "add" | "drop"; readonly name: string }
  | { readonly kind: "give"; readonly name: string; readonly to: number }
  | { readonly kind: "read"; readonly member: number; readonly count: number }
  | { readonly kind: "tick"; readonly ms: number };

const name = fc.constantFrom(...NAMES);
const actions = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("change" as const),
        name,
        key: fc.constantFrom("x", "y", "z"),
        gone: fc.boolean(),
      }),
    },
    fc.record({ kind: fc.constantFrom("fail" as const, "heal" as const), name }),
    fc.record({ kind: fc.constantFrom("add" as const, "drop" as const), name }),
    fc.record({ kind: fc.constant("give" as const), name, to: fc.nat(1) }),
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("read" as const),
        member: fc.nat(1),
        count: fc.integer({ min: 1, max: 5 }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("tick" as const), ms: fc.nat(300) }) },
  ),
  { maxLength: 60 },
);

/** One process: a group, and a reader that takes its time. */
class Member {
  readonly group: WatchGroup<Item>;
  readonly #reader: ReadableStreamDefaultReader<GroupEvent<Item>>;
  readonly #onEvent: (event: GroupEvent<Item>) => void;
  #read: Promise<void> | undefined;
  #left = 0;

  constructor(
    name: string,
    shares: Shares,
    store: MemoryCheckpointStore,
    onEvent: Member["onEvent"],
  ) {
    this.group = new WatchGroup<Item>({
      interval: 100,
      maxBackoff: 200,
      polls: 2,
      logger: false,
      checkpoint: store.instance(),
      owner: shares.ownerFor(name),
    });
    this.#reader = this.group.getReader();
    this.#onEvent = onEvent;
  }

  get onEvent(): (event: GroupEvent<Item>) => void {
    return this.#onEvent;
  }

  /** Reads so many more events, as they come. */
  read(count: number): void {
    this.#left += count;
    this.#read ??= this.#go();
  }

  async #go(): Promise<void> {
    while (this.#left > 0) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.#left--;
      this.#onEvent(value);
    }
    this.#read = undefined;
  }

  async end(): Promise<void> {
    await this.#reader.cancel();
    await this.#read;
    assert.ok([...this.group.statuses()].every(([, { phase }]) => phase !== "polling"));
  }
}

test("G1–G5: in any order of things, replay equals reality, for each source and over two processes", async () => {
  await fc.assert(
    fc.asyncProperty(actions, (steps: Action[]) =>
      withClock(async (clock) => {
        const world = new World();
        const shares = new Shares();
        const store = new MemoryCheckpointStore();
        const replay = new Map(NAMES.map((name) => [name, new Map<string, number>()]));
        const members = MEMBERS.map((name) =>
          new Member(name, shares, store, ({ source, type, item }) => {
            const items = replay.get(source) as Map<string, number>;
            if (type === "removed") return void items.delete(item.key);
            assert.ok(item.version >= (items.get(item.key) ?? 0), "none back in time");
            items.set(item.key, item.version);
          })
        );
        const there = new Set<string>();
        for (const name of NAMES) await shares.give(name, "one");
        const run = async (step: Action) => {
          switch (step.kind) {
            case "change": {
              const list = world.lists.get(step.name) as Map<string, number>;
              if (step.gone) list.delete(step.key);
              else list.set(step.key, ++world.version);
              return;
            }
            case "fail":
              return void world.failing.add(step.name);
            case "heal":
              return void world.failing.delete(step.name);
            case "add":
              if (there.has(step.name)) return;
              there.add(step.name);
              return members.forEach(({ group }) => group.add(world.poller(step.name)));
            case "drop":
              if (!there.delete(step.name)) return;
              return void await Promise.all(members.map(({ group }) => group.remove(step.name)));
            case "give":
              return await shares.give(step.name, MEMBERS[step.to] ?? "one");
            case "read":
              return members[step.member]?.read(step.count);
            case "tick":
              return await clock.tick(step.ms);
          }
        };
        for (const step of steps) await run(step);
        // All is well again, and everybody reads.
        world.failing.clear();
        for (const name of NAMES) await run({ kind: "add", name });
        for (const member of members) member.read(1_000);
        for (let ms = 0; ms < 2_000; ms += 50) await clock.tick(50);
        for (const name of NAMES) {
          const sorted = (items: ReadonlyMap<string, number> | undefined) =>
            [...items ?? []].toSorted();
          assert.deepEqual(sorted(replay.get(name)), sorted(world.lists.get(name)), name);
        }
        for (const member of members) await member.end();
        await settle();
        assert.equal(clock.timers, 0, "timers left");
      })),
    { numRuns: RUNS },
  );
});
