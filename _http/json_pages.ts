/** Makes the `list` of a collection from a paged JSON API. */
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
   * The name of the source in errors.
   * The default shows the path: give a name if the path holds a secret, as in web hooks. Errors then hide the path.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Makes {@linkcode JsonPage.body} from an answer, for an API whose JSON needs more than `JSON.parse`: integers beyond
   * 2⁵³, which JavaScript numbers round so that two ids may become one, or another format.
   *
   * @default {JSON.parse} the poll fails with code `invalid` if that would round an integer
   */
  parse?: (resource: HttpResource) => unknown;
  /**
   * The items of a page.
   *
   * @default {page.body} which must be an array
   */
  items?: (page: JsonPage) => readonly T[];
  /**
   * Gives the URL of the next page, which may be relative to this one; undefined, null or an empty string after the
   * last.
   *
   * @default {page.headers} the target of `Link: <…>; rel="next"` (RFC 8288); a malformed `Link` fails the poll
   */
  next?: (page: JsonPage) => string | URL | undefined | null;
  /**
   * The most pages of one walk. A walk with more fails, as it may have no end.
   *
   * @default {10_000}
   */
  maxPages?: number;
}

/** How to walk a paged JSON API whose items are validated or converted. */
export interface ReadPagesOptions<T> extends Omit<JsonPagesOptions<T>, "items"> {
  /** The same as {@linkcode JsonPagesOptions.items}, with items as they are before `schema` or `parseItem`. */
  items?: (page: JsonPage) => readonly unknown[];
  /**
   * Validates each item, and gives it its type: a schema of zod, valibot, arktype or any other library that follows
   * Standard Schema. If it rejects an item, the poll fails with code `invalid`.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /** Converts each item, instead of `schema`. If it throws or rejects, the poll fails with code `invalid`. */
  parseItem?: (item: unknown) => T | PromiseLike<T>;
}

/**
 * Makes the `list` of a {@linkcode CollectionPoller} for a paged JSON API whose items a schema validates.
 *
 * @param url The first page: http or https.
 * @param options How to read the pages and their items, and how to make the requests.
 * @returns The `list` function, which gives the items page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options: ReadPagesOptions<T> & Required<Pick<ReadPagesOptions<T>, "schema">>,
): (options: PollOptions) => AsyncIterable<readonly T[]>;
/**
 * Makes the `list` of a {@linkcode CollectionPoller} for a paged JSON API whose items `parseItem` converts.
 *
 * @param url The first page: http or https.
 * @param options How to read the pages and their items, and how to make the requests.
 * @returns The `list` function, which gives the items page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options: ReadPagesOptions<T> & Required<Pick<ReadPagesOptions<T>, "parseItem">>,
): (options: PollOptions) => AsyncIterable<readonly T[]>;
/**
 * Makes the `list` of a {@linkcode CollectionPoller} for a paged JSON API. The whole walk fails if a page fails, if
 * a link to the next page leads back or cannot be parsed, or if a body is not JSON.
 *
 * Pages that have an `ETag` or a `Last-Modified` are requested conditionally. For that their bodies are kept in
 * memory, even those of a failed walk: at most twice the bytes of the largest walk.
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
 * @returns The `list` function, which gives the items page by page.
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
