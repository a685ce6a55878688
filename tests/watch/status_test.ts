// How a watch is doing: `status` and `synced`.
import { ExternalError, type ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  added,
  begin,
  isAbortError,
  ManualSource,
  pending,
  settle,
  START,
  withWatch,
} from "./_watch.ts";

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
    assert.deepEqual(JSON.parse(JSON.stringify(status)), {
      ...rest,
      lastError: {
        name: "ExternalError",
        code: "internal",
        message: "Cannot poll 'manual': down",
        source: "manual",
      },
    });
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

test("status is JSON that tells what a server said", () =>
  withWatch({}, async ({ source, watch, reader }) => {
    begin(reader.read());
    await settle();
    const cause = new Error("inner");
    await source.last.fail(
      new ExternalError("status", "answered 503", { status: 503, retryAfter: 1_500, cause }),
    );
    assert.deepEqual(JSON.parse(JSON.stringify(watch.status)).lastError, {
      name: "ExternalError",
      code: "status",
      message: "answered 503",
      source: "manual",
      status: 503,
      retryAfter: 1_500,
    });
  }));

test("times are whole milliseconds, whatever the jitter", async () => {
  const random = mock.method(Math, "random", () => 0.123456789);
  try {
    for (const interval of [0.3, 1, 1.7, 99.9, 1_001]) {
      await withWatch(
        { interval, jitter: 0.37 },
        async ({ clock, source, watch, reader, failures }) => {
          begin(reader.read());
          await settle();
          await source.last.fail(new ExternalError("status", "busy", { retryAfter: 2_000.7 }));
          const { wait } = failures[0]!.info;
          assert.ok(Number.isInteger(wait) && wait >= Math.floor(interval * 2), String(wait));
          const { nextPoll } = watch.status;
          assert.equal(nextPoll, Date.now() + wait);
          await clock.tick(wait);
          await source.last.answer();
          assert.ok(Number.isInteger(watch.status.lastSuccess));
          assert.ok(Number.isInteger(watch.status.nextPoll));
          assert.ok(watch.status.nextPoll! >= Date.now() + Math.floor(interval));
        },
      );
    }
  } finally {
    random.mock.restore();
  }
});

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
