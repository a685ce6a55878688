/** The status line, below all other lines on a terminal. */
import type { WatchStatus } from "../_watch/status.ts";
import type { Progress } from "./progress.ts";
import { seconds } from "./report.ts";

/** One source, with its current status. */
export interface Watched {
  readonly name: string;
  readonly status: WatchStatus;
  readonly progress: Progress;
}

const BAR = 16;
/** Milliseconds that a poll takes before its progress is shown: for a shorter one it would only blink. */
const BLINK = 300;

/** One line about all sources. `now` is in milliseconds since the epoch, `clock` comes from `performance.now()`. */
export function statusLine(
  watched: readonly Watched[],
  now: number,
  clock: number,
): string {
  const [first] = watched;
  if (first === undefined) return "";
  const listing = watched.find(({ progress: { startedAt } }) =>
    startedAt !== undefined && clock - startedAt >= BLINK
  );
  if (listing !== undefined) return listingLine(listing, watched.length, clock);
  if (watched.length === 1) return oneLine(first, now);
  const failing = watched.filter(({ status }) => status.failures > 0).length;
  const polls = watched.reduce((sum, { status }) => sum + status.polls, 0);
  const aside = watched.reduce((sum, { status }) => sum + (status.aside ?? 0), 0);
  const due = watched.flatMap(({ status }) => status.nextPoll ?? []);
  return [
    `${watched.length} targets`,
    `${count(polls)} polls`,
    ...(failing > 0 ? [`${failing} failing`] : []),
    ...(aside > 0 ? [`${count(aside)} to try again`] : []),
    ...(due.length > 0 ? [`next in ${seconds(Math.min(...due) - now)}`] : []),
  ].join(" · ");
}

function oneLine({ status, progress }: Watched, now: number): string {
  const { polls, events, failures, aside, nextPoll, phase } = status;
  return [
    `${count(polls)} ${polls === 1 ? "poll" : "polls"}`,
    ...(progress.known === undefined ? [] : [`${count(progress.known)} objects`]),
    `${count(events)} ${events === 1 ? "event" : "events"}`,
    ...(failures > 0 ? [`${failures} failed in a row`] : []),
    ...(aside === undefined ? [] : [`${count(aside)} to try again`]),
    ...(nextPoll !== undefined ? [`next in ${seconds(nextPoll - now)}`] : [phase]),
  ].join(" · ");
}

function listingLine(
  { name, progress }: Watched,
  of: number,
  clock: number,
): string {
  const { listed, known, requests, startedAt = clock } = progress;
  const elapsed = clock - startedAt;
  const tail = ` ${seconds(elapsed)}`;
  const what = of === 1 ? "polling" : `polling ${name.slice(-24)}`;
  if (listed === 0) return `${what} · ${requests} requests ·${tail}`;
  const done = known === undefined || known === 0 ? undefined : Math.min(listed / known, 1);
  return `${what} ${bar(done, elapsed)} ${count(listed)} objects ·${tail}`;
}

/** A bar that shows how much is done or, if that is not known, something that moves. */
function bar(done: number | undefined, elapsed: number): string {
  if (done !== undefined) {
    const full = Math.round(done * BAR);
    return `[${"#".repeat(full)}${"-".repeat(BAR - full)}]`;
  }
  const way = 2 * (BAR - 3);
  const step = Math.floor(elapsed / 200) % way;
  const at = step < way / 2 ? step : way - step;
  return `[${"-".repeat(at)}###${"-".repeat(BAR - 3 - at)}]`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}
