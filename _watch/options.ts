/** The options of a watch, checked up front. */
import { checkHotParts, type HotPart } from "./hot_parts.ts";
import { checkRequestLimit, type RequestLimit } from "./request_budget.ts";
import type { Pace } from "./pace.ts";
import { checkPositive, checkShare } from "../_errors/checks.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";

/** What `onError` learns about a failed poll, a failed save of the state, or an item that was not handled. */
export interface FailureInfo {
  /** How many polls, saves, or attempts at the item in a row have failed, this one included: 1, 2, … */
  readonly attempt: number;
  /** Milliseconds until the next poll, or until the item comes again: a whole number. */
  readonly wait: number;
}

/** What `onPoll` learns about a poll. */
export interface PollInfo {
  /** `changed` and `unchanged` are good polls. A good one whose events broke off has `failed` after all. */
  readonly outcome: "changed" | "unchanged" | "failed";
  /** Milliseconds that the poll took, without the time in which its events were handled. */
  readonly duration: number;
  /** Requests it made, as far as the source counts them. */
  readonly requests: number;
  /** Events it had: those handed over, if it failed. */
  readonly events: number;
  /** The part that was polled alone; missing for a poll of everything. */
  readonly part?: ExternalPart;
  /** Why it failed. */
  readonly error?: ExternalError;
  /** Milliseconds until the next poll, as of now: a whole number. */
  readonly wait: number;
}

/** How to watch a source. Times are in milliseconds. */
export interface WatchOptions {
  /** From the end of one good poll to the next. */
  interval: number;
  /**
   * The wait after a first failure. It doubles with each further one in a row, up to `maxBackoff`.
   *
   * @default {interval * 2}
   */
  minBackoff?: number;
  /**
   * The longest wait after failures: after the n-th in a row it is `min(minBackoff × 2ⁿ⁻¹, maxBackoff)`. Shorter
   * than the interval, a failed poll is repeated sooner than a good one.
   *
   * What a server asks for in `Retry-After` or as the reset of a rate limit lengthens such a wait: up to
   * `maxBackoff` where you set it, up to one day where you do not.
   *
   * @default {interval * 32} or `minBackoff`, if that is longer
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
   * Where to keep the state, under the name of the source, so that a restart goes on where this run stopped.
   *
   * The state is saved before the first event of a poll is handed over, behind the last, and in between: after 100
   * events or 250 ms at first, then less and less often, up to every 10,000 events or 5 s, and not for more than
   * about a tenth of the time. So a crash at any moment loses no change. What a restart may repeat, since nobody
   * knows how far it was handled:
   *
   * - every event handed over since the last save, with its newest state: an `added` for an item you know, a
   *   `modified` or `removed` that you have handled
   * - a `modified` for an item you were last told of as `removed`
   * - a `removed` for an item you were never told of
   * - a `modified` without any change, for an item whose change was undone meanwhile
   *
   * A load, and a save, may take 60 s, and a save a second more for each megabyte. One that fails or takes longer is
   * reported like a failed poll, with code `checkpoint`, and tried again; no save begins while an earlier one is
   * under way. A state larger than 2 GiB is not saved, since it could not be loaded.
   *
   * A checkpoint that is damaged or of something else ends the stream with an error of code `checkpoint`, and is
   * left as it is.
   *
   * @default {undefined} a restart begins anew
   */
  checkpoint?: CheckpointStore;
  /**
   * Where to log: `console` fits. `false` for nowhere.
   *
   * @default {undefined} the first of several failures in a row, the recovery from them (both `console.warn`), and
   * the error that ends the stream (`console.error`)
   */
  logger?: Logger | false;
  /**
   * Called for every failed poll, every failed save of the state, and every item that a handler given to `handle` failed
   * for. If it throws, the stream ends with what it threw.
   */
  onError?: (error: ExternalError, info: FailureInfo) => void;
  /**
   * Called after every poll: once its events were handed out and handled, or set aside, or once it has failed. Not for a
   * poll that the end of the watch cut short. If it throws, the stream ends with what it threw.
   */
  onPoll?: (poll: PollInfo) => void;
  /**
   * Hands over all that is known once more, about this often: with the first poll that comes later than this after the
   * last such poll. What did not change is `modified`, with a `previous` that is equal where the source remembers it. For
   * consumers whose own effects may be undone by others.
   *
   * @default {undefined} never
   */
  resync?: number;
  /**
   * Whether the first poll hands over all that a checkpoint knows, and not only what changed since: for consumers that
   * keep nothing over a restart. What did not change is `modified`, and what is gone `removed`.
   *
   * @default {false}
   */
  replay?: boolean;
  /**
   * Parts to poll more often than everything, such as the folder of the day: for sources with `parts`. With these,
   * `interval` can be long: it finds what changed elsewhere.
   *
   * @default {[]} none
   */
  hot?: readonly HotPart[];
  /**
   * The most requests to make, on average: polls come later where they would take more, `refresh` included, and `status`
   * says so. For sources that count their requests, as all of this package do. Pass one {@linkcode RequestBudget} to several
   * watches, and they share it.
   *
   * @default {undefined} as many as it takes
   */
  maxRequests?: RequestLimit;
}

const DEFAULT_JITTER = 0.1;
const DEFAULT_MIN_FACTOR = 2;
const DEFAULT_MAX_FACTOR = 32;
const DAY = 86_400_000;

/** Checks what `watchExternal` was given, and works out the pace. */
export function checkWatch(source: ExternalSource<unknown>, options: WatchOptions): Pace {
  checkSource(source);
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot watch as the options must be an interval in ms or an object: current value is ${
        String(options)
      }`,
    );
  }
  const { timeout, signal, checkpoint, logger, onError, onPoll, resync, replay, hot, maxRequests } =
    options;
  const pace = checkPace(options);
  if (timeout !== undefined) checkPositive("watch", "timeout", timeout);
  if (signal !== undefined && !isSignal(signal)) {
    throw new TypeError("Cannot watch as 'signal' must be an AbortSignal");
  }
  if (checkpoint !== undefined) checkCheckpoint(checkpoint);
  if (onError !== undefined && typeof onError !== "function") {
    throw new TypeError("Cannot watch as 'onError' must be a function");
  }
  if (onPoll !== undefined && typeof onPoll !== "function") {
    throw new TypeError("Cannot watch as 'onPoll' must be a function");
  }
  if (resync !== undefined) checkPositive("watch", "resync", resync);
  if (maxRequests !== undefined) checkRequestLimit(maxRequests);
  if (hot !== undefined) checkHotParts(hot);
  if (hot !== undefined && hot.length > 0 && source.parts !== true) {
    throw new TypeError("Cannot watch as 'hot' is for sources that can be polled in parts");
  }
  if (replay !== undefined && typeof replay !== "boolean") {
    throw new TypeError("Cannot watch as 'replay' must be true or false");
  }
  if (logger !== undefined && logger !== false) checkLogger(logger);
  return pace;
}

function checkSource(source: ExternalSource<unknown>): void {
  if (typeof source?.poll !== "function") {
    throw new TypeError("Cannot watch as the source has no 'poll' method");
  }
  if (typeof source.name !== "string" || source.name === "") {
    throw new TypeError("Cannot watch as the source has no 'name'");
  }
}

function checkPace(options: WatchOptions): Pace {
  const { interval, jitter = DEFAULT_JITTER } = options;
  checkPositive("watch", "interval", interval);
  const { minBackoff = interval * DEFAULT_MIN_FACTOR } = options;
  checkPositive("watch", "minBackoff", minBackoff);
  const { maxBackoff = Math.max(interval * DEFAULT_MAX_FACTOR, minBackoff) } = options;
  checkPositive("watch", "maxBackoff", maxBackoff);
  if (options.minBackoff !== undefined && minBackoff > maxBackoff) {
    throw new RangeError(
      `Cannot watch as 'minBackoff' must not be above 'maxBackoff': current values are ${minBackoff} ` +
        `and ${maxBackoff}`,
    );
  }
  checkShare("watch", "jitter", jitter);
  const maxRetryAfter = options.maxBackoff ?? Math.max(maxBackoff, DAY);
  return { interval, minBackoff, maxBackoff, maxRetryAfter, jitter };
}

/** By shape: a signal of another realm, or a polyfill's, is as good. */
function isSignal(signal: AbortSignal | null): boolean {
  return typeof signal?.addEventListener === "function" &&
    typeof signal.removeEventListener === "function" && typeof signal.aborted === "boolean";
}

function checkCheckpoint(checkpoint: CheckpointStore | null): void {
  if (typeof checkpoint?.load !== "function" || typeof checkpoint.save !== "function") {
    throw new TypeError("Cannot watch as 'checkpoint' has no 'load' or no 'save' method");
  }
}

function checkLogger(logger: Logger | null): void {
  for (const level of ["debug", "info", "warn", "error"] as const) {
    if (typeof logger?.[level] !== "function") {
      throw new TypeError(`Cannot watch as 'logger' has no '${level}' method`);
    }
  }
}
