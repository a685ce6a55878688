/** How a watch is doing. */
import type { ExternalError } from "../_errors/external_error.ts";

/**
 * What a watch is doing: `idle` until the first read and whenever an event or a wait has passed and
 * nobody reads, `polling`, `delivering` while the events of a poll are being read, `waiting` for the next
 * poll, and `closed` for good.
 */
export type WatchPhase = "idle" | "polling" | "delivering" | "waiting" | "closed";

/**
 * How a watch is doing: a plain object, as of the moment it was asked for. As JSON it tells all of it, the last error
 * with its code and message included. Times are whole milliseconds.
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
  /** Saves of the state that failed in a row; missing after a good one, and without a checkpoint. */
  readonly failedSaves?: number;
  /** Items that a handler failed for and that were not handled since; missing if there are none. */
  readonly aside?: number;
  /** When the last good poll ended, in milliseconds since the epoch. */
  readonly lastSuccess?: number;
  /** Why the last poll, save or handler that failed did so, also when a good one followed, and what ended the stream. */
  readonly lastError?: ExternalError;
  /** When the next poll of everything is due, in milliseconds since the epoch. */
  readonly nextPoll?: number;
  /** Requests made so far, as far as the source counts them; missing where it does not. */
  readonly requests?: number;
  /**
   * Requests a day at this rate, to be multiplied by what one costs: of the last polls of everything, as often as they came,
   * and of the parts that were polled within the last hour. Missing before the first poll has ended.
   */
  readonly requestsPerDay?: number;
  /** Milliseconds by which `maxRequests` puts off the next poll of everything; missing if it does not. */
  readonly putOff?: number;
}
