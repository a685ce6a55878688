/** What whoever drives a machine may want otherwise than a watch. */
export interface MachineSetting {
  /** As `fail`, for what a callback of the user has thrown. */
  readonly broke?: (error: unknown) => boolean;
  /** Whether the state is claimed, so that whoever had the source before cannot overwrite it. */
  readonly claim?: boolean;
  /** Whether metrics do not name the source. */
  readonly totals?: boolean;
}

/** How a machine is to poll. */
export interface PollRequest {
  /** The events are to be handed out side by side. Not before `mayPoll`. */
  readonly each?: boolean;
  /** The source is asked for what it withdraws, and not polled. */
  readonly withdraw?: boolean;
}
