import {
  type ExternalSource,
  ExternalWatch,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualSource, settle } from "./_watch.ts";

type ErrorClass = typeof TypeError | typeof RangeError;

/** Asserts that these options are refused, for every way to make a watch, and leave the source free. */
function refuses(options: unknown, kind: ErrorClass, message: string): void {
  const source = new ManualSource();
  const expected = (error: unknown) => {
    assert.equal((error as Error).constructor, kind, String(error));
    assert.equal((error as Error).message, message);
    return true;
  };
  assert.throws(() => watchExternal(source, options as WatchOptions), expected);
  assert.throws(() => new ExternalWatch(source, options as WatchOptions), expected);
  assert.equal(source.polls.length, 0);
  watchExternal(source, 1);
}

test("W8: an interval that is no positive, finite number is refused", () => {
  const range = (value: unknown) =>
    `Cannot watch as 'interval' must be positive and finite: current value is ${value}`;
  const type = (value: unknown) =>
    `Cannot watch as 'interval' must be a number: current value is of type ${typeof value}`;
  for (const interval of [0, -0, -1, NaN, Infinity, -Infinity]) {
    refuses(interval, RangeError, range(interval));
    refuses({ interval }, RangeError, range(interval));
  }
  for (const interval of [undefined, null, "30s", 30n, true, {}, []]) {
    refuses({ interval }, TypeError, type(interval));
  }
});

test("W8: options that are neither a number nor an object are refused", () => {
  for (const options of [undefined, null, "30s", true, 5n]) {
    refuses(
      options,
      TypeError,
      `Cannot watch as the options must be an interval in ms or an object: current value is ${options}`,
    );
  }
});

test("W8: a minBackoff, maxBackoff or timeout that is no positive, finite number is refused", () => {
  for (const option of ["minBackoff", "maxBackoff", "timeout"]) {
    for (const value of [0, -5, NaN, Infinity]) {
      refuses(
        { interval: 1, [option]: value },
        RangeError,
        `Cannot watch as '${option}' must be positive and finite: current value is ${value}`,
      );
    }
    for (const value of [null, "5", {}, 5n]) {
      refuses(
        { interval: 1, [option]: value },
        TypeError,
        `Cannot watch as '${option}' must be a number: current value is of type ${typeof value}`,
      );
    }
  }
});

test("W8: a minBackoff above the maxBackoff is refused", () => {
  refuses(
    { interval: 1, minBackoff: 20, maxBackoff: 19 },
    RangeError,
    "Cannot watch as 'minBackoff' must not be above 'maxBackoff': current values are 20 and 19",
  );
});

test("W8: a jitter outside 0 to 1 is refused", () => {
  for (const jitter of [-0.1, 1.1, NaN, Infinity, -Infinity]) {
    refuses(
      { interval: 1, jitter },
      RangeError,
      `Cannot watch as 'jitter' must be from 0 to 1: current value is ${jitter}`,
    );
  }
  for (const jitter of [null, "0.1", false]) {
    refuses(
      { interval: 1, jitter },
      TypeError,
      `Cannot watch as 'jitter' must be a number: current value is of type ${typeof jitter}`,
    );
  }
});

test("W8: a signal that is no AbortSignal is refused", () => {
  for (const signal of [null, {}, "abort", 5, new AbortController(), new EventTarget()]) {
    refuses({ interval: 1, signal }, TypeError, "Cannot watch as 'signal' must be an AbortSignal");
  }
});

test("W8: an onError that is no function is refused", () => {
  for (const onError of [null, {}, "log", 5]) {
    refuses({ interval: 1, onError }, TypeError, "Cannot watch as 'onError' must be a function");
  }
});

test("W8: a logger without one of its four methods is refused", () => {
  for (const level of ["debug", "info", "warn", "error"]) {
    const logger = { debug() {}, info() {}, warn() {}, error() {}, [level]: undefined };
    refuses(
      { interval: 1, logger },
      TypeError,
      `Cannot watch as 'logger' has no '${level}' method`,
    );
  }
  for (const logger of [null, true, 0, "", 5, "console", () => {}]) {
    refuses({ interval: 1, logger }, TypeError, "Cannot watch as 'logger' has no 'debug' method");
  }
});

test("W8: a checkpoint without 'load' or 'save' is refused", () => {
  const [load, save] = [() => Promise.resolve(undefined), () => Promise.resolve()];
  for (const checkpoint of [null, {}, false, "folder", { load }, { save }, { load, save: true }]) {
    refuses(
      { interval: 1, checkpoint },
      TypeError,
      "Cannot watch as 'checkpoint' has no 'load' or no 'save' method",
    );
  }
});

test("W8: messages are one line, whatever the source is called", () => {
  const source = Object.assign(new ManualSource(), { name: "evil\nname" });
  const checkpoint = { load: () => Promise.resolve(undefined), save: () => Promise.resolve() };
  const message = /^Cannot watch 'evil\\nname' [^\n]*$/;
  assert.throws(() => watchExternal(source, { interval: 1, checkpoint }), { message });
  const restorable = () =>
    Object.assign({ ...source }, { poll: source.poll, save() {}, restore() {} });
  const first = watchExternal(restorable() as never, { interval: 1, checkpoint });
  assert.throws(() => watchExternal(restorable() as never, { interval: 1, checkpoint }), {
    message,
  });
  first.close();
  watchExternal(source, 1);
  assert.throws(() => watchExternal(source, 1), { message });
});

test("W8: a source without 'poll' or 'name' is refused", () => {
  const refused = (source: unknown, message: string) =>
    assert.throws(
      () => watchExternal(source as ExternalSource<unknown>, 1),
      { name: "TypeError", message },
    );
  const poll = () => Promise.resolve([]);
  for (const source of [undefined, null, 5, "x", {}, { name: "x" }, { name: "x", poll: 5 }]) {
    refused(source, "Cannot watch as the source has no 'poll' method");
  }
  for (const name of [undefined, null, "", 5]) {
    refused({ name, poll }, "Cannot watch as the source has no 'name'");
  }
});

test("W8: everything within range is taken", () => {
  const { signal } = new AbortController();
  const fine: (number | WatchOptions)[] = [
    1,
    Number.MIN_VALUE,
    2 ** 40,
    { interval: 1 },
    { interval: 1, jitter: 0 },
    { interval: 1, jitter: 1 },
    { interval: 5, maxBackoff: 1 },
    { interval: 5, minBackoff: 1 },
    { interval: 5, minBackoff: 1_000 },
    { interval: 5, minBackoff: 7, maxBackoff: 7 },
    { interval: 1, logger: false },
    { interval: 1, maxBackoff: 2 ** 40, timeout: 2 ** 40 },
    { interval: 1, signal, logger: console, onError() {} },
    { interval: 1, signal: undefined, logger: undefined, onError: undefined, timeout: undefined },
    { interval: 1, minBackoff: undefined, maxBackoff: undefined, checkpoint: undefined },
  ];
  for (const options of fine) watchExternal(new ManualSource(), options);
});

test("options changed after the start change nothing", async () => {
  const seen: string[] = [];
  const options: WatchOptions = {
    interval: 1_000,
    logger: false,
    onError: () => seen.push("first"),
  };
  const source = new ManualSource();
  const reader = watchExternal(source, options).getReader();
  options.onError = () => seen.push("second");
  const read = reader.read();
  await settle();
  await source.last.fail();
  assert.deepEqual(seen, ["first"]);
  await reader.cancel();
  await read;
});
