import type { StartTimer } from "../_bounds/timer.ts";

/** Settings of a machine that a group needs and a watch does not. */
export interface MachineSetting {
  /** Called instead of `fail` with what a callback of the user threw. */
  readonly broke?: (error: unknown) => boolean;
  /** Whether to claim the state, so that the process that had the source before cannot overwrite it. */
  readonly claim?: boolean;
  /** Whether the metrics leave out the name of the source. */
  readonly totals?: boolean;
  /** Starts the timers of requests; without it, each has a timer of its own. */
  readonly startTimer?: StartTimer;
}

/** How a machine is to poll. */
export interface PollRequest {
  /** Whether the events go to handlers that run side by side. Only to be used when `mayPoll` is true. */
  readonly each?: boolean;
  /** Whether to ask the source for what it withdraws instead of polling it. */
  readonly withdraw?: boolean;
}
