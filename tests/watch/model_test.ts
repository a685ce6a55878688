/**
 * Drives a watch with random reads, answers, failures, waits, refreshes and ends, beside a model that knows
 * nothing but the rules: whatever order they come in, the watch must do what the model says.
 */
import {
  ExternalError,
  type ExternalEvent,
  type ExternalSource,
  type ExternalWatch,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import process from "node:process";
import fc from "fast-check";
import { countListeners } from "../bounds/_listeners.ts";
import { type Answer, Model, type Pace } from "./_model.ts";
import { type Clock, settle, withClock } from "./_watch.ts";

interface Item {
  readonly key: string;
  readonly version: number;
}
type Listing = ReadonlyMap<string, number>;

function* diff(before: Listing, after: Listing): Generator<ExternalEvent<Item>> {
  for (const [key, version] of after) {
    const known = before.get(key);
    if (known === undefined) yield { type: "added", item: { key, version } };
    else if (known !== version) yield { type: "modified", item: { key, version } };
  }
  for (const [key, version] of before) {
    if (!after.has(key)) yield { type: "removed", item: { key, version } };
  }
}

/** A source that compares listings of a small world, and ignores its signal. */
class WorldSource implements ExternalSource<Item> {
  readonly name = "world";
  readonly world = new Map<string, number>();
  committed: Listing = new Map();
  calls = 0;
  running = 0;
  mostAtOnce = 0;
  #settle: ((answer: Answer) => void) | undefined;

  poll(): Promise<Iterable<ExternalEvent<Item>>> {
    this.calls++;
    this.running++;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.running);
    return new Promise((resolve, reject) => {
      this.#settle = (answer) => {
        this.running--;
        if (answer.kind === "fails") {
          const { retryAfter } = answer;
          reject(new ExternalError("status", "down", { retryAfter }));
        } else resolve(this.#events(answer.kind === "breaks off"));
      };
    });
  }

  answer(answer: Answer): void {
    this.#settle?.(answer);
    this.#settle = undefined;
  }

  changes(): number {
    return [...diff(this.committed, this.world)].length;
  }

  *#events(breaksOff: boolean): Generator<ExternalEvent<Item>> {
    const listing = new Map(this.world);
    const events = [...diff(this.committed, listing)];
    if (breaksOff) {
      yield* events.slice(0, events.length >> 1);
      throw new Error("broke off");
    }
    yield* events;
    this.committed = listing;
  }
}

/** The real watch, its consumer, and the checks that hold at all times. */
class Real {
  readonly source = new WorldSource();
  model: Model;
  watch: ExternalWatch<Item>;
  #controller = new AbortController();
  #listeners: () => number;
  #reader: ReadableStreamDefaultReader<ExternalEvent<Item>>;
  #reading = false;
  #delivered = 0;
  #endedWith: unknown;
  #failures = 0;
  /** What the consumer made of the events. */
  #replay = new Map<string, number>();
  readonly #clock: Clock;
  readonly #pace: Pace;

  constructor(clock: Clock, pace: Pace) {
    this.#clock = clock;
    this.#pace = pace;
    this.#listeners = countListeners(this.#controller.signal);
    this.model = new Model(pace);
    this.watch = this.start();
    this.#reader = this.watch.getReader();
    this.#reader.closed.catch(() => {});
  }

  start(): ExternalWatch<Item> {
    const { timeout, ...pace } = this.#pace;
    const options: WatchOptions = {
      ...pace,
      ...(timeout !== undefined && { timeout }),
      signal: this.#controller.signal,
      logger: false,
      onError: (_, { attempt }) => {
        this.#failures++;
        assert.ok(attempt >= 1);
      },
    };
    return watchExternal(this.source, options);
  }

  /** A new watch of the same source, by a consumer that forgot what it had not finished. */
  restart(): void {
    const { calls, busy } = this.model;
    this.#controller = new AbortController();
    this.#listeners = countListeners(this.#controller.signal);
    this.#endedWith = undefined;
    this.#delivered = 0;
    this.#replay = new Map(this.source.committed);
    this.model = new Model(this.#pace);
    Object.assign(this.model, { calls, busy });
    this.watch = this.start();
    this.#reader = this.watch.getReader();
    this.#reader.closed.catch(() => {});
  }

  read(): void {
    this.#reading = true;
    const ended = (how: unknown) => {
      this.#reading = false;
      this.#endedWith = how;
    };
    this.#reader.read().then(({ done, value }) => {
      if (done) return ended("done");
      this.#reading = false;
      this.#delivered++;
      const { type, item: { key, version } } = value;
      if (type === "removed") this.#replay.delete(key);
      else this.#replay.set(key, version);
    }, ended);
  }

  end(how: "cancel" | "close" | "abort" | "dispose"): void {
    const waiting = this.#reading;
    if (how === "cancel") void this.#reader.cancel();
    else if (how === "close") this.watch.close();
    else if (how === "abort") this.#controller.abort(REASON);
    else void this.watch[Symbol.asyncDispose]();
    if (waiting) this.#endedWith = how === "abort" ? "to be the reason" : "to be done";
  }

  /** Lets model and watch do what is due, then compares them. */
  async check(): Promise<void> {
    await settle();
    const { model, watch, source } = this;
    const now = Date.now();
    const commits = model.commits;
    do {
      const broke = model.queue === 0 && model.breaksOff && model.reading;
      if (broke) this.#replay = new Map(source.committed);
      else if (model.wait !== undefined) {
        // W2, W3, W4: the watch chose a wait within the bounds. A poll already under way again hides it.
        const { least, most } = model.wait;
        model.wait = undefined;
        const { nextPoll } = watch.status;
        if (model.closing) model.due = undefined;
        else if (nextPoll === undefined) {
          assert.ok(model.refresh, "only a refresh polls again without a wait");
          model.due = now;
        } else {
          assert.ok(nextPoll - now >= least, `waits ${nextPoll - now} ms, not ${least}`);
          assert.ok(nextPoll - now <= most, `waits ${nextPoll - now} ms, not ${most}`);
          model.due = nextPoll;
        }
      }
    } while (model.run(now));

    assert.equal(watch.status.phase, model.phase);
    assert.equal(watch.status.polls, model.polls, "polls");
    assert.equal(watch.status.failures, model.failures, "failures");
    assert.equal(watch.status.events, model.events, "events");
    assert.equal(watch.status.nextPoll, model.closing ? undefined : model.due, "nextPoll");
    assert.equal(this.#delivered, model.events, "delivered");
    assert.equal(this.#reading, model.reading, "reading");
    assert.equal(source.calls, model.calls, "calls");
    assert.ok(source.mostAtOnce <= 1, "polls overlap");
    if (model.commits > commits) {
      assert.deepEqual(this.#replay, source.committed, "replay is reality");
    }
    const timing = model.phase === "polling" && this.#pace.timeout !== undefined;
    assert.equal(this.#clock.timers, timing || model.phase === "waiting" ? 1 : 0, "timers");
    assert.equal(this.#listeners(), model.alive ? 1 : 0, "listeners");
    if (!model.alive && this.#endedWith !== undefined) {
      assert.ok(
        this.#endedWith === "done" || this.#endedWith === REASON,
        `a read ended with ${String(this.#endedWith)}`,
      );
    }
  }

  async tick(ms: number): Promise<void> {
    const target = Date.now() + ms;
    for (;;) {
      const next = Math.min(this.model.nextTime, target);
      await this.#clock.tick(next - Date.now());
      if (this.model.polling && next === this.model.nextTime) {
        this.model.awaited = false;
        this.model.failed();
      }
      await this.check();
      if (next === target && this.model.nextTime > target) return;
    }
  }
}

const REASON = { why: "aborted by the test" };

type Command = fc.AsyncCommand<object, Real>;

function command(name: string, run: (real: Real) => unknown, when?: (real: Real) => boolean) {
  return {
    check: () => true,
    async run(_: object, real: Real) {
      if (when !== undefined && !when(real)) return;
      await run(real);
      await real.check();
    },
    toString: () => name,
  } satisfies Command;
}

const alive = ({ model }: Real) => model.alive;

function answer(answer: Answer, name: string): Command {
  return command(name, ({ model, source }) => {
    model.answered(answer, source.changes());
    source.answer(answer);
  }, ({ model }) => model.busy);
}

const commands = [
  fc.constant(command("read", (real) => {
    real.model.reading = true;
    real.read();
  }, ({ model }) => model.alive && !model.reading)),
  fc.constant(answer({ kind: "good" }, "answer")),
  fc.constant(answer({ kind: "breaks off" }, "break off")),
  fc.option(fc.constantFrom(0, -5, NaN, 7, 300, 1e9), { nil: undefined }).map((retryAfter) =>
    answer({ kind: "fails", retryAfter }, `fail(${retryAfter})`)
  ),
  fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.nat(3)).map(([key, version]) =>
    command(`change(${key}, ${version})`, ({ source: { world } }) => {
      if (version === 0) world.delete(key);
      else world.set(key, version);
    })
  ),
  fc.constantFrom(1, 50, 200, 5_000, 100_000).map((ms) =>
    command(`tick(${ms})`, (real) => real.tick(ms))
  ),
  fc.constant(command("refresh", ({ model, watch }) => {
    if (model.alive) model.refresh = true;
    watch.refresh();
  })),
  fc.constant(command("second watch", (real) => {
    assert.throws(() => real.start(), { name: "TypeError", message: /being watched already/ });
  }, alive)),
  fc.constantFrom("cancel", "close", "abort", "dispose").map((how) =>
    command(how, (real) => {
      real.end(how);
      if (how === "close") real.model.close();
      else real.model.end();
    }, alive)
  ),
  fc.constant(command("restart", (real) => real.restart(), ({ model }) => !model.alive)),
];

// All even, so that a jitter of a half leaves whole milliseconds.
const pace: fc.Arbitrary<Pace> = fc.record({
  interval: fc.constantFrom(2, 100, 1_000),
  maxBackoff: fc.constantFrom(50, 400, 32_000),
  jitter: fc.constantFrom(0, 0.5),
  timeout: fc.constantFrom(undefined, undefined, 30, 500),
});

test("W1–W8: in any order of things, the watch does what the rules say", async () => {
  let random = 0;
  // The bounds must hold at both ends.
  const mocked = mock.method(Math, "random", () => random = 1 - random);
  try {
    await fc.assert(
      fc.asyncProperty(
        pace,
        fc.commands(commands, { maxCommands: 60, size: "max" }),
        (pace, commands) =>
          withClock(async (clock) => {
            const real = new Real(clock, pace);
            try {
              await fc.asyncModelRun(() => ({ model: {}, real }), commands);
            } finally {
              await real.watch[Symbol.asyncDispose]();
              await settle();
            }
            assert.equal(clock.timers, 0);
          }),
      ),
      { numRuns: Number(process.env.PROPERTY_RUNS ?? 300), interruptAfterTimeLimit: 60_000 },
    );
  } finally {
    mocked.mock.restore();
  }
});
