// Loads and saves that fail: which of it passes, and which ends the watch.
import { ExternalError, ObjectStorePoller, watchExternal } from "@koprs/external";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, isAbortError, settle } from "../watch/_watch.ts";
import {
  behind,
  fill,
  handleOne,
  observed,
  ScriptedStore,
  type Setup,
  shown,
  timeout,
  watching,
  withStore,
} from "./_checkpoint.ts";

test("a load that fails is a failed poll, and tried again", { timeout }, async (t) => {
  const store = new MemoryStore();
  await fill(store, "a");
  const before = new ObjectStorePoller(store);
  for (const _ of await before.poll({ signal: new AbortController().signal }));
  await fill(store, "b");
  const checkpoint = new ScriptedStore();
  checkpoint.state = before.save();
  checkpoint.failLoad = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  const failures: string[] = [];
  const source = observed(new ObjectStorePoller(store), checkpoint.calls);
  const watch = watching(t, source, {
    interval: 1,
    checkpoint,
    onError(error, { attempt, wait }) {
      failures.push(`${attempt} ${error.message}`);
      assert(wait > 0);
      if (attempt === 3) checkpoint.failLoad = undefined;
    },
  });
  assert.equal(shown((await watch.getReader().read()).value!), "added b");
  const reason = "Cannot load the checkpoint of 'memory://': EIO: i/o error";
  assert.deepEqual(failures, [`1 ${reason}`, `2 ${reason}`, `3 ${reason}`]);
  assert.deepEqual(checkpoint.calls.slice(0, 5), [...Array(4).fill("load memory://"), "poll"]);
});

const FULL = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
const FULL_MESSAGE = "Cannot save the checkpoint of 'memory://': ENOSPC: no space left on device";

test(
  "a save that fails behind handled events is reported, tried again, and does not end the stream",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    const failures: ExternalError[] = [];
    const watch = watching(t, new ObjectStorePoller(store), {
      interval: 1,
      checkpoint,
      onError(error) {
        failures.push(error);
        if (failures.length === 5) checkpoint.failSave = undefined;
      },
    });
    const reader = watch.getReader();
    assert.equal(shown((await reader.read()).value!), "added a");
    const announced = checkpoint.saved.length;
    checkpoint.failSave = FULL;
    const next = reader.read();
    while (checkpoint.saved.length === announced) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal(failures.length, 5);
    for (const { code, message } of failures) {
      assert.equal(code, "checkpoint");
      assert.equal(message, FULL_MESSAGE);
    }
    assert.equal(watch.status.lastError, failures.at(-1));
    assert.equal(watch.status.failures, 0, "the polls are good");
    assert.deepEqual(await behind(checkpoint.state, store), []);
    await fill(store, "b");
    assert.equal(shown((await next).value!), "added b");
  },
);

test(
  "events that cannot be announced are not handed over: the poll has failed, and is tried again",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    checkpoint.failSave = FULL;
    const attempts: number[] = [];
    const watch = watching(t, new ObjectStorePoller(store), {
      interval: 1,
      checkpoint,
      onError(error, { attempt }) {
        assert.equal(error.code, "checkpoint");
        assert.equal(error.message, FULL_MESSAGE);
        assert.equal(watch.status.events, 0);
        assert.equal(watch.status.failures, attempt);
        if (attempts.push(attempt) === 3) checkpoint.failSave = undefined;
      },
    });
    const { value } = await watch.getReader().read();
    assert.equal(shown(value!), "added a");
    assert.deepEqual(attempts, [1, 2, 3]);
    assert.equal(watch.status.failures, 0);
  },
);

for (const when of ["load", "save"] as const) {
  test(
    `a ${when} that rejects with code checkpoint ends the stream, untouched`,
    { timeout },
    async () => {
      const store = new MemoryStore();
      await fill(store, "a");
      const error = new ExternalError("checkpoint", "Cannot go on as another one has taken over");
      const checkpoint = new ScriptedStore();
      if (when === "load") checkpoint.failLoad = error;
      else checkpoint.failSave = error;
      const watch = watchExternal(new ObjectStorePoller(store), {
        interval: 1,
        checkpoint,
        logger: false,
      });
      await assert.rejects(watch.getReader().read(), (thrown) => thrown === error);
      assert.equal(watch.status.phase, "closed");
      assert.deepEqual(checkpoint.saved, []);
    },
  );
}

for (const when of ["step", "end"] as const) {
  test(`a save that rejects with code checkpoint at the ${when} of a delivery ends the stream`, () =>
    withStore(async ({ source, store, watch, reader, failures, clock }) => {
      const read = begin(reader.read());
      await settle();
      await source.last.answer(
        ...Array.from({ length: when === "step" ? 200 : 1 }, () => added("a")),
      );
      await store.saves[0]!.answer();
      await read;
      let next = begin(reader.read());
      for (let n = 1; n < 100 && when === "step"; n++) {
        await next;
        source.value++;
        next = begin(reader.read());
      }
      source.value++;
      await settle();
      assert.equal(store.saves.length, 2);
      const error = new ExternalError("checkpoint", "Cannot go on as another one has taken over");
      await store.saves[1]!.fail(error);
      await assert.rejects(next, (thrown) => thrown === error);
      assert.equal(error.source, "manual");
      assert.equal(watch.status.phase, "closed");
      assert.equal(watch.status.lastError, error);
      assert.deepEqual(failures, []);
      await clock.tick(1_000_000);
      assert.equal(store.saves.length, 2);
      assert.equal(source.polls.length, 1);
    }));
}

test("events that break off before the first tell of no recovery", () => {
  const lines: string[] = [];
  const log = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  return withStore(async ({ source, store, reader, clock }) => {
    begin(reader.read());
    await settle();
    for (const wait of [2_000, 4_000]) {
      await source.last.answerWith((function* () {
        yield* [];
        throw new Error("broken");
      })());
      await clock.tick(wait);
    }
    assert.equal(store.saves.length, 0);
    assert.deepEqual(lines, [
      "warn Cannot poll 'manual': broken (attempt 1, next in 2000 ms)",
      "warn Cannot poll 'manual': broken (attempt 2, next in 4000 ms)",
    ]);
  }, { logger });
});

test("an end by the events themselves is no failed save", () =>
  withStore(async ({ source, store, watch, reader }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.answerWith((function* () {
      void watch[Symbol.asyncDispose]();
      yield added("a");
    })());
    assert.deepEqual(await read, { done: true, value: undefined });
    assert.equal(store.saves.length, 0);
    assert.equal(watch.status.failedSaves, undefined);
  }));

test("close during a poll that hangs behind a failed save aborts it, and saves once more", () =>
  withStore(async (setup) => {
    const { source, store, watch, failures, clock } = setup;
    const { next } = await handleOne(setup);
    await store.saves[1]!.fail(FULL);
    assert.equal(failures.length, 1);
    await clock.tick(1_000);
    assert.equal(watch.status.phase, "polling");
    const { signal } = source.last;
    watch.close();
    await settle();
    assert.equal(signal.aborted, true);
    assert.ok(isAbortError(signal.reason));
    assert.equal(store.saves.length, 3);
    await store.saves[2]!.answer();
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.deepEqual(store.state, [1]);
    assert.equal(failures.length, 1, "the poll that was aborted has not failed");
    assert.equal(watch.status.polls, 2);
  }));

test("close in the wait behind a failed save saves once more, and tells if that fails", () =>
  withStore(async (setup) => {
    const { store, watch, failures } = setup;
    const { next } = await handleOne(setup);
    await store.saves[1]!.fail(FULL);
    watch.close();
    await settle();
    await store.saves[2]!.fail(FULL);
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.deepEqual(failures.map(({ info }) => info), [
      { attempt: 1, wait: 1_000 },
      { attempt: 2, wait: 0 },
    ]);
    assert.equal(watch.status.failedSaves, 2);
  }));

test("the attempts of saves are counted in a row, beside those of polls", () => {
  const lines: string[] = [];
  const log = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const logger = { debug() {}, info: log("info"), warn: log("warn"), error: log("error") };
  return withStore(async (setup) => {
    const { source, store, watch, failures, clock, reader } = setup;
    let { next } = await handleOne(setup);
    const polledAgain = async () => {
      await clock.tick(1_000);
      await source.last.answer();
    };
    await store.saves[1]!.fail(FULL);
    await polledAgain();
    await store.saves[2]!.fail(FULL);
    assert.equal(watch.status.failedSaves, 2);
    await polledAgain();
    await store.saves[3]!.answer();
    assert.equal(watch.status.failedSaves, undefined);
    await clock.tick(1_000);
    await source.last.answer(added("c"));
    await store.saves[4]?.answer();
    await next;
    source.value++;
    next = begin(reader.read());
    await settle();
    await store.saves.at(-1)!.fail(FULL);
    assert.deepEqual(failures.map(({ info }) => info.attempt), [1, 2, 1]);
    assert.ok(failures.every(({ error }) => error.source === "manual"));
    const what = "Cannot save the checkpoint of 'manual': ENOSPC: no space left on device";
    assert.deepEqual(lines, [
      `warn ${what} (attempt 1, next in 1000 ms)`,
      `warn ${what} (attempt 2, next in 1000 ms)`,
      "info Saved the checkpoint of 'manual' again after 2 failed saves in a row",
      `warn ${what} (attempt 1, next in 1000 ms)`,
    ]);
  }, { logger });
});

test("events that cannot be announced are let go: a generator runs its 'finally'", () =>
  withStore(async ({ source, store, reader, failures, clock }) => {
    let running = 0;
    function* events() {
      running++;
      try {
        yield added("a");
        yield added("b");
      } finally {
        running--;
      }
    }
    const read = begin(reader.read());
    await settle();
    for (const wait of [2_000, 4_000]) {
      await source.last.answerWith(events());
      assert.equal(running, 1);
      await store.saves.at(-1)!.fail(FULL);
      assert.equal(running, 0);
      assert.equal(failures.at(-1)!.info.wait, wait);
      await clock.tick(wait);
    }
    await source.last.answerWith(events());
    await store.saves.at(-1)!.answer();
    assert.deepEqual(await read, { done: false, value: added("a") });
    assert.equal(running, 1);
  }));

test("while events cannot be announced, no recovery is told", () => {
  const lines: string[] = [];
  const log = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const logger = { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
  return withStore(async ({ source, store, reader, clock }) => {
    const read = begin(reader.read());
    await settle();
    for (const wait of [2_000, 4_000, 8_000]) {
      await source.last.answer(added("a"));
      await store.saves.at(-1)!.fail(FULL);
      await clock.tick(wait);
    }
    await source.last.answer(added("a"));
    await store.saves.at(-1)!.answer();
    await read;
    assert.deepEqual(lines.map((line) => line.split(" ")[0]), [
      "warn",
      "warn",
      "warn",
      "info",
      "info",
    ]);
    assert.match(lines[3]!, /^info Saved .* after 3 failed saves/);
    assert.match(lines[4]!, /^info Polled .* after 3 failed polls/);
  }, { logger });
});

test("what a store says of a failed save counts: its status, and how long to wait", () =>
  withStore(async ({ source, store, reader, failures }) => {
    begin(reader.read());
    await settle();
    await source.last.answer(added("a"));
    await store.saves[0]!.fail(
      new ExternalError("store", "answered 429", {
        status: 429,
        retryAfter: 5_000,
        source: "s3://b",
      }),
    );
    const [{ error, info }] = failures as [Setup["failures"][number]];
    assert.equal(error.code, "checkpoint");
    assert.equal(error.source, "manual");
    assert.equal(error.status, 429);
    assert.deepEqual(info, { attempt: 1, wait: 5_000 });
  }));

test("a failed load or save tells no secret of what was thrown", () => {
  const secret = Object.assign(new Error("https://ada:lovelace@host/?token=hunter2"), {
    config: { headers: { authorization: "Bearer hunter2" } },
  });
  return withStore(async ({ source, store, reader, failures, clock }) => {
    begin(reader.read());
    await settle();
    await store.loads[0]!.fail(secret);
    await clock.tick(2_000);
    await store.loads[1]!.answer(undefined);
    await source.last.answer(added("a"));
    await store.saves[0]!.fail(secret);
    assert.equal(failures.length, 2);
    for (const { error } of failures) {
      assert.equal(error.code, "checkpoint");
      const { cause } = error;
      assert.notEqual(cause, secret);
      for (const text of [error.message, error.stack, String(cause), JSON.stringify(cause)]) {
        assert.doesNotMatch(text ?? "", /hunter2|lovelace/);
      }
      assert.equal("config" in (cause as object), false);
    }
  }, { holdLoads: true });
});
