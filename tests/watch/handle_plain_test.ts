// E5: sources of one's own that take no acknowledgement of single events; and what is checked of their events.
import { type ExternalEvent, type ExternalSource, watchExternal } from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, ManualSource, settle, withClock } from "./_watch.ts";

/** Reports what it has until it was read to its end. */
class Plain implements ExternalSource<string> {
  readonly name = "plain";
  readonly waiting: string[];
  released = 0;
  /** What was read on behind. */
  handled: string[] = [];

  constructor(...items: string[]) {
    this.waiting = items;
  }

  poll(): Promise<Iterable<ExternalEvent<string>>> {
    return Promise.resolve(this.#events());
  }

  save(): Uint8Array {
    return new TextEncoder().encode(this.handled.join());
  }

  restore(state: Uint8Array): void {
    this.handled = new TextDecoder().decode(state).split(",");
  }

  *#events(): Generator<ExternalEvent<string>> {
    let isWhole = false;
    try {
      for (const item of this.waiting) {
        yield added(item);
        this.handled.push(item);
      }
      isWhole = true;
    } finally {
      if (isWhole) this.waiting.length = 0;
      else this.released++;
    }
  }
}

test("E5: one by one, as asking for the next says that the one before was handled", async () => {
  const source = new Plain("a", "b", "c");
  const watch = watchExternal(source, 60_000);
  let running = 0;
  const seen: string[] = [];
  watch.synced.then(() => watch.close());
  await watch.handle(async ({ item }) => {
    assert.equal(++running, 1);
    assert.deepEqual(source.handled, seen);
    await settle();
    seen.push(item);
    running--;
  }, { concurrency: 16 });
  assert.deepEqual(seen, ["a", "b", "c"]);
  assert.deepEqual(source.handled, seen);
});

test("E5: a failure ends the delivery like a failed poll, and all from there on comes again", async () => {
  await withClock(async (clock) => {
    const source = new Plain("a", "b", "c");
    const failures: unknown[] = [];
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      logger: false,
      onError: ({ code, key, attempt, message }, { wait }) =>
        failures.push({ code, key, attempt, message, wait }),
    });
    const seen: string[] = [];
    const done = begin(watch.handle(({ item }, { attempt }) => {
      seen.push(`${item} ${attempt}`);
      if (item === "b" && attempt < 3) throw new Error("poison");
    }));
    await settle();
    const message = "Cannot handle 'b' of 'plain': poison";
    const common = { code: "handler", key: "b", message };
    assert.deepEqual(failures, [{ ...common, attempt: 1, wait: 200 }]);
    assert.equal(source.released, 1);
    assert.equal(watch.status.failures, 1);
    await clock.tick(200);
    assert.deepEqual(failures.slice(1), [{ ...common, attempt: 2, wait: 400 }]);
    await clock.tick(400);
    assert.deepEqual(seen, ["a 1", "b 1", "a 1", "b 2", "a 1", "b 3", "c 1"]);
    assert.equal(watch.status.failures, 0);
    await watch.synced;
    watch.close();
    await done;
  });
});

test("E5: what fails is named where the item has something to call it by", async () => {
  const items: [unknown, string | undefined][] = [
    [{ key: "a" }, "a"],
    [{ id: 7 }, "7"],
    [{ name: "n" }, "n"],
    [7, "7"],
    [null, undefined],
    [{ id: {} }, undefined],
  ];
  for (const [item, key] of items) {
    const errors: unknown[] = [];
    const watch = watchExternal({
      name: "items",
      poll: () => Promise.resolve([{ type: "added", item } as const]),
    }, {
      interval: 100,
      logger: false,
      onError: (error) => {
        errors.push([error.key, error.message]);
        watch.close();
      },
    });
    await watch.handle(() => Promise.reject(new Error("no")));
    const what = key === undefined ? "an event" : `'${key}'`;
    assert.deepEqual(errors, [[key, `Cannot handle ${what} of 'items': no`]]);
  }
});

test("E5: state is saved in the middle of a delivery, up to what was handled", async () => {
  const source = new Plain(...Array.from({ length: 150 }, (_, i) => `${i}`));
  const checkpoint = new MemoryCheckpointStore();
  const watch = watchExternal(source, { interval: 60_000, checkpoint, logger: false });
  const saved: string[] = [];
  const handled: string[] = [];
  watch.synced.then(() => watch.close());
  await watch.handle(async ({ item }) => {
    const state = new TextDecoder().decode(await checkpoint.load("plain"));
    if (state !== "") {
      assert.equal(handled.join().slice(0, state.length), state);
      saved.push(state);
    }
    handled.push(item);
  });
  assert.ok(saved.some((state) => state.split(",").length === 100));
  assert.equal(new TextDecoder().decode(await checkpoint.load("plain")), handled.join());
});

test("events of a source of one's own are checked", async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ type: "created", item: 1 }, /'type' of event 2 of its poll .*: it is "created"/],
    [{ item: 1 }, /'type' of event 2 of its poll must be .*: it is undefined/],
    [{ type: "added" }, /event 2 of its poll has no 'item'/],
    ["added", /event 2 of its poll is not an object but a string/],
    [undefined, /event 2 of its poll is not an object but undefined/],
  ];
  for (const [event, message] of wrong) {
    for (const handles of [false, true]) {
      await t.test(`${JSON.stringify(event)}${handles ? ", handled" : ""}`, async () => {
        await withClock(async (clock) => {
          const source = new ManualSource();
          const errors: string[] = [];
          const watch = watchExternal(source, {
            interval: 100,
            jitter: 0,
            logger: false,
            onError: ({ code, message }) => errors.push(`${code}: ${message}`),
          });
          const seen: string[] = [];
          const done = handles ? watch.handle(({ item }) => void seen.push(item)) : (async () => {
            for await (const { item } of watch) seen.push(item);
          })();
          await settle();
          await source.last.answerWith([added("a"), event]);
          assert.equal(errors.length, 1);
          assert.match(errors[0] ?? "", /^internal: Cannot poll 'manual': /);
          assert.match(errors[0] ?? "", message);
          await clock.tick(200);
          await source.last.answer(added("b"));
          assert.deepEqual(seen, ["a", "b"]);
          watch.close();
          await done;
        });
      });
    }
  }
});

test("an item may be undefined, if it is there", async () => {
  const source: ExternalSource<undefined> = {
    name: "nothing in it",
    poll: () => Promise.resolve([{ type: "added", item: undefined }]),
  };
  for await (const event of watchExternal(source, 100)) {
    assert.deepEqual(event, { type: "added", item: undefined });
    break;
  }
});

test("an acknowledgement that throws ends the watch: nobody knows what it would save", async () => {
  const source: ExternalSource<string> = {
    name: "broken",
    poll: () => Promise.resolve([added("a")]),
    acknowledgement: {
      keyOf: ({ item }) => item,
      handled() {
        throw new Error("full");
      },
      setAside() {},
      again: () => undefined,
      asideKeys: () => [],
    },
  };
  const watch = watchExternal(source, { interval: 100, logger: false });
  await assert.rejects(watch.handle(() => {}), { code: "internal", message: /broken.*: full$/ });
});

test("E1: a source that reports a key twice has no two handlers for it at once", async () => {
  const acknowledged: string[] = [];
  const source: ExternalSource<string> = {
    name: "twice",
    poll: () => Promise.resolve(["a", "a", "b"].map(added)),
    acknowledgement: {
      keyOf: ({ item }) => item,
      handled: (key) => void acknowledged.push(key),
      setAside() {},
      again: () => undefined,
      asideKeys: () => [],
    },
  };
  const watch = watchExternal(source, 60_000);
  const running = new Set<string>();
  watch.synced.then(() => watch.close());
  await watch.handle(async ({ item }) => {
    assert.ok(!running.has(item));
    running.add(item);
    await settle();
    running.delete(item);
  }, { concurrency: 3 });
  assert.deepEqual(acknowledged.sort(), ["a", "a", "b"]);
});
