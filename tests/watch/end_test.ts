// W6: every end of a watch comes at once, and leaves nothing behind. The clock stands still meanwhile, so the 50 ms are
// processor time: a busy machine does not change it.
import { type ExternalSource, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { workSince } from "../errors/_cpu.ts";
import { countListeners } from "../bounds/_listeners.ts";
import { ends, inPhase, phases, REASON } from "./_phases.ts";
import { runScript } from "./_script.ts";
import { added, ManualSource, settle, withClock } from "./_watch.ts";

for (const [phase, reach] of Object.entries(phases)) {
  for (const [way, end] of Object.entries(ends)) {
    if (way === "close" && phase.includes("handed over")) continue;
    test(`W6: ${way} ${phase} ends it within 50 ms and leaves nothing`, () =>
      inPhase(async (running) => {
        await reach(running);
        const { clock, source, watch, reader, listeners, read } = running;
        read.catch(() => {});
        const work = workSince();
        await end(running);
        // What was asked for settles: with an error after an abort, with the end otherwise.
        await read.catch((error) => assert.equal(error, REASON));
        await reader.closed.catch((error) => assert.equal(error, REASON));
        assert.ok(work() < 50);
        await settle();
        assert.equal(clock.timers, 0, "timers left");
        assert.equal(listeners(), 0, "listeners left");
        assert.equal(watch.status.phase, "closed");
        assert.equal(watch.status.nextPoll, undefined);
        const { polls } = watch.status;
        if (phase === "in a poll") {
          const { reason, aborted } = source.last.signal;
          assert.equal(aborted, true);
          if (way === "abort" || way === "cancel") assert.equal(reason, REASON);
          else assert.equal(reason.name, "AbortError");
        }
        // A poll that ignored its signal and now answers, a late refresh, a late abort: nothing comes of it.
        if (source.running > 0) await source.last.answer(added("too late"));
        watch.refresh();
        watch.close();
        running.controller.abort();
        await clock.tick(1_000_000);
        assert.equal(watch.status.polls, polls);
        assert.equal(watch.status.phase, "closed");
        await assert.rejects(
          watch.synced.then(() => {
            // Where a poll was handled whole before the end, it stays so.
            if (phase === "in a wait") throw new Error("was synced");
          }),
        );
      }));
  }
}

for (const microtasks of [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16]) {
  test(`W6: an end ${microtasks} microtasks after the source's answer is an end`, async () => {
    for (const end of Object.values(ends)) {
      for (const events of [[], [added("a")]]) {
        for (const failing of [false, true]) {
          await inPhase(async (running) => {
            await phases["in a poll"]!(running);
            const { source, clock, watch, reader, listeners, read } = running;
            read.catch(() => {});
            const answered = failing ? source.last.fail() : source.last.answer(...events);
            for (let n = 0; n < microtasks; n++) await Promise.resolve();
            const ended = Promise.resolve(end(running));
            await Promise.all([answered, ended]);
            // After `close` events found may still be read.
            await reader.read().then(() => reader.read()).catch(() => {});
            watch.refresh();
            await clock.tick(1_000_000);
            assert.equal(watch.status.phase, "closed");
            assert.equal(source.polls.length, 1);
            assert.equal(clock.timers, 0);
            assert.equal(listeners(), 0);
          });
        }
      }
    }
  });
}

test("W6: events that come with the end are let go of", async () => {
  for (const end of Object.values(ends)) {
    for (let microtasks = 0; microtasks < 16; microtasks++) {
      await inPhase(async (running) => {
        await phases["in a poll"]!(running);
        const { source, read } = running;
        read.catch(() => {});
        let open = 0;
        const answered = source.last.answerWith({
          [Symbol.iterator]() {
            open++;
            return {
              next: () => ({ done: false, value: added("a") }),
              return: () => ({ done: true, value: void open-- }),
            };
          },
        });
        for (let n = 0; n < microtasks; n++) await Promise.resolve();
        await end(running);
        await answered;
        // What `close` lets be read is ended here.
        await running.reader.cancel().catch(() => {});
        assert.equal(open, 0, `${microtasks} microtasks`);
      });
    }
  }
});

test("W6: an end right after the read makes no request with a signal aborted already", async () => {
  for (const end of Object.values(ends)) {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      await inPhase(async (running) => {
        const { source, reader, watch } = running;
        // The stream has started: the read asks it at once.
        await settle();
        reader.read().catch(() => {});
        for (let n = 0; n < microtasks; n++) await Promise.resolve();
        await end(running);
        await settle();
        assert.equal(source.callsTooLate, 0, `${microtasks} microtasks`);
        assert.equal(watch.status.phase, "closed");
      });
    }
  }
});

test("W6: break ends the watch", () =>
  withClock(async (clock) => {
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    const source: ExternalSource<string> = { name: "s", poll: () => Promise.resolve([added("a")]) };
    const watch = watchExternal(source, { interval: 100, signal, timeout: 1_000 });
    const work = workSince();
    for await (const _ of watch) break;
    assert.ok(work() < 50);
    assert.equal(watch.status.phase, "closed");
    assert.equal(listeners(), 0);
    assert.equal(clock.timers, 0);
  }));

test("W6: a throw in the loop's body ends the watch, and comes out of the loop", () =>
  withClock(async (clock) => {
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    const source: ExternalSource<string> = { name: "s", poll: () => Promise.resolve([added("a")]) };
    const watch = watchExternal(source, { interval: 100, signal });
    await assert.rejects(async () => {
      for await (const _ of watch) throw REASON;
    }, (error) => error === REASON);
    assert.equal(watch.status.phase, "closed");
    assert.equal(listeners(), 0);
    assert.equal(clock.timers, 0);
  }));

test("W6: an abort ends a loop that waits for its next event", () =>
  withClock(async (clock) => {
    const controller = new AbortController();
    const source = new ManualSource();
    const watch = watchExternal(source, { interval: 100, signal: controller.signal });
    const loop = assert.rejects(async () => {
      for await (const _ of watch);
    }, (error) => error === REASON);
    await settle();
    controller.abort(REASON);
    await loop;
    assert.equal(source.last.signal.aborted, true);
    assert.equal(clock.timers, 0);
  }));

test("W6: an events iterator that cannot be ended is logged, and the watch ends all the same", () =>
  withClock(async (clock) => {
    const lines: string[] = [];
    const source = new ManualSource();
    const logger = { debug() {}, info() {}, warn() {}, error: (line: string) => lines.push(line) };
    const reader = watchExternal(source, { interval: 100, logger }).getReader();
    const read = reader.read();
    await settle();
    await source.last.answerWith({
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: added("a") }),
        return() {
          throw new Error("stuck");
        },
      }),
    });
    await read;
    await reader.cancel();
    assert.deepEqual(lines, ["Cannot end the poll of 'manual' cleanly: stuck"]);
    assert.equal(clock.timers, 0);
  }));

test("W6: the process can exit after every kind of end, and nothing is unhandled", async () => {
  const run = await runScript(`
    import { watchExternal } from "@koprs/external";

    const never = () => new Promise(() => {});
    const none = () => Promise.resolve([]);
    const down = () => Promise.reject(new Error("down"));
    const one = () => Promise.resolve([{ type: "added", item: 1 }]);
    const interval = 1_000_000_000;
    const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
    const ends = [
      (watch, reader) => reader.cancel(),
      (watch) => watch.close(),
      (watch) => watch[Symbol.asyncDispose](),
      (watch, reader, controller) => controller.abort(),
    ];
    for (const poll of [never, none, down, one]) {
      for (const end of ends) {
        for (const reads of [0, 1, 2]) {
          const controller = new AbortController();
          const watch = watchExternal(
            { name: "s", poll },
            { interval, timeout: interval, signal: controller.signal, logger: false },
          );
          const reader = watch.getReader();
          const pending = Array.from({ length: reads }, () => reader.read());
          for (const read of pending) read.catch(() => {});
          await turn();
          end(watch, reader, controller);
        }
      }
    }
    for (const stop of [() => {}, () => { throw new Error("body"); }]) {
      try {
        for await (const event of watchExternal({ name: "s", poll: one }, interval)) {
          stop();
          break;
        }
      } catch (error) {
        if (error.message !== "body") throw error;
      }
    }
    const failing = watchExternal(
      { name: "s", poll: down },
      { interval, logger: false, onError: async () => { throw new Error("from onError"); } },
    );
    await failing.getReader().read().catch(() => {});
  `);
  assert.deepEqual({ ...run, ms: 0 }, { code: 0, stdout: "", stderr: "", ms: 0 });
});
