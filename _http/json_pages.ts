/** Walking a paged JSON API, each page a conditional request, the whole walk all or nothing. */
import { conditionalGet, type Validators, validatorsOf } from "./conditional.ts";
import { reasonOf, redactUrl, withoutSecrets } from "../_errors/redact.ts";
import { HttpClient, type RequestOptions } from "./request.ts";
import type { PollOptions } from "../_diff/source.ts";

const DEFAULT_MAX_PAGES = 10_000;

/** One page of a JSON API. */
export interface JsonPage {
  /** The URL that answered. */
  readonly url: string;
  /** The parsed body. */
  readonly body: unknown;
  /** The headers of the answer. */
  readonly headers: Headers;
}

/** How to walk a paged JSON API. */
export interface JsonPagesOptions<T> extends RequestOptions {
  /**
   * What errors call the source.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * The items of a page.
   *
   * @default {page.body} which must be an array
   */
  items?: (page: JsonPage) => readonly T[];
  /**
   * Where the next page is, relative to this one; undefined or null behind the last.
   *
   * @default {page.headers} the target of `Link: <…>; rel="next"` (RFC 8288)
   */
  next?: (page: JsonPage) => string | URL | undefined | null;
  /**
   * A walk of more pages than this fails: it has no end.
   *
   * @default {10_000}
   */
  maxPages?: number;
}

/** A page as it was answered last, for when the server says that it has not changed. */
interface Remembered {
  readonly validators: Validators;
  readonly body: Uint8Array;
  readonly headers: Headers;
}

/**
 * The `list` of a {@linkcode CollectionPoller} for a paged JSON API. Every page is a conditional request;
 * the bodies of the pages are kept for that. A page that fails, a page link that leads back, and a body
 * that is no JSON fail the whole walk.
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
 * @param url The first page: http or https.
 * @param options How to read the pages, and how to make the requests.
 * @returns What lists the items, page by page.
 * @throws {TypeError} If the URL or an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function jsonPages<T>(
  url: string | URL,
  options: JsonPagesOptions<T> = {},
): (options: PollOptions) => AsyncIterable<readonly T[]> {
  const client = new HttpClient(url, options);
  const { items = itemsOf, next = nextLink, maxPages = DEFAULT_MAX_PAGES } = options;
  let known = new Map<string, Remembered>();

  return async function* list(poll: PollOptions): AsyncIterable<readonly T[]> {
    const seen = new Map<string, Remembered>();
    for (let url: URL | undefined = client.url; url !== undefined;) {
      if (seen.has(url.href)) {
        throw client.error("protocol", `the pages lead back to ${redactUrl(url)}`);
      }
      if (seen.size >= maxPages) {
        throw client.error("protocol", `more than ${maxPages} pages; see 'maxPages'`);
      }
      const answer = await fetchPage(client, poll, url, known.get(url.href));
      seen.set(url.href, answer);
      const page: JsonPage = {
        url: answer.validators.url,
        body: parse(client, answer.body),
        headers: answer.headers,
      };
      yield ask(client, "items", items as (page: JsonPage) => readonly T[], page);
      const target = ask(client, "next", next, page);
      url = target === undefined || target === null ? undefined : resolve(client, target, page.url);
    }
    known = seen;
  };
}

async function fetchPage(
  client: HttpClient,
  poll: PollOptions,
  url: URL,
  known: Remembered | undefined,
): Promise<Remembered> {
  const reply = await conditionalGet(client, poll, known?.validators, url);
  if (reply.status === 304 && known !== undefined) return known;
  // Also a first page that is gone: an empty collection is an empty page, not a missing one.
  if (reply.status === 404 || reply.status === 410) {
    throw client.statusError(reply.status, reply.headers);
  }
  const { body, headers } = reply;
  return { validators: validatorsOf(reply, known?.validators), body, headers };
}

function parse(client: HttpClient, body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    // The runtime's message quotes the body.
    throw client.error("protocol", `a page of ${body.length} bytes that is no JSON`);
  }
}

function ask<R>(
  client: HttpClient,
  option: string,
  callback: (page: JsonPage) => R,
  page: JsonPage,
): R {
  try {
    return callback(page);
  } catch (thrown) {
    throw client.error("invalid", `'${option}' failed: ${reasonOf(thrown)}`, {
      cause: withoutSecrets(thrown),
    });
  }
}

function resolve(client: HttpClient, target: string | URL, base: string): URL {
  let url: URL;
  try {
    url = new URL(target, base);
  } catch {
    throw client.error("protocol", "the link to the next page is no URL");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw client.error("protocol", `the link to the next page leads to ${url.protocol}`);
  }
  url.username = url.password = url.hash = "";
  return url;
}

function itemsOf({ body }: JsonPage): readonly unknown[] {
  if (Array.isArray(body)) return body;
  throw new TypeError("the body is no array: name the one inside it with 'items'");
}

/** The target of the first link whose relation types include `next`. */
function nextLink({ headers }: JsonPage): string | undefined {
  const links = headers.get("link") ?? "";
  for (const [, target, parameters = ""] of links.matchAll(/<([^>]*)>((?:[^,"]|"[^"]*")*)/g)) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,]+))/i.exec(parameters);
    const types = (relation?.[1] ?? relation?.[2] ?? "").toLowerCase().split(/\s+/);
    if (types.includes("next")) return target;
  }
  return undefined;
}
