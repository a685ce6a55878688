/** The `list` of a collection that a paged JSON API gives. */
import type { PollOptions } from "../_diff/source.ts";
import { checkItemValues } from "../_diff/item_values.ts";
import type { StandardSchemaV1 } from "../_diff/standard_schema.ts";
import { checkCount, checkFunction, checkName } from "../_errors/checks.ts";
import type { CadenceOptions } from "./cadence.ts";
import type { JsonPage } from "./page_reader.ts";
import { PageWalker } from "./page_walker.ts";
import { HttpClient, type RequestOptions } from "./request.ts";
import type { HttpResource } from "./resource.ts";

export type { JsonPage };

const DEFAULT_MAX_PAGES = 10_000;

/** How to walk a paged JSON API. */
export interface JsonPagesOptions<T> extends RequestOptions, CadenceOptions {
  /**
   * What errors call the source.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Makes {@linkcode JsonPage.body} from an answer, for an API whose JSON needs more than `JSON.parse`: integers beyond
   * 2⁵³, which JavaScript numbers round so that two ids may become one, or another format.
   *
   * @default {JSON.parse} and a poll that fails with code `invalid` where an integer would be rounded
   */
  parse?: (resource: HttpResource) => unknown;
  /**
   * The items of a page.
   *
   * @default {page.body} which must be an array
   */
  items?: (page: JsonPage) => readonly T[];
  /**
   * Where the next page is, relative to this one; undefined, null or an empty string behind the last.
   *
   * @default {page.headers} the target of `Link: <…>; rel="next"` (RFC 8288); a `Link` that is not well-formed fails the poll
   */
  next?: (page: JsonPage) => string | URL | undefined | null;
  /**
   * A walk of more pages than this fails: it has no end.
   *
   * @default {10_000}
   */
  maxPages?: number;
}

/** How to walk a paged JSON API whose items are to be validated, or made of something else. */
export interface ReadPagesOptions<T> extends Omit<JsonPagesOptions<T>, "items"> {
  /** The same as {@linkcode JsonPagesOptions.items}, of items that are not read yet. */
  items?: (page: JsonPage) => readonly unknown[];
  /**
   * Validates each item, and gives it its type: a schema of zod, valibot, arktype or any other library that follows
   * Standard Schema. An item that it does not take fails the poll with code `invalid`.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /** Makes each item, in place of `schema`. If it throws or rejects, the poll fails with code `invalid`. */
  parseItem?: (item: unknown) => T | PromiseLike<T>;
}

/**
 * The same, with items that a schema validates.
 *
 * @param url The first page: http or https.
 * @param options How to read the pages and their items, and how to make the requests.
 * @returns What lists the items, page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options: ReadPagesOptions<T> & Required<Pick<ReadPagesOptions<T>, "schema">>,
): (options: PollOptions) => AsyncIterable<readonly T[]>;
/**
 * The same, with items that `parseItem` makes.
 *
 * @param url The first page: http or https.
 * @param options How to read the pages and their items, and how to make the requests.
 * @returns What lists the items, page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options: ReadPagesOptions<T> & Required<Pick<ReadPagesOptions<T>, "parseItem">>,
): (options: PollOptions) => AsyncIterable<readonly T[]>;
/**
 * The `list` of a {@linkcode CollectionPoller} for a paged JSON API. A page that fails, a page link that leads back or is
 * not understood, and a body that is not JSON fail the whole walk.
 *
 * Every page with an `ETag` or a `Last-Modified` is a conditional request; the bodies of those pages are kept for that,
 * also those that a failed walk came to. At most twice the bytes of one walk are held.
 *
 * @example
 * ```ts
 * import { CollectionPoller, jsonPages } from "@koprs/external/collection";
 *
 * interface Repository {
 *   full_name: string;
 *   pushed_at: string;
 * }
 * const repositories = new CollectionPoller<Repository>({
 *   name: "repositories",
 *   list: jsonPages("https://example.com/repos?per_page=100", { bearerToken: () => "a token" }),
 *   key: (repository) => repository.full_name,
 *   version: (repository) => repository.pushed_at,
 * });
 * console.assert(repositories.name === "repositories");
 * ```
 *
 * @example Items and the next page inside the body, and ids beyond 2⁵³ as strings
 * ```ts
 * import { jsonPages } from "@koprs/external/collection";
 *
 * interface Users {
 *   users: { id: string }[];
 *   next_page: string | null;
 * }
 * jsonPages("https://example.com/users", {
 *   parse: (resource) => JSON.parse(resource.text().replace(/"id":\s*(\d+)/g, '"id":"$1"')),
 *   items: ({ body }) => (body as Users).users,
 *   next: ({ body }) => (body as Users).next_page,
 * });
 * ```
 *
 * @param url The first page: http or https.
 * @param options How to read the pages, and how to make the requests.
 * @returns What lists the items, page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options?: JsonPagesOptions<T>,
): (options: PollOptions) => AsyncIterable<readonly T[]>;
export function jsonPages<T>(
  url: string | URL,
  options?: ReadPagesOptions<T>,
): (options: PollOptions) => AsyncIterable<readonly T[]> {
  const { parse, items, next, schema, parseItem, maxPages = DEFAULT_MAX_PAGES } = options ?? {};
  for (const [option, value] of Object.entries({ parse, items, next })) {
    checkFunction("poll", option, value);
  }
  checkItemValues({ schema, parse: parseItem }, "parseItem");
  checkCount("poll", "maxPages", maxPages);
  if (options?.name !== undefined) checkName("poll", options.name);
  const client = new HttpClient(url, options ?? {});
  const walker = new PageWalker<T>(client, { parse, items, next, schema, parseItem }, maxPages);
  return (poll) => walker.walk(poll);
}
