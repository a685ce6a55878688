// A collection over jsonPages, and a paged API of ids and revisions to walk.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { CollectionPoller, ExternalError, jsonPages } from "@koprs/external";
import type { JsonPagesOptions } from "@koprs/external/collection";
import { type Scope, serve, type TestServer } from "./_http_server.ts";

export interface Item {
  readonly id: string | number;
  readonly revision?: number;
}

/** A collection of what a server gives. */
export function itemsOf(
  server: { readonly origin: string },
  options: JsonPagesOptions<Item> = {},
  path = "/items",
): CollectionPoller<Item> {
  return new CollectionPoller<Item>({
    name: "items",
    list: jsonPages<Item>(server.origin + path, { name: "items", ...options }),
    key: ({ id }) => String(id),
  });
}

/** What one poll tells: `added 1, removed 2`. */
export async function told(
  poller: CollectionPoller<Item>,
  signal: AbortSignal = new AbortController().signal,
): Promise<string> {
  return [...await poller.poll({ signal })].map(({ type, item }) => `${type} ${item.id}`).join(
    ", ",
  );
}

/** The error of a poll that must fail. */
export async function failure(poller: CollectionPoller<Item>): Promise<ExternalError> {
  let outcome: string;
  try {
    outcome = await told(poller);
  } catch (error) {
    assert(error instanceof ExternalError, `not an ExternalError: ${error}`);
    assert.equal(error.source, "items");
    assert.match(error.message, /^Cannot poll 'items': /);
    return error;
  }
  assert.fail(`a poll that should fail told '${outcome}'`);
}

/** A paged API, changed by assigning to its fields. */
export interface PagedApi extends TestServer {
  /** The items of each page. */
  pages: Item[][];
  /** What is sent with each page beside `Link`. */
  validator: "etag" | "time" | "none";
  /** Answers in place of the API if it returns true; `page` counts from 1. */
  intercept: (page: number, request: IncomingMessage, response: ServerResponse) => boolean;
  /** The pages asked for since the last call, `2` if it was sent and `2=` if the answer was 304. */
  asked(): string;
}

/** Serves `/items?page=2` with links to the next page. A page's ETag stands for its items, and not for its link. */
export async function servePages(scope: Scope, pages: Item[][]): Promise<PagedApi> {
  let asked: string[] = [];
  const server = await serve(scope, (request, response) => {
    const page = Number(new URL(request.url ?? "", "http://x").searchParams.get("page") ?? 1);
    if (api.intercept(page, request, response)) return;
    const items = api.pages[page - 1];
    if (items === undefined) return void response.writeHead(404).end();
    const body = JSON.stringify(items);
    const etag = `"${createHash("sha256").update(body).digest("hex").slice(0, 16)}"`;
    if (api.validator === "etag") response.setHeader("etag", etag);
    if (page < api.pages.length) {
      response.setHeader("link", `</items?page=${page + 1}>; rel="next"`);
    }
    const known = api.validator === "etag" && request.headers["if-none-match"] === etag;
    asked.push(known ? `${page}=` : String(page));
    response.writeHead(known ? 304 : 200, { "content-type": "application/json" });
    response.end(known ? undefined : body);
  });
  const api: PagedApi = Object.assign(server, {
    pages,
    validator: "etag" as PagedApi["validator"],
    intercept: () => false,
    asked() {
      const all = asked.join(" ");
      asked = [];
      return all;
    },
  });
  return api;
}

/** Items of these ids. */
export function ids(...ids: (string | number)[]): Item[] {
  return ids.map((id) => ({ id }));
}
