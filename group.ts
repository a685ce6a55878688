/**
 * Many sources as one stream: they can be added and removed while it is read, take turns, and can be shared between
 * processes.
 *
 * @module
 */
export { WatchGroup } from "./_group/watch_group.ts";
export type { Followed, FollowOptions } from "./_group/follow.ts";
export type { GroupEvent, GroupOptions, RemoveOptions } from "./_group/options.ts";
export type { GroupOwner } from "./_group/ownership.ts";
export type { ExternalEvent, ExternalSource } from "./_diff/source.ts";
export type { HandleContext, HandleOptions } from "./_watch/handle_options.ts";
export type { StreamIterator } from "./_watch/iterator.ts";
export type { WatchOptions } from "./_watch/options.ts";
export type { WatchPhase, WatchStatus } from "./_watch/status.ts";
