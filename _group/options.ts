/** The options of a group, checked up front. */
import { RequestBudget, type RequestLimit } from "../_watch/request_budget.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkCount } from "../_errors/checks.ts";
import { checkWatch, type WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import type { GroupOwner } from "./owner.ts";

/** An event of one of the sources of a group. */
export type GroupEvent<T> = ExternalEvent<T> & {
  /** The name of the source. */
  readonly source: string;
};

/** How to watch many sources as one. What a watch takes holds for every source that is not added with something else. */
export interface GroupOptions extends WatchOptions {
  /**
   * The most requests to make, on average, by all sources together. A source that is added with a `maxRequests` of its own
   * has that instead: one {@linkcode RequestBudget} for all sources of a host bounds the requests to that host.
   *
   * @default {undefined} as many as it takes
   */
  maxRequests?: RequestLimit;
  /**
   * Names the group in metrics.
   *
   * @default {"group"}
   */
  name?: string;
  /**
   * How many polls may be under way at once: a whole number. Half of them are kept for sources whose last poll was good and took no
   * longer than a second, so that sources that hang are not in the way of the others.
   *
   * @default {64}
   */
  polls?: number;
  /**
   * How many polls may ask one host at once: a whole number. Holds for sources that tell their `host`, as `HttpPoller` does.
   *
   * @default {polls}
   */
  pollsPerHost?: number;
  /**
   * Decides which of the sources this process polls. The state of a source is claimed then before its first poll, where the
   * checkpoint store can, so that whoever had the source before cannot overwrite it.
   *
   * @default {undefined} all of them
   */
  owner?: GroupOwner;
  /**
   * Called after every poll that ended otherwise than the one before of that source: the first one, a failure, the recovery from it,
   * and what stops the source for good. If it throws, the stream ends with what it threw.
   */
  onStatus?: (name: string, status: WatchStatus) => void;
  /**
   * Whether metrics name the source they are of, or only tell of all sources in total: every source is a series of each metric.
   *
   * @default {"sources"}
   */
  telemetry?: "sources" | "totals";
}

/** How to take a source out of a group. */
export interface RemoveOptions {
  /**
   * Hands over a `removed` for everything that is known of the source first. The source is polled no more from the call
   * on; the promise settles when the last of these events was handled. For sources that have `withdraw`.
   *
   * @default {false}
   */
  report?: boolean;
  /**
   * Deletes the state in the checkpoint store: a source that is added under this name later begins afresh.
   *
   * @default {false}
   */
  forget?: boolean;
}

const DEFAULT_POLLS = 64;

/** What a group works with. */
export interface GroupSetting {
  readonly name: string;
  readonly polls: number;
  readonly pollsPerHost: number;
  readonly owner: GroupOwner | undefined;
  readonly onStatus: GroupOptions["onStatus"];
  readonly totals: boolean;
  /** What holds for every source. */
  readonly defaults: WatchOptions;
}

/** A source that stands for any, to check the defaults with. */
const ANY: ExternalSource<unknown> = {
  name: "any",
  poll: () => Promise.resolve([]),
};

/** Checks what a group was given. */
export function checkGroup(options: GroupOptions): GroupSetting {
  checkWatch(ANY, options);
  const {
    name = "group",
    polls = DEFAULT_POLLS,
    pollsPerHost = polls,
    owner,
    onStatus,
    telemetry = "sources",
    maxRequests,
    ...rest
  } = options;
  // One for all of them, and not one for each.
  const defaults = maxRequests === undefined
    ? rest
    : { ...rest, maxRequests: RequestBudget.of(maxRequests) };
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot watch as 'name' of the group must be a string that is not empty");
  }
  checkCount("watch", "polls", polls);
  checkCount("watch", "pollsPerHost", pollsPerHost);
  if (owner !== undefined) checkOwner(owner);
  if (onStatus !== undefined && typeof onStatus !== "function") {
    throw new TypeError("Cannot watch as 'onStatus' must be a function");
  }
  if (telemetry !== "sources" && telemetry !== "totals") {
    throw new TypeError(`Cannot watch as 'telemetry' must be "sources" or "totals"`);
  }
  const totals = telemetry === "totals";
  return { name, polls, pollsPerHost, owner, onStatus, totals, defaults };
}

function checkOwner(owner: GroupOwner | null): void {
  if (
    typeof owner?.owns !== "function" ||
    typeof owner.changes?.[Symbol.asyncIterator] !== "function"
  ) {
    throw new TypeError("Cannot watch as 'owner' has no 'owns' or no 'changes'");
  }
}
