/**
 * Watches one HTTP resource with conditional requests. Whether it changed is decided by its content.
 *
 * @example
 * ```ts
 * import { HttpPoller } from "@koprs/external/http";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * const poller = new HttpPoller("https://example.com/config.json", {
 *   fetch: () => Promise.resolve(Response.json({ replicas: 3 })), // a stand-in for the server
 * });
 * for await (const event of watchExternal(poller, 30_000)) {
 *   if (event.type === "removed") console.log("gone");
 *   else console.log(event.type, event.item.json()); // added { replicas: 3 }
 *   break;
 * }
 * ```
 *
 * @module
 */
export type { CadenceField, CadenceOptions } from "./_http/cadence.ts";
export {
  HttpPoller,
  type HttpPollerOptions,
  type HttpResource,
  type StandardIssue,
  type StandardResult,
  type StandardSchemaV1,
} from "./_http/http_poller.ts";
