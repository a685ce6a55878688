/** What the tests of parts share: a source that can be polled in parts, and a watch of it. */
import {
  type ExternalError,
  type ExternalPart,
  type ExternalWatch,
  type FailureInfo,
  type PollInfo,
  type PollOptions,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import { begin, type Clock, type Event, ManualSource, settle, withClock } from "./_watch.ts";

/** A source that can be polled in parts, and notes them. */
export class PartSource extends ManualSource {
  readonly parts: boolean = true;
  readonly asked: (ExternalPart | "all")[] = [];

  override poll(options: PollOptions): Promise<Iterable<Event>> {
    this.asked.push(options.part ?? "all");
    return super.poll(options);
  }
}

export interface Setup {
  readonly clock: Clock;
  readonly source: PartSource;
  readonly watch: ExternalWatch<string>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
  readonly polls: PollInfo[];
}

/** A watch that polls every 1000 ms, whose first poll is done and whose reader waits. */
export function withParts(
  body: (setup: Setup) => Promise<void>,
  options: Partial<WatchOptions> = {},
): Promise<void> {
  return withClock(async (clock) => {
    const source = new PartSource();
    const failures: Setup["failures"] = [];
    const polls: PollInfo[] = [];
    const watch = watchExternal(source, {
      interval: 1_000,
      jitter: 0,
      logger: false,
      onError: (error, info) => void failures.push({ error, info }),
      onPoll: (poll) => void polls.push(poll),
      ...options,
    });
    const reader = watch.getReader();
    begin(reader.read());
    await settle();
    await source.last.answer();
    await body({ clock, source, watch, failures, polls });
    await reader.cancel();
  });
}
