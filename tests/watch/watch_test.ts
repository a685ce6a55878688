import {
  ExternalError,
  type ExternalSource,
  ExternalWatch,
  type FailureInfo,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { added, type Clock, type Event, ManualSource, settle, START, withClock } from "./_watch.ts";

interface Setup {
  readonly clock: Clock;
  readonly source: ManualSource;
  readonly watch: ExternalWatch<string>;
  readonly reader: ReadableStreamDefaultReader<Event>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
}

/** A watch of a manual source every 100 ms, without jitter unless asked for, on a clock moved by hand. */
function withWatch(
  options: Partial<WatchOptions>,
  body: (setup: Setup) => Promise<void>,
): Promise<void> {
  return withClock(async (clock) => {
    const source = new ManualSource();
    const failures: Setup["failures"] = [];
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      onError: (error, info) => failures.push({ error, info }),
      ...options,
    });
    const reader = watch.getReader();
    await body({ clock, source, watch, reader, failures });
    // A stream that has failed rejects this with its error.
    await reader.cancel().catch(() => {});
    await settle();
    assert.equal(clock.timers, 0, "timers left");
  });
}

// A read that is to be waited for later, and may well fail.
function begin<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

async function pending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => settled = true;
  promise.then(note, note);
  await settle();
  return !settled;
}

// W1

test("W1: nothing is polled before the first read", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    await clock.tick(10_000);
    assert.equal(source.polls.length, 0);
    assert.deepEqual(watch.status, { phase: "idle", polls: 0, events: 0, failures: 0 });
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 1);
    assert.equal(watch.status.phase, "polling");
  }));

test("W1: nothing is polled while an event waits to be read, or to be handled", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    assert.deepEqual(await first, { done: false, value: added("a") });
    await clock.tick(10_000);
    assert.equal(source.polls.length, 1);
    assert.deepEqual(await reader.read(), { done: false, value: added("b") });
    await clock.tick(10_000);
    assert.equal(source.polls.length, 1);
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 2, "the wait has passed: the next read polls at once");
  }));

test("W1: a poll that takes longer than the interval is not overtaken", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await clock.tick(100_000);
    assert.equal(source.polls.length, 1);
    assert.equal(source.mostAtOnce, 1);
  }));

test("W1: reads without end make one poll at a time", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    for (let n = 0; n < 5; n++) begin(reader.read());
    await clock.tick(1_000);
    assert.equal(source.polls.length, 1);
    await source.last.answer(added("a"), added("b"));
    await clock.tick(1_000);
    assert.equal(source.polls.length, 2);
  }));

test("W1: a poll that ignores its timeout is not overtaken", () =>
  withWatch({ timeout: 50 }, async ({ clock, source, reader, failures, watch }) => {
    const read = begin(reader.read());
    await clock.tick(50);
    assert.equal(failures.length, 1);
    assert.equal(failures[0]!.error.code, "timeout");
    assert.match(failures[0]!.error.message, /^Cannot poll 'manual' within 50 ms/);
    assert.equal(source.last.signal.aborted, true);
    assert.equal(source.last.signal.reason, failures[0]!.error);
    await clock.tick(200);
    assert.equal(watch.status.polls, 2);
    assert.equal(source.polls.length, 1, "the first still runs");
    await clock.tick(50);
    assert.equal(failures.length, 2, "the wait for the first counts as a poll that timed out");
    await source.polls[0]!.answer(added("too late"));
    assert.equal(await pending(read), true, "what comes after the timeout is not delivered");
    await clock.tick(400);
    assert.equal(source.polls.length, 2);
    await source.last.answer(added("a"));
    assert.deepEqual((await read).value, added("a"));
    assert.equal(source.mostAtOnce, 1);
  }));

test("W1: a later watch waits for a poll that ignored its cancel", () =>
  withClock(async () => {
    const source = new ManualSource();
    const first = watchExternal(source, 100).getReader();
    begin(first.read());
    await settle();
    await first.cancel();
    const second = watchExternal(source, 100).getReader();
    const read = second.read();
    await settle();
    assert.equal(source.polls.length, 1);
    await source.polls[0]!.fail();
    assert.equal(source.polls.length, 2);
    await source.last.answer(added("a"));
    assert.deepEqual((await read).value, added("a"));
    assert.equal(source.mostAtOnce, 1);
    await second.cancel();
  }));

// W2

test("W2: after a good poll the interval is waited, from the end of the poll", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await clock.tick(1_000);
    await source.last.answer();
    assert.equal(watch.status.phase, "waiting");
    assert.equal(watch.status.nextPoll, START + 1_100);
    await clock.tick(99);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
    assert.equal(watch.status.nextPoll, undefined);
  }));

test("W2: the time a consumer takes counts towards the interval", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer(added("a"));
    await clock.tick(60);
    begin(reader.read());
    await clock.tick(39);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
  }));

test("W2: failures double the wait up to maxBackoff, one good poll resets it", () =>
  withWatch({ maxBackoff: 1_000 }, async ({ clock, source, watch, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (const wait of [200, 400, 800, 1_000, 1_000]) {
      await source.last.fail();
      const polls = source.polls.length;
      assert.equal(failures.length, polls);
      assert.deepEqual(failures.at(-1)!.info, { attempt: polls, wait });
      assert.equal(watch.status.nextPoll, Date.now() + wait);
      await clock.tick(wait - 1);
      assert.equal(source.polls.length, polls);
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
    await source.last.answer();
    assert.equal(watch.status.failures, 0);
    assert.equal(watch.status.nextPoll, Date.now() + 100);
    await clock.tick(100);
    await source.last.fail();
    assert.deepEqual(failures.at(-1)!.info, { attempt: 1, wait: 200 });
  }));

test("W2: maxBackoff is 32 intervals unless said", () =>
  withWatch({}, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (let n = 1; n <= 7; n++) {
      await source.last.fail();
      await clock.tick(failures.at(-1)!.info.wait);
    }
    assert.deepEqual(
      failures.map(({ info }) => info.wait),
      [200, 400, 800, 1_600, 3_200, 3_200, 3_200],
    );
  }));

test("W2: polls whose events break off half-way are failures in a row", () =>
  withWatch({}, async ({ clock, source, watch, failures, reader }) => {
    function* broken() {
      yield added("a");
      throw new Error("broken listing");
    }
    let read = reader.read();
    await settle();
    for (const wait of [200, 400, 800]) {
      await source.last.answerWith(broken());
      assert.deepEqual((await read).value, added("a"));
      read = begin(reader.read());
      await settle();
      assert.equal(failures.at(-1)!.info.wait, wait);
      assert.match(failures.at(-1)!.error.message, /broken listing/);
      assert.equal(watch.status.lastSuccess, undefined, "no poll was good yet");
      await clock.tick(wait);
    }
    assert.equal(watch.status.failures, 3);
  }));

// W3

test("W3: retryAfter lifts the wait, never above maxBackoff", () =>
  withWatch({ maxBackoff: 5_000 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    for (const [retryAfter, wait] of [[3_000, 3_000], [1, 400], [60_000, 5_000]] as const) {
      await source.last.fail(new ExternalError("status", "busy", { status: 503, retryAfter }));
      assert.equal(failures.at(-1)!.info.wait, wait);
      const polls = source.polls.length;
      await clock.tick(wait - 1);
      assert.equal(source.polls.length, polls);
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
  }));

test("W3: a retryAfter that makes no sense makes no hot loop", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    let wait = 100;
    for (const retryAfter of [0, -1, NaN, -Infinity]) {
      await source.last.fail(new ExternalError("status", "busy", { retryAfter }));
      const polls = source.polls.length;
      await clock.tick((wait *= 2) - 1);
      assert.equal(source.polls.length, polls, String(retryAfter));
      await clock.tick(1);
      assert.equal(source.polls.length, polls + 1);
    }
  }));

// W4

test("W4: jitter lengthens the waits of the watch", async () => {
  const random = mock.method(Math, "random", () => 0.5);
  try {
    await withWatch({ jitter: 0.5, maxBackoff: 450 }, async ({ clock, source, reader, watch }) => {
      begin(reader.read());
      await settle();
      await source.last.answer();
      assert.equal(watch.status.nextPoll, Date.now() + 125);
      await clock.tick(125);
      for (const wait of [250, 450]) {
        await source.last.fail();
        assert.equal(watch.status.nextPoll, Date.now() + wait);
        await clock.tick(wait);
      }
    });
  } finally {
    random.mock.restore();
  }
});

test("W4: the jitter is a tenth unless said", async () => {
  const random = mock.method(Math, "random", () => 0.5);
  try {
    await withWatch({ jitter: undefined }, async ({ source, reader, watch }) => {
      begin(reader.read());
      await settle();
      await source.last.answer();
      assert.equal(watch.status.nextPoll, Date.now() + 105);
    });
  } finally {
    random.mock.restore();
  }
});

test("W4: an interval above 2³¹ − 1 ms is waited in full", () =>
  withWatch({ interval: 2 ** 32 }, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer();
    for (let n = 0; n < 2; n++) await clock.tick(2 ** 31 - 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 1);
    await clock.tick(1);
    assert.equal(source.polls.length, 2);
  }));

test("W4: a timeout above 2³¹ − 1 ms does not fire at once", () =>
  withWatch({ timeout: 2 ** 32 }, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    await clock.tick(2 ** 31);
    assert.equal(failures.length, 0);
    assert.equal(source.last.signal.aborted, false);
  }));

test("a wall clock set back does not lengthen the wait", () =>
  withWatch({}, async ({ clock, source, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"));
    await first;
    mock.timers.setTime(START - 3_600_000);
    begin(reader.read());
    await clock.tick(100);
    assert.equal(source.polls.length, 2);
  }));

// W5

test("W5: events are committed when the one after the last is asked for, not before", () =>
  withWatch({}, async ({ source, reader, watch }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    await reader.read();
    await settle();
    assert.equal(source.commits, 0);
    assert.equal(await pending(watch.synced), true);
    begin(reader.read());
    await settle();
    assert.equal(source.commits, 1);
    await watch.synced;
  }));

test("W5: events not handled come again to the next watch of the source", async () => {
  const listing = ["a", "b", "c"];
  let committed = 0;
  const source: ExternalSource<string> = {
    name: "list",
    poll: () =>
      Promise.resolve((function* () {
        yield* listing.slice(committed).map(added);
        committed = listing.length;
      })()),
  };
  for (const read of [1, 2, 3]) {
    const seen: string[] = [];
    for await (const event of watchExternal(source, 1)) {
      seen.push(event.item);
      if (seen.length === read) break;
    }
    assert.deepEqual(seen, listing.slice(0, read));
    assert.equal(committed, 0, "even the last event was not followed by a read");
  }
});

test("W5: the events' iterator is told when a watch ends before it does", () =>
  withWatch({}, async ({ source, reader }) => {
    let cleanedUp = 0;
    function* events() {
      try {
        yield added("a");
        yield added("b");
      } finally {
        cleanedUp++;
      }
    }
    const first = reader.read();
    await settle();
    await source.last.answerWith(events());
    await first;
    await reader.cancel();
    assert.equal(cleanedUp, 1);
  }));

// W8

test("W8: fifty failures of all kinds do not end the stream", () =>
  withWatch({ maxBackoff: 1 }, async ({ clock, source, reader, failures, watch }) => {
    const read = reader.read();
    const thrown = [new Error("a"), new ExternalError("network", "b"), "c", undefined, null, 0, {}];
    for (let n = 0; n < 50; n++) {
      await clock.tick(1);
      await source.last.fail(thrown[n % thrown.length]);
    }
    assert.equal(failures.length, 50);
    assert.equal(watch.status.failures, 50);
    assert.equal(watch.status.lastError, failures.at(-1)!.error);
    assert.ok(failures.every(({ error }) => error instanceof ExternalError));
    assert.equal(await pending(read), true);
    await clock.tick(1);
    await source.last.answer(added("a"));
    assert.deepEqual((await read).value, added("a"));
    assert.equal(watch.status.failures, 0);
    assert.equal(watch.status.lastError, failures.at(-1)!.error, "stays known");
  }));

test("W8: an ExternalError reaches onError untouched, anything else as the cause of an internal one", () =>
  withWatch({}, async ({ clock, source, reader, failures }) => {
    begin(reader.read());
    await settle();
    const own = new ExternalError("store", "Cannot list", { source: "manual" });
    await source.last.fail(own);
    assert.equal(failures[0]!.error, own);
    await clock.tick(200);
    const other = new RangeError("boom");
    await source.last.fail(other);
    const { error } = failures[1]!;
    assert.equal(error.code, "internal");
    assert.equal(error.source, "manual");
    assert.equal(error.message, "Cannot poll 'manual': boom");
    assert(error.cause instanceof RangeError && error.cause.message === "boom");
  }));

for (
  const [what, poll, message] of [
    ["throws instead of rejecting", () => {
      throw new Error("at once");
    }, "at once"],
    ["returns nothing", () => undefined, "'poll' must resolve with an iterable of events"],
    ["resolves with null", () => Promise.resolve(null), "iterable of events"],
    ["resolves with a number", () => Promise.resolve(5), "iterable of events"],
    ["resolves with an object", () => Promise.resolve({}), "iterable of events"],
    ["resolves with an async iterable", async function* () {
      yield await added("a");
    }, "iterable of events"],
    ["has an iterator that cannot be made", () =>
      Promise.resolve({
        [Symbol.iterator]() {
          throw new Error("no iterator");
        },
      }), "no iterator"],
    ["has an iterator that throws", () =>
      Promise.resolve({
        [Symbol.iterator]: () => ({
          next() {
            throw new Error("no next");
          },
        }),
      }), "no next"],
    [
      "rejects with an object that cannot be printed",
      () => Promise.reject(Object.create(null)),
      "unprintable",
    ],
  ] as [string, () => unknown, string][]
) {
  test(`W8: a source that ${what} fails its poll`, () =>
    withClock(async (clock) => {
      const failures: ExternalError[] = [];
      let broken = true;
      const source = {
        name: "odd",
        poll: () => broken ? poll() : Promise.resolve([added("fine")]),
      } as ExternalSource<string>;
      const reader = watchExternal(source, {
        interval: 100,
        jitter: 0,
        onError: (error) => failures.push(error),
      }).getReader();
      const read = reader.read();
      await settle();
      assert.equal(failures.length, 1);
      assert.ok(failures[0]!.message.includes(message), failures[0]!.message);
      assert.ok(failures[0]!.message.startsWith("Cannot poll 'odd': "));
      broken = false;
      await clock.tick(200);
      assert.deepEqual((await read).value, added("fine"));
      await reader.cancel();
    }));
}

test("W8: a plain array, a Set and a synchronous answer are good answers", () =>
  withClock(async (clock) => {
    const answers: unknown[] = [
      [added("a")],
      Promise.resolve(new Set([added("b")])),
      { then: (done: (events: unknown) => void) => done([added("c")]) },
    ];
    const source = { name: "odd", poll: () => answers.shift() } as ExternalSource<string>;
    const reader = watchExternal(source, { interval: 1, jitter: 0 }).getReader();
    for (const item of ["a", "b", "c"]) {
      const read = reader.read();
      await clock.tick(1);
      assert.deepEqual((await read).value, added(item));
    }
    await reader.cancel();
  }));

test("W8: failures show in the log, and so does the recovery", () => {
  const lines: string[] = [];
  const log = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  const logger = {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
  };
  return withWatch({ logger }, async ({ clock, source, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.fail();
    await clock.tick(200);
    await source.last.answer();
    await clock.tick(100);
    await source.last.answer();
    assert.deepEqual(lines, [
      "warn Cannot poll 'manual': down (attempt 1, next in 200 ms)",
      "info Polled 'manual' again after 1 failed polls in a row",
      "debug Polled 'manual'",
    ]);
  });
});

// W9

test("W9: a second watch of one source is a TypeError, until the first has ended", async () => {
  const source = new ManualSource();
  const ends: ((watch: ExternalWatch<string>) => unknown)[] = [
    (watch) => watch.cancel(),
    (watch) => watch.close(),
    (watch) => watch[Symbol.asyncDispose](),
    (watch) => watch.values().return?.(),
  ];
  for (const end of ends) {
    const watch = watchExternal(source, 1);
    assert.throws(() => watchExternal(source, 1), {
      name: "TypeError",
      message: "Cannot watch 'manual' as this source object is being watched already: " +
        "end that watch first, or make a second source",
    });
    await end(watch);
  }
  const controller = new AbortController();
  watchExternal(source, { interval: 1, signal: controller.signal });
  controller.abort();
  const failed = watchExternal(source, {
    interval: 1,
    onError() {
      throw new Error("enough");
    },
  }).getReader();
  const read = begin(failed.read());
  await settle();
  await source.last.fail();
  await assert.rejects(read, /enough/);
  watchExternal(source, 1);
});

test("W9: a signal aborted already leaves the source free", () => {
  const source = new ManualSource();
  watchExternal(source, { interval: 1, signal: AbortSignal.abort() });
  watchExternal(source, 1);
});

// W10

test("W10: what onError throws ends the stream, untouched", () => {
  const thrown = { not: "even an error" };
  return withWatch({
    onError() {
      throw thrown;
    },
  }, async ({ source, reader, watch }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.fail();
    await assert.rejects(read, (error) => error === thrown);
    await assert.rejects(reader.closed, (error) => error === thrown);
    await assert.rejects(watch.synced, (error) => error === thrown);
    assert.equal(watch.status.phase, "closed");
  });
});

test("W10: what an async onError rejects with ends the stream, never unhandled", () => {
  const thrown = new Error("async");
  const onError = (() => Promise.reject(thrown)) as () => void;
  return withWatch({ onError }, async ({ source, reader }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.fail();
    await assert.rejects(read, (error) => error === thrown);
  });
});

for (const level of ["debug", "info", "warn"] as const) {
  test(`W10: what the logger's ${level} throws ends the stream`, () => {
    const thrown = new Error("disk full");
    const logger = {
      debug() {},
      info() {},
      warn() {},
      error() {},
      [level]() {
        throw thrown;
      },
    };
    return withWatch({ logger }, async ({ clock, source, reader }) => {
      const read = begin(reader.read());
      await settle();
      if (level !== "debug") await source.last.fail();
      if (level === "info") await clock.tick(200);
      if (level !== "warn") await source.last.answer(added("a"));
      await assert.rejects(read, (error) => error === thrown);
      await clock.tick(10_000);
      assert.equal(source.polls.length, level === "info" ? 2 : 1);
    });
  });
}

test("W10: callbacks may end the watch they are called by", async () => {
  const ends: ((watch: ExternalWatch<string>, controller: AbortController) => void)[] = [
    (watch) => watch.close(),
    (watch) => void watch[Symbol.asyncDispose](),
    (_, controller) => controller.abort(),
  ];
  for (const end of ends) {
    for (const from of ["onError", "debug", "iterator", "iterator's end", "broken iterator"]) {
      await withClock(async (clock) => {
        const controller = new AbortController();
        const source = new ManualSource();
        const stop = () => end(watch, controller);
        const watch: ExternalWatch<string> = watchExternal(source, {
          interval: 100,
          signal: controller.signal,
          onError: () => from === "onError" && stop(),
          logger: {
            debug: () => from === "debug" && stop(),
            info() {},
            warn() {},
            error() {},
          },
        });
        const reader = watch.getReader();
        begin(reader.closed);
        const read = begin(reader.read());
        await settle();
        if (from === "onError") await source.last.fail();
        else {
          await source.last.answerWith((function* () {
            if (from.includes("iterator")) stop();
            if (from === "iterator") yield added("a");
            if (from === "broken iterator") throw new Error("broken");
          })());
        }
        begin(reader.read());
        await clock.tick(100_000);
        assert.equal(source.polls.length, 1, `${end} from ${from}`);
        assert.equal(watch.status.phase, "closed", `${end} from ${from}`);
        assert.equal(clock.timers, 0);
        assert.equal(await pending(read), false);
      });
    }
  }
});

// Every form of reading

test("async iteration reads the stream", async () => {
  const seen: string[] = [];
  let n = 0;
  const source = { name: "count", poll: () => Promise.resolve([added(`${n++}`), added(`${n++}`)]) };
  for await (const event of watchExternal(source, 1)) {
    seen.push(event.item);
    if (seen.length === 5) break;
  }
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
  assert.equal(n, 6);
});

test("pipeTo reads one event at a time, and writes them all", async () => {
  const seen: string[] = [];
  const watch = watchExternal({
    name: "pair",
    poll: () => Promise.resolve([added("a"), added("b")]),
  }, 1);
  let busy = false;
  await watch.pipeTo(
    new WritableStream({
      async write(event) {
        assert.equal(busy, false);
        busy = true;
        await settle();
        busy = false;
        seen.push(event.item);
        assert.ok(watch.status.events <= seen.length + 1, "nothing is read ahead");
        if (seen.length === 3) watch.close();
      },
    }),
  );
  assert.deepEqual(seen, ["a", "b", "a", "b"], "close lets the events already found through");
});

test("pipeTo ends the watch when the writer fails", async () => {
  const thrown = new Error("no space");
  const watch = watchExternal({ name: "one", poll: () => Promise.resolve([added("a")]) }, 1);
  const writable = new WritableStream({
    write() {
      throw thrown;
    },
  });
  await assert.rejects(watch.pipeTo(writable), (error) => error === thrown);
  assert.equal(watch.status.phase, "closed");
});

test("pipeThrough transforms the events", async () => {
  const watch = watchExternal({ name: "one", poll: () => Promise.resolve([added("a")]) }, 1);
  const types = watch.pipeThrough(
    new TransformStream<Event, string>({
      transform: (event, controller) => controller.enqueue(event.type),
    }),
  );
  for await (const type of types) {
    assert.equal(type, "added");
    break;
  }
  await settle();
  assert.equal(watch.status.phase, "closed");
});

test("tee gives every event to both branches", async () => {
  let n = 0;
  const watch = watchExternal({ name: "n", poll: () => Promise.resolve([added(`${n++}`)]) }, 1);
  const [left, right] = watch.tee().map((branch) => branch.getReader());
  for (const item of ["0", "1", "2"]) {
    assert.deepEqual((await left!.read()).value, added(item));
    assert.deepEqual((await right!.read()).value, added(item));
  }
  await Promise.all([left!.cancel(), right!.cancel()]);
  assert.equal(watch.status.phase, "closed");
});

test("a watch is a ReadableStream, and names its source", async () => {
  const watch = watchExternal(new ManualSource(), 1);
  assert.ok(watch instanceof ReadableStream);
  assert.ok(watch instanceof ExternalWatch);
  assert.equal(watch.source, "manual");
  assert.equal(watch.locked, false);
  await watch.cancel();
});

test("await using ends the watch with its block", async (t) => {
  let block: (watch: AsyncDisposable) => Promise<void>;
  try {
    // Node 22 does not know the syntax, and would refuse this whole file.
    block = new Function("watch", "return (async () => { await using w = watch; })()") as never;
  } catch {
    return t.skip("this runtime has no 'await using'");
  }
  const watch = watchExternal(new ManualSource(), 1);
  await block(watch);
  assert.equal(watch.status.phase, "closed");
});

// status and synced

test("status tells every phase, in fresh plain objects", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const phases = [watch.status.phase];
    const note = () => phases.push(watch.status.phase);
    const first = reader.read();
    await settle();
    note();
    await source.last.answer(added("a"));
    await first;
    note();
    begin(reader.read());
    await settle();
    note();
    await clock.tick(100);
    note();
    await source.last.fail();
    note();
    const status = watch.status;
    assert.notEqual(status, watch.status);
    assert.equal(Object.getPrototypeOf(status), Object.prototype);
    const { lastError, ...rest } = status;
    assert.equal(lastError?.code, "internal");
    assert.deepEqual(rest, {
      phase: "waiting",
      polls: 2,
      events: 1,
      failures: 1,
      lastSuccess: START,
      nextPoll: START + 300,
    });
    JSON.stringify(status);
    await reader.cancel();
    note();
    assert.deepEqual(phases, [
      "idle",
      "polling",
      "delivering",
      "waiting",
      "polling",
      "waiting",
      "closed",
    ]);
    assert.equal(watch.status.nextPoll, undefined);
  }));

test("synced settles after the first good poll, also one without events", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.fail();
    assert.equal(await pending(watch.synced), true);
    await clock.tick(200);
    await source.last.answer();
    assert.equal(await watch.synced, undefined);
  }));

test("synced rejects when the watch ends first", async () => {
  const reason = { my: "reason" };
  const ends: [(watch: ExternalWatch<string>) => unknown, (error: unknown) => boolean][] = [
    [(watch) => watch.close(), isAbortError],
    [(watch) => watch[Symbol.asyncDispose](), isAbortError],
    [(watch) => watch.cancel(), isAbortError],
    [(watch) => watch.cancel(reason), (error) => error === reason],
  ];
  for (const [end, expected] of ends) {
    const watch = watchExternal(new ManualSource(), 1);
    await end(watch);
    await assert.rejects(watch.synced, expected);
  }
});

function isAbortError(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

// refresh, in every phase

test("refresh before the first read makes no request", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    watch.refresh();
    await clock.tick(1_000);
    assert.equal(source.polls.length, 0);
    begin(reader.read());
    await settle();
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 1, "the first poll was the refresh");
  }));

test("refresh ends a wait, also one after a failure", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    await source.last.answer();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 2);
    assert.equal(clock.timers, 0, "the wait's timer is gone");
    await source.last.fail();
    watch.refresh();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 3);
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 3, "one refresh, one poll");
  }));

test("refresh while polling asks for one more poll, right after", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    begin(reader.read());
    await settle();
    watch.refresh();
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 1);
    await source.last.answer();
    assert.equal(source.polls.length, 2);
    await source.last.answer();
    await clock.tick(99);
    assert.equal(source.polls.length, 2);
    assert.equal(source.mostAtOnce, 1);
  }));

test("refresh while delivering polls once the events are handled", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    watch.refresh();
    await settle();
    assert.equal(source.polls.length, 1);
    await reader.read();
    assert.equal(source.polls.length, 1);
    begin(reader.read());
    await settle();
    assert.equal(source.polls.length, 2);
  }));

test("refresh after the end does nothing", () =>
  withWatch({}, async ({ clock, source, watch }) => {
    watch.close();
    watch.refresh();
    await clock.tick(1_000);
    assert.equal(source.polls.length, 0);
  }));

// close, in every phase

test("close before the first read closes the stream", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    watch.close();
    watch.close();
    assert.deepEqual(await reader.read(), { done: true, value: undefined });
    assert.equal(source.polls.length, 0);
    assert.equal(watch.status.phase, "closed");
  }));

test("close while polling aborts the poll and closes the stream", () =>
  withWatch({}, async ({ source, watch, reader, failures }) => {
    const read = reader.read();
    await settle();
    watch.close();
    assert.equal((await read).done, true);
    assert.equal(source.last.signal.aborted, true);
    assert.ok(isAbortError(source.last.signal.reason));
    await source.last.answer(added("too late"));
    assert.equal((await reader.read()).done, true);
    assert.equal(failures.length, 0);
  }));

test("close while delivering lets the events be read, then closes, and commits", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    watch.close();
    await clock.tick(1_000);
    assert.equal(watch.status.phase, "delivering");
    assert.equal(watch.status.nextPoll, undefined);
    assert.deepEqual((await reader.read()).value, added("b"));
    assert.equal((await reader.read()).done, true);
    assert.equal(source.commits, 1);
    assert.equal(source.polls.length, 1);
    await watch.synced;
  }));

test("close while waiting closes the stream", () =>
  withWatch({}, async ({ clock, source, watch, reader }) => {
    const read = reader.read();
    await settle();
    await source.last.answer();
    watch.close();
    assert.equal((await read).done, true);
    assert.equal(clock.timers, 0);
    assert.equal(source.polls.length, 1);
  }));
