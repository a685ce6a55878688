/**
 * Watch what lives outside the cluster: poll it, work out what changed, and read the changes from one
 * `ReadableStream`.
 *
 * @module
 */
export * from "./checkpoint.ts";
export * from "./collection.ts";
export * from "./error.ts";
export * from "./group.ts";
export * from "./http.ts";
export * from "./store.ts";
export * from "./watcher.ts";
