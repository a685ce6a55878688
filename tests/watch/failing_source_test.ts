// W8: no failure of a source ends the stream.
import { ExternalError, type ExternalSource, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, pending, settle, withClock, withWatch } from "./_watch.ts";

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
    const cause = error.cause as Error;
    assert.deepEqual([cause.name, cause.message], ["RangeError", "boom"]);
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
        logger: false,
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
