/** Checkpoint stores that break one rule each, and the tests that must tell. */
import { MemoryCheckpointStore } from "@koprs/external/checkpoint";
import type { CheckpointStore } from "@koprs/external/checkpoint";
import { ExternalError } from "@koprs/external/error";
import type { CheckpointFixture } from "@koprs/external/testing";
import type { Broken } from "./_faulty_store.ts";

type All = Required<Omit<CheckpointStore, "locate">>;

/** Each store object does as one of a MemoryCheckpointStore, but for what is changed. */
function broken(
  name: string,
  fails: readonly string[],
  change: (store: All, shared: Map<string, number>) => Partial<All>,
): Broken<CheckpointFixture> {
  return {
    name,
    fails,
    setUp: () => {
      const inner = new MemoryCheckpointStore();
      const shared = new Map<string, number>();
      const other = () => {
        const store = inner.instance();
        const good: All = {
          load: (key) => store.load(key),
          save: (key, state) => store.save(key, state),
          claim: (key) => store.claim(key),
          delete: (key) => store.delete(key),
          list: () => store.list(),
        };
        return { ...good, ...change(good, shared) };
      };
      return Promise.resolve({ store: other(), other });
    },
  };
}

/** A moment in which others get on. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function isLost(error: unknown): boolean {
  return error instanceof ExternalError && error.code === "checkpoint";
}

const NEVER = "what was never saved is undefined";
const BYTES = "a state is loaded as it was saved";
const KEYS = "keys are exact";
const DELETE = "delete forgets one state, and no other";
const LIST = "list names the keys that have a state";
const CLAIM = "a claim gives the state, and stops whoever had the key";
const CLAIM_NOTHING = "a claim of what has no state stops whoever looked before";
const REPEATED = "a claim may be repeated, and a key goes back and forth";
const CROSSED = "of claims that cross one holds";
const CROSSED_SAVE = "a save that crosses a claim is in its state, or refused";
const DELETE_STOPS = "delete stops whoever had the key before";
const DELETE_LOST = "whoever has lost a key cannot delete it";
const HISTORY = "only the last one that claimed changes anything, over a random history";

export const brokenCheckpoints: readonly Broken<CheckpointFixture>[] = [
  broken("nothing", [], () => ({})),
  broken("has an empty state for everything", [
    NEVER,
    DELETE,
    CLAIM_NOTHING,
    DELETE_STOPS,
    HISTORY,
  ], ({ load }) => ({ load: async (key) => await load(key) ?? new Uint8Array() })),
  broken("cuts a state at 65,536 bytes", [BYTES], ({ save }) => ({
    save: (key, state) => save(key, state.subarray(0, 65_536)),
  })),
  broken("takes upper case for lower case", [KEYS, LIST], ({ save, load }) => ({
    save: (key, state) => save(key.toLowerCase(), state),
    load: (key) => load(key.toLowerCase()),
  })),
  broken("deletes nothing", [DELETE, LIST, DELETE_STOPS, DELETE_LOST, HISTORY], () => ({
    delete: () => Promise.resolve(),
  })),
  broken("lists what was only claimed", [LIST], ({ claim, list }, shared) => ({
    claim: (key) => {
      shared.set(key, 1);
      return claim(key);
    },
    async *list() {
      yield* new Set([...await Array.fromAsync(list()), ...shared.keys()]);
    },
  })),
  broken("claims as if it loaded", [
    CLAIM,
    CLAIM_NOTHING,
    DELETE_LOST,
    HISTORY,
  ], ({ load }) => ({ claim: (key) => load(key) })),
  broken("claims nothing where there is no state", [CLAIM_NOTHING, HISTORY], ({ load, claim }) => ({
    claim: async (key) => await load(key) === undefined ? undefined : await claim(key),
  })),
  broken(
    "gives no state to who claims again",
    [REPEATED, CROSSED, CROSSED_SAVE, HISTORY],
    ({ claim }) => {
      const had = new Set<string>();
      return {
        claim: async (key) => {
          const state = await claim(key);
          if (had.has(key)) return undefined;
          had.add(key);
          return state;
        },
      };
    },
  ),
  broken("claims what it read a moment before", [CROSSED_SAVE], ({ load, claim, save }) => ({
    save: async (key, state) => {
      await moment();
      await save(key, state);
    },
    claim: async (key) => {
      const state = await load(key);
      for (let i = 0; i < 3; i++) await moment();
      await claim(key);
      return state;
    },
  })),
  broken(
    "lets all who claim at once save",
    [REPEATED, CROSSED, HISTORY],
    ({ claim, save }, shared) => ({
      claim: async (key) => {
        shared.set(key, (shared.get(key) ?? 0) + 1);
        const state = await claim(key);
        await moment();
        return state;
      },
      save: async (key, state) => {
        const crossed = (shared.get(key) ?? 0) % 3 === 0;
        await save(key, state).catch(async (error) => {
          if (!crossed || !isLost(error)) throw error;
          await claim(key);
          await save(key, state);
        });
      },
    }),
  ),
  broken("deletes also what it has lost", [DELETE_LOST, HISTORY], ({ delete: own, claim }) => ({
    delete: async (key) => {
      await claim(key);
      await own(key);
    },
  })),
];
