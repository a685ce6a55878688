// W10: what a user's callback throws is told once, and where.
import { type ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, ManualSource, pending, settle, withClock, withWatch } from "./_watch.ts";

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

test("W10: what a promise of another library rejects with ends the stream", () => {
  const thrown = new Error("async");
  const onError = () => ({
    then: (_: unknown, reject: (error: unknown) => void) => reject(thrown),
  });
  return withWatch({ onError }, async ({ source, reader }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.fail();
    await assert.rejects(read, (error) => error === thrown);
  });
});

test("W10: an async callback that fails behind the end of the watch changes nothing, and is not logged", () => {
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  let fail = () => {};
  return withWatch({
    logger: { debug() {}, info() {}, warn() {}, error: log },
    onError: (() =>
      new Promise<void>((_, reject) => fail = () => reject(new Error("late")))) as () => void,
  }, async ({ source, reader, watch }) => {
    const read = begin(reader.read());
    await settle();
    await source.last.fail();
    watch.close();
    fail();
    assert.deepEqual(await read, { done: true, value: undefined });
    await settle();
    assert.deepEqual(lines, []);
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
