import { type Logger, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { pino } from "pino";
import { added, runScript } from "./_watch.ts";

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

const SCRIPT = (options: string) => `
  import { watchExternal } from "@koprs/external";
  let polls = 0;
  const poll = async () => {
    if (++polls < 4) throw new Error("down");
    return [{ type: "added", item: polls }];
  };
  const watch = watchExternal({ name: "flaky", poll }, { interval: 1, ${options} });
  for await (const event of watch) if (event.item === 6) break;
`;

test("T1, W8: nothing is printed by default", async () => {
  const { code, stdout, stderr } = await runScript(SCRIPT(""));
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
});

test("with console as the logger the same watch prints", async () => {
  const { code, stdout, stderr } = await runScript(SCRIPT("logger: console"));
  assert.equal(code, 0);
  assert.match(stdout + stderr, /Cannot poll 'flaky': down \(attempt 3, next in \d+ ms\)/);
});
