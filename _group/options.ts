/** The options of a group, checked up front. */
import { RequestBudget, type RequestLimit } from "../_watch/request_budget.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { checkCount } from "../_errors/checks.ts";
import { checkWatch, type WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import type { GroupOwner } from "./ownership.ts";

/** An event of one of the sources of a group. */
export type GroupEvent<T> = ExternalEvent<T> & {
  /** The name of the source. */
  readonly source: string;
};

/** How to watch many sources as one. The options of a watch hold for every source that is not added with its own. */
export interface GroupOptions extends WatchOptions {
  /**
   * The most requests that all sources together make, on average. A source that is added with its own `maxRequests` has
   * that instead: one {@linkcode RequestBudget} for all sources of a host limits the requests to that host.
   *
   * @default {undefined} no limit
   */
  maxRequests?: RequestLimit;
  /**
   * The name of the group in metrics.
   *
   * @default {"group"}
   */
  name?: string;
  /**
   * How many polls may be under way at once: a whole number. Half of them are kept for sources whose last poll was good
   * and took no longer than a second, so that sources that hang do not block the others.
   *
   * @default {64}
   */
  polls?: number;
  /**
   * How many polls of one host may be under way at once: a whole number. This holds for sources that have a `host`,
   * such as `HttpPoller`.
   *
   * @default {polls}
   */
  pollsPerHost?: number;
  /**
   * Decides which of the sources this process polls. With an owner, the state of a source is claimed before its first
   * poll, if the checkpoint store can, so that the process that had the source before cannot overwrite it.
   *
   * @default {undefined} all of them
   */
  owner?: GroupOwner;
  /**
   * Called after a poll whose outcome differs from that of the poll before it of the same source: the first poll, a
   * failure, the recovery from it, and an error that stops the source. If it throws, the stream ends with what it
   * threw.
   */
  onStatus?: (name: string, status: WatchStatus) => void;
  /**
   * Whether metrics name their source, or only give totals of all sources. With names, every source is a series of its
   * own in each metric.
   *
   * @default {"sources"}
   */
  telemetry?: "sources" | "totals";
}

/** How to remove a source from a group. */
export interface RemoveOptions {
  /**
   * First hands over a `removed` for every known item of the source. The source is no longer polled after the call; the
   * promise settles when the last of these events was handled. For sources that have `withdraw`.
   *
   * @default {false}
   */
  report?: boolean;
  /**
   * Deletes the state in the checkpoint store: a source that is added under this name later starts from nothing.
   *
   * @default {false}
   */
  forget?: boolean;
}

const DEFAULT_POLLS = 64;

/** The checked options of a group. */
export interface GroupSetting {
  readonly name: string;
  readonly polls: number;
  readonly pollsPerHost: number;
  readonly owner: GroupOwner | undefined;
  readonly onStatus: GroupOptions["onStatus"];
  readonly totals: boolean;
  /** The options for every source. */
  readonly defaults: WatchOptions;
}

/** A dummy source, to check the defaults with. */
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
  // One budget for all sources, not one for each.
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
