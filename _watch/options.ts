/** The options of a watch, checked up front. */
import { checkHotParts, type HotPart } from "./hot_parts.ts";
import { checkRequestLimit, type RequestLimit } from "./request_budget.ts";
import type { Pace } from "./waits.ts";
import { checkPositive, checkShare } from "../_errors/checks.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";

/** What `onError` is told about a failed poll, a failed save of the state, or an item whose handler failed. */
export interface FailureInfo {
  /** How many polls, saves, or attempts at the item in a row have failed, this one included: 1, 2, … */
  readonly attempt: number;
  /** Milliseconds until the next poll, or until the item comes again: a whole number. */
  readonly wait: number;
}

/** What `onPoll` is told about a poll. */
export interface PollInfo {
  /** `changed` and `unchanged` are good polls. A poll whose events broke off has `failed`, too. */
  readonly outcome: "changed" | "unchanged" | "failed";
  /** Milliseconds that the poll took, without the time in which its events were handled. */
  readonly duration: number;
  /** Requests that it made, if the source counts them. */
  readonly requests: number;
  /** Events that it had. If it failed: those that were handed over. */
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
  /** The wait from the end of one good poll to the start of the next. */
  interval: number;
  /**
   * The wait after a first failure. It doubles with each further failure in a row, up to `maxBackoff`.
   *
   * @default {interval * 2}
   */
  minBackoff?: number;
  /**
   * The longest wait after failures: after the n-th in a row the wait is `min(minBackoff × 2ⁿ⁻¹, maxBackoff)`. If it
   * is shorter than the interval, a failed poll is repeated sooner than a good one.
   *
   * If a server asks for a longer wait, by `Retry-After` or by the reset time of a rate limit, the watch waits that
   * long: up to `maxBackoff` if you set it, or else up to one day.
   *
   * @default {interval * 32} or `minBackoff`, if that is longer
   */
  maxBackoff?: number;
  /**
   * From 0 to 1: every wait is made longer by a random share of itself, up to this one, so that many watches do not
   * poll in step. A wait after a failure never exceeds its maximum.
   *
   * @default {0.1}
   */
  jitter?: number;
  /**
   * How long one whole poll may take, however many requests it makes. If it takes longer, it fails with code
   * `timeout`.
   *
   * @default {undefined} no limit: sources limit their own requests
   */
  timeout?: number;
  /** Ends the watch: the stream errors with `signal.reason`. */
  signal?: AbortSignal;
  /**
   * Where to keep the state, under the name of the source, so that the next run continues where this one stopped.
   *
   * The state is saved before the first event of a poll is handed over, after the last, and in between: at first
   * after 100 events or 250 ms, then less and less often, up to every 10,000 events or 5 s. Saving takes no more than
   * about a tenth of the time. So a crash at any moment loses no change. A restart may repeat some events, since
   * nobody knows whether they were handled:
   *
   * - every event handed over since the last save, with its newest state: an `added` for an item you know, a
   *   `modified` or `removed` that you have handled
   * - a `modified` for an item you were last told of as `removed`
   * - a `removed` for an item you were never told of
   * - a `modified` without any change, for an item whose change was undone meanwhile
   *
   * A load or a save may take 60 s, and a save one second more for each megabyte. One that fails or takes longer is
   * reported like a failed poll, with code `checkpoint`, and tried again; no save begins while an earlier one is
   * under way. A state larger than 2 GiB is not saved, since it could not be loaded.
   *
   * A checkpoint that is damaged, or that belongs to something else, ends the stream with an error of code
   * `checkpoint`, and is left as it is.
   *
   * @default {undefined} no state is kept: each start begins from nothing
   */
  checkpoint?: CheckpointStore;
  /**
   * Where to log, such as `console`. `false` logs nothing.
   *
   * @default {undefined} `console` gets the first of several failures in a row, the recovery from them and warnings
   * of the source (`warn`), and the error that ends the stream (`error`)
   */
  logger?: Logger | false;
  /**
   * Called for every failed poll, every failed save of the state, and every item that the handler of `handle` failed
   * for. If it throws, the stream ends with what it threw.
   */
  onError?: (error: ExternalError, info: FailureInfo) => void;
  /**
   * Called after every poll: once its events were handled or set aside, or once it has failed. Not called for a poll
   * that was cut short because the watch ended. If it throws, the stream ends with what it threw.
   */
  onPoll?: (poll: PollInfo) => void;
  /**
   * How often to hand over every known item once more. The first poll that begins at least this long after the last
   * such poll does so. An unchanged item comes as `modified`, with a `previous` that is equal to it if the source
   * remembers it. For consumers whose own effects may be undone by others.
   *
   * @default {undefined} never
   */
  resync?: number;
  /**
   * Whether the first poll hands over every item that the checkpoint has, and not only what changed since: for
   * consumers that keep nothing over a restart. Unchanged items come as `modified`, and items that are gone as
   * `removed`.
   *
   * @default {false}
   */
  replay?: boolean;
  /**
   * Parts to poll more often than everything, such as the folder of the current day: for sources with `parts`. With
   * these, `interval` can be long, since its polls only have to find what changed elsewhere.
   *
   * @default {[]} none
   */
  hot?: readonly HotPart[];
  /**
   * The most requests to make, on average. Polls that would make more come later, those of `refresh` too, and
   * `putOff` of `status` tells how much later. For sources that count their requests, as all sources of this package
   * do. To share one limit, pass the same {@linkcode RequestBudget} to several watches.
   *
   * @default {undefined} no limit
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
    throw new TypeError("Cannot watch as 'hot' needs a source that can be polled in parts");
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

/** Checked by its shape, since a signal of another realm or of a polyfill is fine, too. */
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
