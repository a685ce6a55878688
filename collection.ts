/**
 * Watches any keyed list, such as a paged REST collection.
 *
 * @example
 * ```ts
 * import { CollectionPoller } from "@koprs/external/collection";
 * import { watchExternal } from "@koprs/external/watcher";
 *
 * interface User {
 *   id: number;
 *   name: string;
 * }
 * const users = new CollectionPoller<User>({
 *   name: "users",
 *   async *list() {
 *     yield [{ id: 1, name: "Ada" }, { id: 2, name: "Grace" }]; // one page, or many
 *   },
 *   key: (user) => String(user.id),
 * });
 * for await (const event of watchExternal(users, 60_000)) {
 *   console.log(event.type, event.item.name); // added Ada, added Grace
 *   if (event.item.id === 2) break;
 * }
 * ```
 *
 * @module
 */
export {
  type ChangesPage,
  CollectionPoller,
  type CollectionPollerOptions,
  type ItemList,
  type SinceOptions,
} from "./_listing/collection_poller.ts";
export type { StandardIssue, StandardResult, StandardSchemaV1 } from "./_diff/standard_schema.ts";
export {
  type JsonPage,
  jsonPages,
  type JsonPagesOptions,
  type ReadPagesOptions,
} from "./_http/json_pages.ts";
export type { RequestOptions } from "./_http/request.ts";
export type { CadenceField, CadenceOptions } from "./_http/cadence.ts";
