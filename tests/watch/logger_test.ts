// Where a watch logs, and what it prints where nothing was said.
import {
  ExternalError,
  type ExternalSource,
  type ExternalWatch,
  type Logger,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { pino } from "pino";
import { runScript } from "./_script.ts";
import { added, begin, settle, withClock, withWatch } from "./_watch.ts";

// The shape of the Logger class of @std/log, as its documentation gives it: every level takes the message, or a
// function that makes it, and returns it.
class StdLogger {
  readonly lines: string[] = [];

  #write<T>(level: string, message: T): T {
    this.lines.push(`${level} ${message}`);
    return message;
  }
  debug<T>(message: () => T, ...args: unknown[]): T | undefined;
  debug<T>(message: T extends (...args: never) => unknown ? never : T, ...args: unknown[]): T;
  debug(message: unknown): unknown {
    return this.#write("DEBUG", message);
  }
  info<T>(message: () => T, ...args: unknown[]): T | undefined;
  info<T>(message: T extends (...args: never) => unknown ? never : T, ...args: unknown[]): T;
  info(message: unknown): unknown {
    return this.#write("INFO", message);
  }
  warn<T>(message: () => T, ...args: unknown[]): T | undefined;
  warn<T>(message: T extends (...args: never) => unknown ? never : T, ...args: unknown[]): T;
  warn(message: unknown): unknown {
    return this.#write("WARN", message);
  }
  error<T>(message: () => T, ...args: unknown[]): T | undefined;
  error<T>(message: T extends (...args: never) => unknown ? never : T, ...args: unknown[]): T;
  error(message: unknown): unknown {
    return this.#write("ERROR", message);
  }
}

/** Fails once, recovers, polls once more: a line of three of the levels. */
async function watchOnce(logger: Logger): Promise<void> {
  let polls = 0;
  const source = {
    name: "flaky",
    poll: () => {
      if (++polls === 1) return Promise.reject(new Error("down"));
      return Promise.resolve(polls === 3 ? [added("a")] : []);
    },
  };
  for await (const _ of watchExternal(source, { interval: 1, jitter: 0, logger })) break;
}

const EXPECTED = [
  "WARN Cannot poll 'flaky': down (attempt 1, next in 2 ms)",
  "INFO Polled 'flaky' again after 1 failed polls in a row",
  "DEBUG Polled 'flaky'",
];

test("a logger of @std/log fits", async () => {
  const logger = new StdLogger();
  await watchOnce(logger);
  assert.deepEqual(logger.lines, EXPECTED);
});

test("a logger of pino fits", async () => {
  const lines: string[] = [];
  const logger = pino({ level: "debug" }, {
    write(line: string) {
      const { level, msg } = JSON.parse(line);
      lines.push(`${logger.levels.labels[level]?.toUpperCase()} ${msg}`);
    },
  });
  await watchOnce(logger);
  assert.deepEqual(lines, EXPECTED);
});

test("console fits", async () => {
  const lines: string[] = [];
  const mocks = (["debug", "info", "warn"] as const).map((level) =>
    mock.method(console, level, (line: string) => lines.push(`${level.toUpperCase()} ${line}`))
  );
  try {
    await watchOnce(console);
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
  assert.deepEqual(lines, EXPECTED);
});

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

/** A program that watches a source which fails for three polls, is good for one, and so on, through two rows. */
const TWO_ROWS = (options: string) => `
  import { watchExternal } from "@koprs/external";
  let polls = 0;
  const poll = async () => {
    if (++polls % 4 !== 0) throw new Error("down");
    return [{ type: "added", item: polls }];
  };
  const watch = watchExternal({ name: "flaky", poll }, { interval: 1, jitter: 0, ${options} });
  for await (const event of watch) if (event.item === 8) break;
`;

test("without a logger, the first failure of a row and the recovery are warnings", async () => {
  const { code, stdout, stderr } = await runScript(TWO_ROWS(""));
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "" });
  const row = [
    "Cannot poll 'flaky': down (attempt 1, next in 2 ms)",
    "Polled 'flaky' again after 3 failed polls in a row",
  ];
  assert.deepEqual(stderr.trim().split("\n"), [...row, ...row]);
});

test("with console as the logger the same watch prints every failure", async () => {
  const { code, stdout, stderr } = await runScript(TWO_ROWS("logger: console"));
  assert.equal(code, 0);
  assert.equal((stdout + stderr).match(/attempt 3, next in 8 ms/g)?.length, 2);
});

test("with 'logger: false' nothing is printed, whatever happens", async () => {
  const { code, stdout, stderr } = await runScript(
    TWO_ROWS("logger: false") + `
    const broken = watchExternal({ name: "broken", poll }, {
      interval: 1,
      logger: false,
      onError() {
        throw new Error("enough");
      },
    });
    polls = 0;
    await broken.getReader().read().catch(() => {});
  `,
  );
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
});

test("what a source warns of goes to the logger, or is printed where there is none", async (t) => {
  const printed: unknown[] = [];
  t.mock.method(console, "warn", (line: unknown) => void printed.push(line));
  const lines: string[] = [];
  const note = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  const logger = { debug() {}, info: note("info"), warn: note("warn"), error: note("error") };
  const source = (): ExternalSource<string> => ({
    name: "odd",
    poll: ({ onWarning }) => {
      onWarning?.("'odd' is out\nof order");
      return Promise.resolve([added("a")]);
    },
  });
  for (const options of [{ logger }, { logger: false as const }, {}]) {
    for await (const _ of watchExternal(source(), { interval: 1, ...options })) break;
  }
  assert.deepEqual(lines, ["warn 'odd' is out\\nof order"]);
  assert.deepEqual(printed, ["'odd' is out\\nof order"]);
});

test("without a failure nothing is printed", async () => {
  const { code, stdout, stderr } = await runScript(`
    import { watchExternal } from "@koprs/external";
    const poll = async () => [{ type: "added", item: 1 }];
    for await (const event of watchExternal({ name: "fine", poll }, 1)) break;
  `);
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
});

/** What console was given during `body`, a line a call. */
async function printed(body: () => Promise<void>): Promise<string[]> {
  const lines: string[] = [];
  const mocks = (["debug", "log", "info", "warn", "error"] as const).map((level) =>
    mock.method(console, level, (...args: unknown[]) => lines.push([level, ...args].join(" ")))
  );
  try {
    await body();
  } finally {
    for (const { mock } of mocks) mock.restore();
  }
  return lines;
}

test("what ends the stream is logged as an error, with and without a logger", async () => {
  const state = new ExternalError("checkpoint", "Cannot trust the state");
  const cases: [string, Partial<WatchOptions>, unknown, string][] = [
    [
      "state that cannot be trusted",
      {},
      state,
      "Cannot go on watching 'manual': Cannot trust the state (this ends the watch)",
    ],
    [
      "onError that throws",
      {
        onError() {
          throw new Error("https://ada:lovelace@host/?token=hunter2 is\nenough");
        },
      },
      new Error("down"),
      "Cannot go on watching 'manual' as 'onError' failed: https://host/?token=*** is enough " +
      "(this ends the watch)",
    ],
    [
      "onError that rejects",
      { onError: (() => Promise.reject(new Error("enough"))) as () => void },
      new Error("down"),
      "Cannot go on watching 'manual' as 'onError' failed: enough (this ends the watch)",
    ],
  ];
  for (const [what, options, thrown, expected] of cases) {
    for (const given of [true, false]) {
      const errors: string[] = [];
      const logger = {
        debug() {},
        info() {},
        warn() {},
        error: (line: string) => errors.push(`error ${line}`),
      };
      const lines = await printed(() =>
        withWatch(
          { logger: given ? logger : undefined, ...options },
          async ({ source, reader }) => {
            const read = begin(reader.read());
            await settle();
            await source.last.fail(thrown);
            await assert.rejects(read);
          },
        )
      );
      const told = given ? errors : lines.filter((line) => line.startsWith("error"));
      assert.deepEqual(told, [`error ${expected}`], what);
      if (given) assert.deepEqual(lines, [], "console is left alone");
    }
  }
});

test("an end that was asked for is no error: nothing is printed", async () => {
  const ends: ((watch: ExternalWatch<string>, controller: AbortController) => unknown)[] = [
    (_, controller) => controller.abort(),
    (watch) => watch.close(),
    (watch) => watch[Symbol.asyncDispose](),
  ];
  for (const end of ends) {
    const controller = new AbortController();
    const { signal } = controller;
    const lines = await printed(() =>
      withWatch({ logger: undefined, signal }, async ({ watch, reader }) => {
        const read = begin(reader.read());
        await settle();
        await end(watch, controller);
        await read.catch(() => {});
      })
    );
    assert.deepEqual(lines, []);
  }
});

test("a poll whose events always break off tells of each failure and recovery", async () => {
  const lines = await printed(() =>
    withWatch({ logger: undefined }, async ({ clock, source, reader }) => {
      let read = reader.read();
      await settle();
      for (const wait of [200, 400]) {
        await source.last.answerWith((function* () {
          yield added("a");
          throw new Error("broken");
        })());
        await read;
        read = begin(reader.read());
        await clock.tick(wait);
      }
    })
  );
  assert.deepEqual(lines, [
    "warn Cannot poll 'manual': broken (attempt 1, next in 200 ms)",
    "warn Polled 'manual' again after 1 failed polls in a row",
    "warn Cannot poll 'manual': broken (attempt 2, next in 400 ms)",
  ]);
});

test("B3: every line is one line, without control characters, whatever source and error hold", async () => {
  const name = "evil\nname\x1b[31m\u2028";
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const logger = { debug: log, info: log, warn: log, error: log };
  const thrown = [
    new Error("a\nb\x1b[2J\u202e"),
    new ExternalError("store", "c\r\nd"),
    "e\0f",
    Object.assign(new Error("outer\n"), { cause: new Error("inner\u2029") }),
  ];
  await withClock(async (clock) => {
    let polls = 0;
    const source: ExternalSource<string> = {
      name,
      poll: () =>
        polls < thrown.length ? Promise.reject(thrown[polls++]) : Promise.resolve({
          [Symbol.iterator]: () => ({
            next: () => ({ done: false, value: added("a") }),
            return() {
              throw new Error("stuck\nfast");
            },
          }),
        }),
    };
    const watch = watchExternal(source, { interval: 1, jitter: 0, maxBackoff: 1, logger });
    const reader = watch.getReader();
    const read = reader.read();
    for (const _ of thrown) await clock.tick(1);
    await read;
    await reader.cancel();
  });
  assert.equal(lines.length, thrown.length + 2);
  for (const line of lines) {
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(line, /[\0-\x1f\x7f-\x9f\u2028\u2029\u202e]/);
  }
});
