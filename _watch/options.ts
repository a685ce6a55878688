/** The options of a watch, checked up front. */
import type { Pace } from "./pace.ts";
import { checkPositive, checkShare } from "../_errors/checks.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import type { ExternalSource } from "../_diff/source.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";

/** What `onError` learns about a failed poll beside the error. */
export interface FailureInfo {
  /** How many polls in a row have failed, this one included: 1, 2, … */
  readonly attempt: number;
  /** Milliseconds until the next poll. */
  readonly wait: number;
}

/** How to watch a source. Times are in milliseconds. */
export interface WatchOptions {
  /** From the end of one good poll to the next. */
  interval: number;
  /**
   * The longest wait after failures: after the n-th in a row it is `min(interval × 2ⁿ, maxBackoff)`. Shorter
   * than the interval, a failed poll is repeated sooner than a good one.
   *
   * @default {interval * 32}
   */
  maxBackoff?: number;
  /**
   * From 0 to 1: every wait is lengthened by up to this share of it, never past `maxBackoff` after a
   * failure, so that many watches do not poll in step.
   *
   * @default {0.1}
   */
  jitter?: number;
  /**
   * For one whole poll, however many requests it makes.
   *
   * @default {undefined} none: sources bound their own requests
   */
  timeout?: number;
  /** Ends the watch: the stream errors with `signal.reason`. */
  signal?: AbortSignal;
  /**
   * Where to keep the state, under the name of the source, so that a restart goes on where this run
   * stopped. Saved before the first event of a poll is handed over, every 10,000 events or 5 s while
   * they are delivered, and behind the last. A checkpoint that is damaged or of something else ends the
   * stream with an error of code `checkpoint`, and is left as it is.
   *
   * @default {undefined} a restart begins anew
   */
  checkpoint?: CheckpointStore;
  /**
   * Where to log: `console` fits.
   *
   * @default {undefined} nothing is printed
   */
  logger?: Logger;
  /** Called for every failed poll. If it throws, the stream ends with what it threw. */
  onError?: (error: ExternalError, info: FailureInfo) => void;
}

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
