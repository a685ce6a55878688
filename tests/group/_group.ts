/** What the tests of groups share: sources that do as they are told, and a group on a clock moved by hand. */
import {
  type ExternalError,
  type FailureInfo,
  type GroupEvent,
  type GroupOptions,
  WatchGroup,
  type WatchStatus,
} from "@koprs/external";
import assert from "node:assert/strict";
import { type Clock, ManualSource, settle, withClock } from "../watch/_watch.ts";

/** A source that answers when the test says so. */
export class NamedSource extends ManualSource {
  override readonly name: string;
  readonly host?: string;

  constructor(name: string, host?: string) {
    super();
    this.name = name;
    if (host !== undefined) this.host = host;
  }

  /** Whether a poll is to be answered. */
  get isAsked(): boolean {
    return this.running > 0;
  }
}

export interface GroupSetup {
  readonly clock: Clock;
  readonly group: WatchGroup<string>;
  readonly reader: ReadableStreamDefaultReader<GroupEvent<string>>;
  readonly failures: { error: ExternalError; info: FailureInfo }[];
  readonly statuses: [string, WatchStatus][];
}

/** A group whose sources are polled every 100 ms, without jitter or a log unless asked for, on a clock moved by hand. */
export function withGroup(
  options: Partial<GroupOptions>,
  body: (setup: GroupSetup) => Promise<void>,
): Promise<void> {
  return withClock(async (clock) => {
    const failures: GroupSetup["failures"] = [];
    const statuses: GroupSetup["statuses"] = [];
    const group = new WatchGroup<string>({
      interval: 100,
      jitter: 0,
      logger: false,
      onError: (error, info) => failures.push({ error, info }),
      onStatus: (name, status) => statuses.push([name, status]),
      ...options,
    });
    const reader = group.getReader();
    await body({ clock, group, reader, failures, statuses });
    // A stream that has failed rejects this with its error.
    await reader.cancel().catch(() => {});
    await settle();
    assert.equal(clock.timers, 0, "timers left");
  });
}

/** What a read gave, in short. */
export async function short(
  read: Promise<ReadableStreamReadResult<GroupEvent<string>>>,
): Promise<string> {
  const { done, value } = await read;
  return done ? "end" : `${value.source} ${value.type} ${value.item}`;
}

/** Adds sources, and has each polled once, with nothing to report. */
export async function addPolled(
  { clock, group, reader }: GroupSetup,
  ...sources: NamedSource[]
): Promise<{ read: Promise<ReadableStreamReadResult<GroupEvent<string>>> }> {
  for (const source of sources) group.add(source);
  const read = reader.read();
  read.catch(() => {});
  for (let ms = 0; ms <= 100; ms++) {
    await clock.tick(1);
    for (const source of sources) if (source.isAsked) await source.last.answer();
  }
  for (const source of sources) assert.ok(source.polls.length >= 1, source.name);
  return { read };
}
