// W5, C2: when a watch loads its state, and when it saves it.
import {
  type CheckpointStore,
  MemoryCheckpointStore,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../watch/_watch.ts";
import { behind, fill, observed, ScriptedStore, shown, timeout, watching } from "./_checkpoint.ts";

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
