// W5, C2: when a watch loads its state, and when it saves it.
import {
  type CheckpointStore,
  type ExternalSource,
  MemoryCheckpointStore,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, settle, withClock } from "../watch/_watch.ts";
import {
  behind,
  fill,
  NumberSource,
  observed,
  ScriptedStore,
  shown,
  timeout,
  watching,
  withStore,
} from "./_checkpoint.ts";

test(
  "the state is loaded once, before the first poll, and not before the first read",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    const source = observed(new ObjectStorePoller(store), checkpoint.calls);
    const watch = watching(t, source, { interval: 1, checkpoint });
    await settle();
    assert.equal(checkpoint.calls.length, 0);
    const reader = watch.getReader();
    await reader.read();
    assert.deepEqual(checkpoint.calls.slice(0, 2), ["load memory://", "poll"]);
    const next = reader.read();
    await fill(store, "b");
    await next;
    assert.equal(checkpoint.calls.filter((call) => call.startsWith("load")).length, 1);
  },
);

test(
  "W5: a state is saved behind handled events, and names those to come again",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a", "b", "c");
    const checkpoint = new ScriptedStore();
    const watch = watching(t, new ObjectStorePoller(store), { interval: 1, checkpoint });
    const reader = watch.getReader();
    for (let handled = 0; handled < 3; handled++) {
      await reader.read();
      // None of them is known to be handled whole: a crash now brings all of them again.
      assert.deepEqual(await behind(checkpoint.state, store), ["added a", "added b", "added c"]);
    }
    const saves = checkpoint.saved.length;
    const next = reader.read(); // The third is handled.
    await watch.synced;
    await settle();
    assert.equal(checkpoint.saved.length, saves + 1);
    assert.deepEqual(await behind(checkpoint.state, store), []);
    await watch[Symbol.asyncDispose]();
    await next;
  },
);

test("C2: what was announced and is gone by the next start is removed", { timeout }, async () => {
  const store = new MemoryStore();
  await fill(store, "a", "b");
  const checkpoint = new ScriptedStore();
  const watch = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  assert.equal(shown((await watch.getReader().read()).value!), "added a");
  await watch[Symbol.asyncDispose](); // As by a crash, with "a" in flight.
  await store.delete("a");
  assert.deepEqual(await behind(checkpoint.state, store), ["removed a", "added b"]);
});

test("a state is saved only when it changed", { timeout }, async (t) => {
  const store = new MemoryStore();
  await fill(store, "a");
  const checkpoint = new ScriptedStore();
  const source = observed(new ObjectStorePoller(store), checkpoint.calls);
  const watch = watching(t, source, { interval: 1, checkpoint });
  const reader = watch.getReader();
  await reader.read();
  const next = reader.read();
  while (checkpoint.calls.filter((call) => call === "poll").length < 6) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  // Announced, and handled.
  assert.equal(checkpoint.saved.length, 2);
  await fill(store, "b");
  await next;
  assert.equal(checkpoint.saved.length, 3);
});

test(
  "an empty first state is saved too, so that what comes next is known to be new",
  { timeout },
  async (t) => {
    const checkpoint = new ScriptedStore();
    const watch = watching(t, new ObjectStorePoller(new MemoryStore()), {
      interval: 1,
      checkpoint,
    });
    watch.getReader().read();
    await watch.synced;
    await settle();
    assert.equal(checkpoint.saved.length, 1);
  },
);

test(
  "close saves the last state before the stream closes, also after a failed save",
  { timeout },
  async () => {
    for (const failing of [false, true]) {
      const store = new MemoryStore();
      await fill(store, "a", "b");
      const checkpoint = new ScriptedStore();
      let failed = () => {};
      const failure = new Promise<void>((resolve) => failed = resolve);
      const watch = watchExternal(new ObjectStorePoller(store), {
        interval: 60_000,
        checkpoint,
        logger: false,
        onError: () => failed(),
      });
      const reader = watch.getReader();
      await reader.read();
      await reader.read();
      if (failing) checkpoint.failSave = new Error("full");
      else watch.close();
      const end = reader.read();
      if (failing) {
        await failure;
        await settle();
        checkpoint.failSave = undefined;
        watch.close();
      }
      assert.equal((await end).done, true);
      assert.deepEqual(await behind(checkpoint.state, store), []);
    }
  },
);

test("close waits for a save under way, and the next watch for one that outlived its watch", {
  timeout,
}, async () => {
  const store = new MemoryStore();
  await fill(store, "a");
  const checkpoint = new ScriptedStore();
  const first = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  const reader = first.getReader();
  await reader.read();
  let goOn = () => {};
  checkpoint.onSave = () => new Promise<void>((resolve) => goOn = resolve);
  const end = reader.read();
  await first.synced;
  await settle();
  first.close();
  await first[Symbol.asyncDispose](); // Does not wait: the save goes on alone.
  assert.equal((await end).done, true);
  const second = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  const next = second.getReader().read();
  await settle();
  assert.equal(checkpoint.calls.filter((call) => call.startsWith("load")).length, 1);
  checkpoint.onSave = () => {};
  goOn();
  await fill(store, "b");
  assert.equal(shown((await next).value!), "added b", "and not 'a' again");
  await second[Symbol.asyncDispose]();
});

test("misuse is a TypeError", () => {
  const checkpoint = new MemoryCheckpointStore();
  const source = () => new ObjectStorePoller(new MemoryStore({ name: "s3://bucket" }));
  const first = watchExternal(source(), { interval: 1, checkpoint });
  assert.throws(() => watchExternal(source(), { interval: 1, checkpoint }), {
    name: "TypeError",
    message: /^Cannot watch 's3:\/\/bucket' as another watch keeps its checkpoint under this name/,
  });
  watchExternal(source(), { interval: 1, checkpoint: new MemoryCheckpointStore() }).close();
  first.close();
  watchExternal(source(), { interval: 1, checkpoint }).close();
  const bare = { name: "mine", poll: () => Promise.resolve([]) };
  for (
    const custom of [bare, { ...bare, save: () => new Uint8Array() }, { ...bare, restore() {} }]
  ) {
    assert.throws(() => watchExternal(custom, { interval: 1, checkpoint }), {
      name: "TypeError",
      message: /^Cannot watch 'mine' with a checkpoint as the source has no 'save' or no 'restore'/,
    });
  }
  for (const bad of [{}, null, { load() {} }, { save() {} }]) {
    assert.throws(
      () => watchExternal(source(), { interval: 1, checkpoint: bad as unknown as CheckpointStore }),
      TypeError,
    );
  }
  for (const bad of ["", undefined, 7, "a\0b"]) {
    assert.throws(() => new FileCheckpointStore(bad as string), TypeError);
  }
});

/** A source without events, whose state the test sets before each poll. */
function silent(states: Uint8Array[]): ExternalSource<string> & { polls: number } {
  const source = {
    name: "silent",
    polls: 0,
    poll: () => Promise.resolve((source.polls++, [])),
    save: () => states[Math.min(source.polls, states.length) - 1]!,
    restore() {},
  };
  return source;
}

/** The states that a watch saves in so many polls. */
async function savedIn(
  polls: number,
  source: ExternalSource<string> & { readonly polls: number },
): Promise<number[][]> {
  const saved: number[][] = [];
  await withClock(async (clock) => {
    const watch = watchExternal(source, {
      interval: 10,
      jitter: 0,
      logger: false,
      checkpoint: {
        load: () => Promise.resolve(undefined),
        save: (_, state) => Promise.resolve(void saved.push([state.length, state[0]!])),
      },
    });
    const read = begin(watch.getReader().read());
    await settle();
    while (source.polls < polls) await clock.tick(10);
    await watch[Symbol.asyncDispose]();
    await read;
  });
  return saved;
}

test("a small state that changed without an event is saved, a large one is not compared", async () => {
  const filled = (length: number, value: number) => new Uint8Array(length).fill(value);
  const states = (length: number) => [1, 1, 2, 2, 3].map((value) => filled(length, value));
  for (const length of [1, 4_096]) {
    assert.deepEqual(await savedIn(5, silent(states(length))), [
      [length, 1],
      [length, 2],
      [length, 3],
    ]);
  }
  assert.deepEqual(await savedIn(5, silent(states(4_097))), [[4_097, 1]]);
  const growing = [filled(4_096, 1), filled(4_097, 2), filled(4_097, 3), filled(1, 4)];
  assert.deepEqual(await savedIn(4, silent(growing)), [[4_096, 1], [4_097, 2]]);
  assert.deepEqual(await savedIn(2, silent([filled(1, 1), filled(2, 1)])), [[1, 1], [2, 1]]);
});

test("a source may give its state in the same memory each time", async () => {
  const memory = new Uint8Array(1);
  const source = silent([]);
  source.save = () => {
    memory[0] = source.polls >> 1;
    return memory;
  };
  assert.deepEqual(await savedIn(7, source), [[1, 0], [1, 1], [1, 2], [1, 3]]);
});

test("while a save is under way, its memory is not asked for again", () =>
  withStore(async ({ clock, source, store, reader }) => {
    let calls = 0;
    const memory = new Uint8Array(1);
    source.save = () => {
      calls++;
      memory[0] = source.value;
      return memory;
    };
    begin(reader.read());
    await settle();
    await source.last.answer();
    await store.saves[0]!.answer();
    await clock.tick(1_000);
    source.value++; // Without an event.
    await source.last.answer();
    assert.deepEqual(store.saves[1]!.state, [1]);
    const before = calls;
    for (let n = 0; n < 3; n++) {
      await clock.tick(60_000);
      source.value++;
      await source.last.answer();
    }
    assert.equal(calls, before);
    await store.saves[1]!.answer();
    assert.equal(calls, before + 1);
    assert.deepEqual(store.saves[2]!.state, [4]);
  }));

test("a state that was restored is not saved again before something changes", () =>
  withStore(async ({ clock, source, store, reader }) => {
    store.state = [5];
    const read = begin(reader.read());
    await settle();
    assert.equal(source.value, 5);
    await source.last.answer();
    await clock.tick(1_000);
    await source.last.answer();
    assert.equal(store.saves.length, 0);
    source.value++;
    await clock.tick(1_000);
    await source.last.answer(added("a"));
    assert.deepEqual(store.saves.map(({ state }) => state), [[6]]);
    await store.saves[0]!.answer();
    await read;
  }));

test("a store may be synchronous", () =>
  withClock(async () => {
    const source = new NumberSource();
    const saved: number[] = [];
    const checkpoint = {
      load: () => Uint8Array.of(3),
      save: (_: string, state: Uint8Array) => void saved.push(state[0]!),
    } as unknown as CheckpointStore;
    const watch = watchExternal(source, { interval: 1, logger: false, checkpoint });
    const read = watch.getReader().read();
    await settle();
    assert.deepEqual(source.restored, [3]);
    source.value++;
    await source.last.answer(added("a"));
    await read;
    assert.deepEqual(saved, [4]);
    await watch[Symbol.asyncDispose]();
  }));
