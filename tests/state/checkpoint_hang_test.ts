// B1: loads and saves are bounded in time and in size, and no save overtakes another.
import { type CheckpointStore, type ExternalError, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, type Event, pending, settle, withClock } from "../watch/_watch.ts";
import { handleOne, ManualStore, NumberSource, type Setup, withStore } from "./_checkpoint.ts";

const MINUTE = 60_000;
const UNSAVED = "Cannot save the checkpoint of 'manual': its store did not answer within 60000 ms";
const UNLOADED = "Cannot load the checkpoint of 'manual': its store did not answer within 60000 ms";

test("a save that hangs behind handled events is reported, shown, and made good when it has settled", () =>
  withStore(async (setup) => {
    const { clock, source, store, watch, failures } = setup;
    const { next } = await handleOne(setup);
    assert.equal(store.saves.length, 2);
    await clock.tick(MINUTE - 1);
    assert.equal(failures.length, 0);
    await clock.tick(1);
    assert.equal(failures.length, 1);
    const [{ error, info }] = failures as [Setup["failures"][number]];
    assert.equal(error.code, "checkpoint");
    assert.equal(error.source, "manual");
    assert.equal(error.message, UNSAVED);
    assert.deepEqual(info, { attempt: 1, wait: 0 });
    assert.equal(watch.status.lastError, error);
    assert.equal(watch.status.failedSaves, 1);
    assert.equal(watch.status.failures, 0, "the polls are good");

    // Polls go on. What they bring is not saved before the save that hangs has settled.
    assert.equal(source.polls.length, 2);
    source.value++;
    await source.last.answer();
    await clock.tick(MINUTE);
    assert.equal(failures.length, 2);
    assert.deepEqual(failures[1]!.info, { attempt: 2, wait: 0 });
    assert.equal(store.saves.length, 2);

    await store.saves[1]!.answer();
    await source.last.answer();
    await settle();
    assert.equal(store.saves.length, 3, "and now it is");
    assert.deepEqual(store.saves[2]!.state, [2], "the newest state");
    await store.saves[2]!.answer();
    assert.deepEqual(store.state, [2]);
    assert.equal("failedSaves" in watch.status, false);
    assert.equal(watch.status.phase, "waiting");
    assert.equal(await pending(next), true);
    assert.equal(failures.length, 2);
  }));

test("a save that comes late, however late, does not overwrite a newer one", () =>
  withStore(async (setup) => {
    const { clock, source, store } = setup;
    await handleOne(setup);
    const late = store.saves[1]!;
    for (let n = 0; n < 20; n++) {
      await clock.tick(MINUTE);
      source.value++;
      await source.last.answer();
      await clock.tick(1_000);
    }
    assert.equal(store.saves.length, 2, "the late one is waited for");
    await late.answer();
    for (let n = 0; store.saves.length < 3 && n < 5; n++) await source.last.answer();
    await store.saves[2]!.answer();
    assert.deepEqual(store.state, [source.value]);
  }));

test("a late save that fails is made good as well", () =>
  withStore(async (setup) => {
    const { clock, source, store, failures } = setup;
    await handleOne(setup);
    await clock.tick(MINUTE);
    await store.saves[1]!.fail(new Error("connection reset"));
    await source.last.answer();
    assert.equal(store.saves.length, 3);
    await store.saves[2]!.answer();
    assert.deepEqual(store.state, [1]);
    assert.deepEqual(failures.map(({ error }) => error.message), [UNSAVED]);
  }));

test("a save that hangs before the first event is a failed poll, and the event waits for it", () =>
  withStore(async ({ clock, source, store, watch, reader, failures }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.answer(added("a"));
    await clock.tick(MINUTE);
    assert.deepEqual(failures.map(({ error, info }) => [error.message, info]), [
      [UNSAVED, { attempt: 1, wait: 2_000 }],
    ]);
    assert.equal(watch.status.events, 0);
    assert.equal(watch.status.failures, 1);
    await clock.tick(2_000);
    await source.last.answer(added("a"));
    assert.equal(store.saves.length, 1);
    await store.saves[0]!.answer();
    assert.equal(await pending(read), true, "nobody waited for that one any more");
    await store.saves[1]!.answer();
    assert.deepEqual(await read, { done: false, value: added("a") });
  }));

test("a load that hangs is reported, and tried again with more patience", () =>
  withStore(async ({ clock, source, store, reader, failures, watch }) => {
    const read = begin(reader.read());
    await clock.tick(MINUTE);
    const [{ error, info }] = failures as [Setup["failures"][number]];
    assert.equal(error.code, "checkpoint");
    assert.equal(error.source, "manual");
    assert.equal(error.message, UNLOADED);
    assert.deepEqual(info, { attempt: 1, wait: 2_000 });
    assert.equal(watch.status.lastError, error);
    await clock.tick(2_000);
    assert.equal(store.loads.length, 2);
    await clock.tick(2 * MINUTE - 1);
    assert.equal(failures.length, 1);
    await clock.tick(1);
    assert.match(failures[1]!.error.message, /did not answer within 120000 ms$/);
    await clock.tick(4_000);
    assert.equal(store.loads.length, 3);
    await store.loads[0]!.answer(Uint8Array.of(7));
    assert.equal(source.polls.length, 0, "the late answer is not waited for any more");
    await store.loads[2]!.answer(Uint8Array.of(9));
    assert.deepEqual(source.restored, [9]);
    await source.last.answer(added("a"));
    assert.deepEqual(await read, { done: false, value: added("a") });
    await store.loads[1]!.fail(new Error("reset"));
    assert.equal(watch.status.phase, "delivering");
  }, { holdLoads: true }));

test("the patience with a load has an end, and begins anew with the next watch", () =>
  withStore(async ({ clock, source, store, watch, reader, failures }) => {
    const read = begin(reader.read());
    for (const minutes of [1, 2, 4, 8, 16, 32, 32, 32]) {
      const before = failures.length;
      await clock.tick(minutes * MINUTE - 1);
      assert.equal(failures.length, before);
      await clock.tick(1);
      assert.equal(failures.length, before + 1);
      await clock.tick(failures.at(-1)!.info.wait);
    }
    await watch[Symbol.asyncDispose]();
    await read;
    const messages: string[] = [];
    const again = watchExternal(source, {
      interval: 1_000,
      logger: false,
      checkpoint: store,
      onError: (error) => messages.push(error.message),
    });
    begin(again.getReader().read());
    await clock.tick(MINUTE);
    assert.deepEqual(messages, [UNLOADED]);
    await again[Symbol.asyncDispose]();
  }, { holdLoads: true }));

test("the watch's own timeout bounds a load, too", () =>
  withStore(async ({ clock, reader, failures }) => {
    begin(reader.read());
    await clock.tick(500);
    assert.deepEqual(failures.map(({ error }) => error.code), ["timeout"]);
  }, { holdLoads: true, timeout: 500 }));

for (const when of ["load", "save"] as const) {
  const ends: Record<string, (setup: Setup, controller: AbortController) => unknown> = {
    cancel: ({ reader }) => reader.cancel(),
    abort: (_, controller) => controller.abort(),
    dispose: ({ watch }) => watch[Symbol.asyncDispose](),
  };
  for (const [way, end] of Object.entries(ends)) {
    test(`W6: ${way} during a ${when} that hangs ends the watch at once`, () => {
      const controller = new AbortController();
      const { signal } = controller;
      return withStore(async (setup) => {
        const { clock, reader, failures, store } = setup;
        const { next } = when === "save" ? await handleOne(setup) : { next: begin(reader.read()) };
        await settle();
        assert.equal(clock.timers, 1);
        await end(setup, controller);
        assert.equal(await pending(next), false);
        assert.equal(clock.timers, 0);
        const calls = store.saves.length;
        await clock.tick(10 * MINUTE);
        if (when === "save") await store.saves.at(-1)!.fail(new Error("late"));
        else await store.loads[0]!.answer(undefined);
        assert.equal(store.saves.length, calls, "nothing is saved after the end");
        assert.equal(failures.length, 0);
      }, { holdLoads: when === "load", signal });
    });
  }
}

test("close waits for a save that hangs, but not for ever", () =>
  withStore(async (setup) => {
    const { clock, watch, failures } = setup;
    const { next } = await handleOne(setup);
    watch.close();
    assert.equal(await pending(next), true);
    await clock.tick(MINUTE);
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.deepEqual(failures.map(({ error }) => error.message), [UNSAVED]);
  }));

test("the next watch waits for a save that outlived its watch, and says so when that hangs", () =>
  withStore(async (setup) => {
    const { clock, store, watch } = setup;
    await handleOne(setup);
    await watch[Symbol.asyncDispose]();
    store.holdLoads = true;
    const source = new NumberSource();
    const messages: string[] = [];
    const second = watchExternal(source, {
      interval: 1_000,
      jitter: 0,
      logger: false,
      checkpoint: store,
      onError: (error) => messages.push(error.message),
    });
    const read = begin(second.getReader().read());
    await clock.tick(MINUTE);
    assert.deepEqual(messages, [UNLOADED]);
    await clock.tick(2_000);
    assert.equal(store.loads.length, 0);
    await store.saves[1]!.answer();
    assert.equal(store.loads.length, 1);
    await store.loads[0]!.answer(Uint8Array.from(store.state!));
    assert.deepEqual(source.restored, [1]);
    await second[Symbol.asyncDispose]();
    await read;
  }));

test("a watch that has ended does not save when its turn comes", async () => {
  for (let microtasks = 0; microtasks < 16; microtasks++) {
    await withStore(async (setup) => {
      const { clock, source, store, watch } = setup;
      await handleOne(setup);
      await clock.tick(MINUTE);
      source.value++;
      await source.last.answer(); // Its save waits for the one that hangs.
      const { save } = store;
      let tooLate = false;
      store.save = (key, state) => {
        tooLate = watch.status.phase === "closed";
        return save.call(store, key, state);
      };
      const answered = store.saves[1]!.answer();
      for (let n = 0; n < microtasks; n++) await Promise.resolve();
      await watch[Symbol.asyncDispose]();
      await answered;
      await clock.tick(MINUTE);
      assert.equal(tooLate, false, `${microtasks} microtasks`);
    });
  }
});

test("a watch that has ended does not load when its turn comes", async () => {
  for (let microtasks = 0; microtasks < 16; microtasks++) {
    await withStore(async (setup) => {
      const { store, watch } = setup;
      await handleOne(setup);
      await watch[Symbol.asyncDispose]();
      const options = { interval: 1_000, logger: false, checkpoint: store } as const;
      const second = watchExternal(new NumberSource(), options);
      let tooLate = false;
      store.load = () => {
        tooLate = second.status.phase === "closed";
        return Promise.resolve(undefined);
      };
      const read = begin(second.getReader().read());
      await settle();
      const answered = store.saves[1]!.answer();
      for (let n = 0; n < microtasks; n++) await Promise.resolve();
      await second[Symbol.asyncDispose]();
      await answered;
      await read;
      assert.equal(tooLate, false, `${microtasks} microtasks`);
    });
  }
});

test("a large state may take longer: a second for each megabyte", () =>
  withClock(async (clock) => {
    let state = new Uint8Array(0);
    let saves = 0;
    const store: CheckpointStore = {
      load: () => Promise.resolve(undefined),
      save: () => (saves++, new Promise(() => {})),
    };
    const source = Object.assign(new NumberSource(), { save: () => state });
    const failures: string[] = [];
    const watch = watchExternal(source, {
      interval: 1_000,
      logger: false,
      checkpoint: store,
      onError: (error) => failures.push(error.message),
    });
    const read = begin(watch.getReader().read());
    await settle();
    state = new Uint8Array(30_000_000);
    await source.last.answer(added("a"));
    assert.equal(saves, 1);
    await clock.tick(90_000 - 1);
    assert.deepEqual(failures, []);
    await clock.tick(1);
    assert.deepEqual(failures, [UNSAVED.replace("60000", "90000")]);
    await watch[Symbol.asyncDispose]();
    await read;
  }));

test("a state that could not be loaded again is refused before it is saved", () =>
  withClock(async (clock) => {
    const store = new ManualStore();
    let state: unknown = new Uint8Array(2 ** 31); // Memory that is never touched is never taken.
    const source = Object.assign(new NumberSource(), { save: () => state as Uint8Array });
    const failures: ExternalError[] = [];
    const watch = watchExternal(source, {
      interval: 1_000,
      jitter: 0,
      maxBackoff: 2_000,
      logger: false,
      checkpoint: store,
      onError: (error) => failures.push(error),
    });
    const read = begin(watch.getReader().read());
    for (const wrong of [undefined, "text", [1]]) {
      await settle();
      await source.last.answer(added("a"));
      state = wrong;
      await clock.tick(2_000);
    }
    await source.last.answer(added("a"));
    const why = "Cannot save the checkpoint of 'manual': ";
    assert.deepEqual(failures.map(({ code, message }) => [code, message]), [
      [
        "checkpoint",
        `${why}its state has 2147483648 bytes, and no more than 2147418112 can be loaded again: watch less ` +
        "with one source, such as by a prefix",
      ],
      ...Array(3).fill(["checkpoint", `${why}'save' of the source must return a Uint8Array`]),
    ]);
    assert.equal(store.saves.length, 0);
    assert.equal(watch.status.events, 0);
    state = Uint8Array.of(1);
    await clock.tick(2_000);
    await source.last.answer(added("a"));
    await store.saves[0]!.answer();
    assert.deepEqual((await read as { value: Event }).value, added("a"));
    await watch[Symbol.asyncDispose]();
  }));
