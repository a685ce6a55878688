/** How a watch is doing. */
import type { ExternalError } from "../_errors/external_error.ts";

/**
 * What a watch is doing: `polling`; `delivering` while the events of a poll are being read; `waiting` for the next
 * poll; `closed` for good; or `idle` when it does none of these, such as before the first read.
 */
export type WatchPhase = "idle" | "polling" | "delivering" | "waiting" | "closed";

/**
 * How a watch is doing: a plain object, as of the moment it was asked for. It can be written as JSON, which includes
 * the code and the message of the last error. Times are whole milliseconds.
 */
export interface WatchStatus {
  /** What the watch is doing. */
  readonly phase: WatchPhase;
  /** Polls begun so far. */
  readonly polls: number;
  /** Events handed over so far. */
  readonly events: number;
  /** Failed polls in a row; 0 after a good one. */
  readonly failures: number;
  /** Saves of the state that failed in a row; missing after a good save, and without a checkpoint. */
  readonly failedSaves?: number;
  /** Items whose handler failed and that were not handled since; missing if there are none. */
  readonly aside?: number;
  /** When the last good poll ended, in milliseconds since the epoch. */
  readonly lastSuccess?: number;
  /**
   * The error of the last poll, save or handler that failed, even if a good one followed, or the error that ended the
   * stream.
   */
  readonly lastError?: ExternalError;
  /** When the next poll of everything is due, in milliseconds since the epoch. */
  readonly nextPoll?: number;
  /** Requests made so far, if the source counts them; missing otherwise. */
  readonly requests?: number;
  /**
   * Requests a day at the current rate, to estimate what they cost: those of the last polls of everything, at the rate
   * at which these came, and those for parts in the last hour. Missing before the first poll has ended.
   */
  readonly requestsPerDay?: number;
  /** Milliseconds by which `maxRequests` puts off the next poll of everything; missing if it does not. */
  readonly putOff?: number;
}
