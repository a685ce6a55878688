/** Checks options up front, with the errors that misuse deserves. */
import type { Pace } from "./_backoff.ts";
import type { ExternalSource, WatchOptions } from "./watcher.ts";

const DEFAULT_JITTER = 0.1;
const DEFAULT_BACKOFF_FACTOR = 32;

/** Checks what `watchExternal` was given, and works out the pace. */
export function checkWatch(source: ExternalSource<unknown>, options: WatchOptions): Pace {
  if (typeof source?.poll !== "function") {
    throw new TypeError("Cannot watch as the source has no 'poll' method");
  }
  if (typeof source.name !== "string" || source.name === "") {
    throw new TypeError("Cannot watch as the source has no 'name'");
  }
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot watch as the options must be an interval in ms or an object: current value is ${
        String(options)
      }`,
    );
  }
  const { interval, jitter = DEFAULT_JITTER, timeout, signal, logger, onError } = options;
  checkPositive("watch", "interval", interval);
  const { maxBackoff = interval * DEFAULT_BACKOFF_FACTOR } = options;
  checkPositive("watch", "maxBackoff", maxBackoff);
  if (timeout !== undefined) checkPositive("watch", "timeout", timeout);
  checkShare("watch", "jitter", jitter);
  // By shape: a signal of another realm, or a polyfill's, is as good.
  if (signal !== undefined && typeof signal?.addEventListener !== "function") {
    throw new TypeError("Cannot watch as 'signal' must be an AbortSignal");
  }
  if (onError !== undefined && typeof onError !== "function") {
    throw new TypeError("Cannot watch as 'onError' must be a function");
  }
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (logger !== undefined && typeof logger?.[level] !== "function") {
      throw new TypeError(`Cannot watch as 'logger' has no '${level}' method`);
    }
  }
  return { interval, maxBackoff, jitter };
}

/** Throws unless the option is a finite number above zero. */
export function checkPositive(
  verb: string,
  option: string,
  value: unknown,
): asserts value is number {
  checkNumber(verb, option, value);
  if (!(value > 0 && value < Infinity)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be positive and finite: current value is ${value}`,
    );
  }
}

/** Throws unless the option is a share, a number from 0 to 1. */
export function checkShare(verb: string, option: string, value: unknown): asserts value is number {
  checkNumber(verb, option, value);
  if (!(value >= 0 && value <= 1)) {
    throw new RangeError(
      `Cannot ${verb} as '${option}' must be from 0 to 1: current value is ${value}`,
    );
  }
}

function checkNumber(verb: string, option: string, value: unknown): asserts value is number {
  if (typeof value !== "number") {
    throw new TypeError(
      `Cannot ${verb} as '${option}' must be a number: current value is of type ${typeof value}`,
    );
  }
}
