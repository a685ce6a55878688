// C3: when the state is saved in the middle of a delivery.
import {
  type CheckpointStore,
  CollectionPoller,
  MemoryCheckpointStore,
  watchExternal,
} from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { timeout } from "./_checkpoint.ts";

interface Delivery {
  /** Events of the one poll. */
  readonly events: number;
  /** Milliseconds that handling one event takes. */
  readonly handling?: number;
  /** Milliseconds that the n-th save takes. */
  readonly saving?: (n: number) => number;
  /** Whether the n-th save fails. */
  readonly fails?: (n: number) => boolean;
}

/**
 * After how many handled events the state was saved, or the save tried. Each state that was saved is checked: what was
 * handled does not come again, and all else does.
 */
async function savesOf(
  { events, handling = 0, saving = () => 0, fails = () => false }: Delivery,
): Promise<number[]> {
  const keys = Array.from({ length: events }, (_, i) => String(i).padStart(6, "0"));
  const poller = () =>
    new CollectionPoller<string>({
      name: "numbers",
      async *list() {
        yield keys;
      },
      key: (key) => key,
    });
  let time = 1_000;
  const clock = mock.method(performance, "now", () => time);
  const saves: number[] = [];
  let handled = 0;
  const memory = new MemoryCheckpointStore();
  const checkpoint: CheckpointStore = {
    load: (key) => memory.load(key),
    async save(key, state) {
      saves.push(handled);
      time += saving(saves.length);
      if (fails(saves.length)) throw new Error("no space left");
      await memory.save(key, state);
      const again = poller();
      again.restore(state);
      const left = await again.poll({ signal: new AbortController().signal });
      if (events > 1_000) {
        // All of them would take long.
        for (const { item } of left) return assert.equal(item, keys[handled]);
      }
      assert.deepEqual(Array.from(left, ({ item }) => item), keys.slice(handled));
    },
  };
  try {
    const watch = watchExternal(poller(), { interval: 1_000, checkpoint, logger: false });
    const reader = watch.getReader();
    while (!(await reader.read()).done) {
      handled++; // Before the next one is asked for.
      time += handling;
      if (handled === events) watch.close();
    }
  } finally {
    clock.mock.restore();
  }
  return saves;
}

test(
  "C3: many events are saved early at first, then less and less often",
  { timeout },
  async () => {
    const early = [0, 100, 300, 700, 1_500, 3_100, 6_300, 12_700];
    assert.deepEqual(await savesOf({ events: 24_000 }), [...early, 22_700, 24_000]);
  },
);

test("C3: events that take long are saved early at first, then less and less often", {
  timeout,
}, async () => {
  assert.deepEqual(
    await savesOf({ events: 40, handling: 1_000 }),
    [0, 1, 2, 3, 5, 9, 14, 19, 24, 29, 34, 39, 40],
  );
  assert.deepEqual(await savesOf({ events: 5, handling: 249 }), [0, 2, 5], "250 ms, then 500 ms");
});

test("C3: a process that always dies after a second gets on", { timeout }, async () => {
  for (const saving of [0, 50, 200]) {
    const saves = await savesOf({ events: 8, handling: 125, saving: () => saving });
    assert.ok(saves[1]! <= 2, `first saved after ${saves[1]} events`);
  }
});

test("a slow disk takes no more than about a tenth of the time", { timeout }, async () => {
  // The first step comes early all the same: it cannot wait for longer than the process lives.
  const saves = await savesOf({ events: 30, handling: 1_000, saving: () => 1_000 });
  assert.deepEqual(saves, [0, 1, 11, 21, 30]);
  // A save that was slow once holds back the next one only.
  assert.deepEqual(
    await savesOf({ events: 12, handling: 1_000, saving: (n) => n === 2 ? 500 : 0 }),
    [0, 1, 6, 7, 9, 12],
  );
});

test("a step that fails is not tried again behind every event", { timeout }, async () => {
  const saves = await savesOf({ events: 1_000, fails: (n) => n > 1 && n < 5 });
  assert.deepEqual(saves, [0, 100, 300, 700, 1_000]);
});

test("each delivery begins with early steps again", { timeout }, async () => {
  let time = 1_000;
  const clock = mock.method(performance, "now", () => time);
  try {
    const saves: string[] = [];
    let handled = 0;
    let polls = 0;
    const source = {
      name: "twice",
      *events() {
        for (let item = 0; item < 400; item++) yield { type: "modified", item } as const;
        polls++;
      },
      poll: () => Promise.resolve(source.events()),
      save: () => Uint8Array.of(polls, handled >> 8, handled & 255),
      restore() {},
    };
    const checkpoint: CheckpointStore = {
      load: () => Promise.resolve(undefined),
      save: () => Promise.resolve(void saves.push(`${polls} ${handled}`)),
    };
    const watch = watchExternal(source, { interval: 1, checkpoint, logger: false });
    for await (const _ of watch) {
      handled++;
      time += 1;
      if (handled === 800) watch.close();
    }
    const steps = ["100", "300", "400", "500", "700", "800"];
    assert.deepEqual(saves.map((save) => save.split(" ")[1]), ["0", ...steps]);
  } finally {
    clock.mock.restore();
  }
});
