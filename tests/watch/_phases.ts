/** Watches in every phase they can be in, and every way to end them. */
import { type ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { countListeners } from "../bounds/_listeners.ts";
import { added, type Clock, type Event, ManualSource, settle, withClock } from "./_watch.ts";

export const REASON = { why: "shutdown" };

export interface Running {
  readonly clock: Clock;
  readonly source: ManualSource;
  readonly watch: ExternalWatch<string>;
  readonly reader: ReadableStreamDefaultReader<Event>;
  readonly controller: AbortController;
  readonly listeners: () => number;
  /** The read that was asked for last, settled or not. */
  read: Promise<ReadableStreamReadResult<Event>>;
}

/** Brings a watch into each phase it can be in. */
export const phases: Record<string, (running: Running) => Promise<void>> = {
  async "before the first read"() {},
  async "in a poll"(running) {
    running.read = running.reader.read();
    await settle();
    assert.equal(running.watch.status.phase, "polling");
  },
  async "with an event handed over and more to come"(running) {
    await phases["in a poll"]!(running);
    await running.source.last.answer(added("a"), added("b"));
    assert.equal(running.watch.status.phase, "delivering");
  },
  async "with the last event handed over"(running) {
    await phases["in a poll"]!(running);
    await running.source.last.answer(added("a"));
    assert.equal(running.watch.status.phase, "delivering");
  },
  async "in a wait"(running) {
    await phases["in a poll"]!(running);
    await running.source.last.answer();
    assert.equal(running.watch.status.phase, "waiting");
    assert.equal(running.clock.timers, 1);
  },
  async "in a wait after a failure"(running) {
    await phases["in a poll"]!(running);
    await running.source.last.fail();
    assert.equal(running.watch.status.phase, "waiting");
    assert.equal(running.clock.timers, 1);
  },
  async "in a poll after a poll that ignored its timeout"(running) {
    await phases["in a poll"]!(running);
    await running.clock.tick(1_000);
    await running.clock.tick(200);
    assert.equal(running.watch.status.phase, "polling");
    assert.equal(running.source.polls.length, 1);
  },
};

/** Ends a watch in each way there is. `close` with events yet to be read is not an end. */
export const ends: Record<string, (running: Running) => unknown> = {
  cancel: ({ reader }) => reader.cancel(REASON),
  close: ({ watch }) => watch.close(),
  abort: ({ controller }) => controller.abort(REASON),
  dispose: ({ watch }) => watch[Symbol.asyncDispose](),
};

/** A watch on a clock moved by hand, with a signal and a timeout. */
export async function inPhase(body: (running: Running) => Promise<void>): Promise<void> {
  await withClock(async (clock) => {
    const controller = new AbortController();
    const listeners = countListeners(controller.signal);
    const source = new ManualSource();
    const watch = watchExternal(source, {
      interval: 100,
      jitter: 0,
      timeout: 1_000,
      logger: false,
      signal: controller.signal,
    });
    const reader = watch.getReader();
    reader.closed.catch(() => {});
    const read = Promise.resolve({ done: true, value: undefined } as const);
    assert.equal(listeners(), 1, "the watch listens");
    await body({ clock, source, watch, reader, controller, listeners, read });
  });
}
