/**
 * The watch: polls a source, and hands over its changes as one `ReadableStream`.
 *
 * @example A source of your own
 * ```ts
 * import { type ExternalSource, watchExternal } from "@koprs/external/watcher";
 *
 * let load = 0;
 * const source: ExternalSource<number> = {
 *   name: "load",
 *   poll: () => Promise.resolve([{ type: "modified", item: load++ }]),
 * };
 * for await (const event of watchExternal(source, 10)) {
 *   if (event.item === 2) break;
 * }
 * ```
 *
 * @module
 */
export { ExternalWatch, watchExternal } from "./_watch/external_watch.ts";
export type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "./_diff/source.ts";
export type { ExternalPart } from "./_diff/part.ts";
export type { Logger } from "./_errors/logger.ts";
export type { StreamIterator } from "./_watch/iterator.ts";
export { RequestBudget } from "./_watch/request_budget.ts";
export type { RequestLimit } from "./_watch/request_budget.ts";
export type { HotPart } from "./_watch/hot_parts.ts";
export type { HandleContext, HandleOptions } from "./_watch/handle_options.ts";
export type { FailureInfo, PollInfo, WatchOptions } from "./_watch/options.ts";
export type { WatchPhase, WatchStatus } from "./_watch/status.ts";
