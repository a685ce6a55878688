// E6: the iterator's `return` ends a pending read at once.
import { type ExternalEvent, type ExternalSource, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { added, begin, type Event, ManualSource, pending, settle, withClock } from "./_watch.ts";

/** A watch with all that can be left behind: a signal, a timeout, a wait. */
async function withIterator(
  body: (setup: {
    source: ManualSource;
    watch: ReturnType<typeof watchExternal<string>>;
    tick: (ms: number) => Promise<void>;
    /** Asserts that nothing is left. */
    isGone: () => void;
  }) => Promise<void>,
): Promise<void> {
  await withClock(async (clock) => {
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    const source = new ManualSource();
    const options = { interval: 100, jitter: 0, timeout: 1_000, logger: false, signal } as const;
    const watch = watchExternal(source, options);
    await body({
      source,
      watch,
      tick: (ms) => clock.tick(ms),
      isGone() {
        assert.equal(watch.status.phase, "closed");
        assert.equal(watch.locked, false);
        assert.equal(clock.timers, 0);
        assert.equal(listeners(), 0);
      },
    });
    await watch[Symbol.asyncDispose]();
  });
}

/** Brings an iterator to where its `next` is pending. */
const pendings = {
  async "a poll"() {
    await settle();
  },
  async "a wait"(source: ManualSource) {
    await settle();
    await source.last.answer();
  },
  async "a wait after a failure"(source: ManualSource) {
    await settle();
    await source.last.fail();
  },
};

for (const [where, reach] of Object.entries(pendings)) {
  test(`E6: return during ${where} ends the pending next and the watch`, () =>
    withIterator(async ({ source, watch, isGone }) => {
      const iterator = watch[Symbol.asyncIterator]();
      const next = iterator.next();
      const second = iterator.next();
      await reach(source);
      assert.equal(await pending(next), true);
      const reason = { why: "enough" };
      assert.deepEqual(await iterator.return(reason), { done: true, value: reason });
      isGone();
      assert.deepEqual(await next, { done: true, value: undefined });
      assert.deepEqual(await second, { done: true, value: undefined });
      if (where === "a poll") {
        assert.equal(source.last.signal.aborted, true);
        assert.equal(source.last.signal.reason, reason);
        await source.last.answer(added("too late"));
      }
      assert.deepEqual(await iterator.next(), { done: true, value: undefined });
      assert.deepEqual(await iterator.return(), { done: true, value: undefined });
      assert.equal(source.polls.length, 1);
      isGone();
    }));
}

test("E6: preventCancel keeps the watch going, and loses no event", () =>
  withIterator(async ({ source, watch, tick, isGone }) => {
    const iterator = watch.values({ preventCancel: true });
    const next = iterator.next();
    await settle();
    assert.deepEqual(await iterator.return(), { done: true, value: undefined });
    assert.deepEqual(await next, { done: true, value: undefined });
    assert.equal(watch.locked, false);
    assert.equal(watch.status.phase, "polling");
    assert.equal(source.last.signal.aborted, false);
    await source.last.answer(added("a"), added("b"));
    await tick(10_000);
    assert.equal(source.polls.length, 1, "the event waits to be read");
    const seen: string[] = [];
    for await (const { item } of watch.values({ preventCancel: true })) {
      seen.push(item);
      if (seen.length === 2) break;
    }
    assert.deepEqual(seen, ["a", "b"]);
    assert.equal(watch.status.phase, "delivering");
    assert.equal(watch.locked, false);
    const last = watch.values();
    await last.return();
    isGone();
  }));

test("preventCancel: events and errors come through, and a lock is taken once", () =>
  withIterator(async ({ source, watch }) => {
    const iterator = watch.values({ preventCancel: true });
    assert.equal(watch.locked, true);
    assert.throws(() => watch.values(), TypeError);
    const next = iterator.next();
    await settle();
    await source.last.answer(added("a"));
    assert.deepEqual(await next, { done: false, value: added("a") });
    watch.close();
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    assert.equal(watch.locked, false);
  }));

for (const preventCancel of [false, true]) {
  for (const reading of [false, true]) {
    test(
      `an abort ${reading ? "during" : "before"} a next comes out of it once, ` +
        `${preventCancel ? "with" : "without"} preventCancel`,
      () =>
        withClock(async () => {
          const controller = new AbortController();
          const source = new ManualSource();
          const watch = watchExternal(source, { interval: 100, signal: controller.signal });
          const iterator = watch.values({ preventCancel });
          const reason = { why: "shutdown" };
          let next: Promise<unknown> | undefined;
          if (reading) next = begin(iterator.next());
          await settle();
          controller.abort(reason);
          await settle();
          next ??= begin(iterator.next());
          await assert.rejects(next, (error) => error === reason);
          await settle();
          assert.deepEqual(await iterator.next(), { done: true, value: undefined });
          assert.deepEqual(await iterator.return(), { done: true, value: undefined });
          assert.equal(watch.locked, false);
        }),
    );
  }
}

test("return of a stream that failed unseen rejects with its error, as that of any stream", () =>
  withClock(async () => {
    const controller = new AbortController();
    const source = new ManualSource();
    const watch = watchExternal(source, { interval: 100, signal: controller.signal });
    const iterator = watch.values();
    const reason = { why: "shutdown" };
    controller.abort(reason);
    await settle();
    await assert.rejects(iterator.return(), (error) => error === reason);
    assert.equal(watch.locked, false);
  }));

test("next behind the end is done, also where the end came while nobody read", () =>
  withIterator(async ({ watch, isGone }) => {
    const iterator = watch.values();
    watch.close();
    await settle();
    assert.deepEqual(await iterator.next(), { done: true, value: undefined });
    isGone();
  }));

test("an iterator is iterable, and can be disposed of", () =>
  withIterator(async ({ source, watch, isGone }) => {
    const iterator = watch.values();
    assert.equal(iterator[Symbol.asyncIterator](), iterator);
    const next = iterator.next();
    await settle();
    await iterator[Symbol.asyncDispose]();
    assert.equal((await next).done, true);
    assert.equal(source.last.signal.aborted, true);
    isGone();
  }));

/** Waits for the next of an iterable or an abort, as helpers of many libraries do. */
async function* abortable<T>(iterable: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = iterable[Symbol.asyncIterator]();
  const aborted = new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
  try {
    for (;;) {
      const { done, value } = await Promise.race([aborted, iterator.next()]);
      if (done) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}

test("E6: a loop that an abort breaks leaves nothing behind", () =>
  withIterator(async ({ source, watch, isGone }) => {
    const controller = new AbortController();
    const reason = { why: "shutdown" };
    const seen: Event[] = [];
    const loop = assert.rejects(async () => {
      for await (const event of abortable(watch, controller.signal)) seen.push(event);
    }, (error) => error === reason);
    await settle();
    await source.last.answer(added("a"));
    controller.abort(reason);
    await loop;
    assert.deepEqual(seen, [added("a")]);
    isGone();
  }));

/** The events of several iterables, as they come. */
async function* merge<T>(...iterables: AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = iterables.map((iterable) => iterable[Symbol.asyncIterator]());
  const ask = async (index: number) => ({ index, result: await iterators[index]!.next() });
  const next = iterators.map((_, index) => ask(index));
  try {
    for (;;) {
      const { index, result } = await Promise.race(next);
      if (result.done) return;
      yield result.value;
      next[index] = ask(index);
    }
  } finally {
    await Promise.all(iterators.map((iterator) => iterator.return?.()));
  }
}

test("E6: a break in a merged loop ends every watch, be its next pending or not", () =>
  withIterator(async ({ source, watch, isGone }) => {
    const busy: ExternalSource<string> = {
      name: "busy",
      poll: () => Promise.resolve([added("x")]),
    };
    const other = watchExternal(busy, 100);
    const seen: ExternalEvent<string>[] = [];
    for await (const event of merge<ExternalEvent<string>>(watch, other)) {
      seen.push(event);
      break;
    }
    assert.deepEqual(seen, [added("x")]);
    assert.equal(source.last.signal.aborted, true);
    assert.equal(other.status.phase, "closed");
    isGone();
  }));

test("E6: yield* hands a return through", () =>
  withIterator(async ({ source, watch, isGone }) => {
    async function* outer() {
      yield* watch;
    }
    const generator = outer();
    const first = generator.next();
    await settle();
    await source.last.answer(added("a"));
    assert.deepEqual(await first, { done: false, value: added("a") });
    assert.deepEqual(await generator.return(undefined), { done: true, value: undefined });
    isGone();
  }));
