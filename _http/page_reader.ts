/** Reads one page of a JSON API: its body, its items, and where the next page is. */
import { orAborted } from "../_bounds/abort.ts";
import { itemValues } from "../_diff/item_values.ts";
import type { StandardSchemaV1 } from "../_diff/standard_schema.ts";
import type { ExternalError, ExternalErrorCode } from "../_errors/external_error.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf } from "../_errors/redact.ts";
import { headerText } from "./headers.ts";
import { nextTarget } from "./link.ts";
import { findLostInteger } from "./lost_integers.ts";
import type { HttpClient, Reply } from "./request.ts";
import { type HttpResource, Resource } from "./resource.ts";

/** One page of a JSON API. */
export interface JsonPage {
  /** The URL that answered. */
  readonly url: string;
  /** The parsed body. */
  readonly body: unknown;
  /** The headers of the answer. For a page that has not changed: the known ones, updated by those of the 304. */
  readonly headers: Headers;
}

/** The caller's options for reading pages. */
export interface PageOptions<T> {
  readonly parse: ((resource: HttpResource) => unknown) | undefined;
  readonly items: ((page: JsonPage) => readonly unknown[]) | undefined;
  readonly next: ((page: JsonPage) => string | URL | undefined | null) | undefined;
  readonly schema: StandardSchemaV1<unknown, T> | undefined;
  readonly parseItem: ((item: unknown) => T | PromiseLike<T>) | undefined;
}

/** What a page is read from: the answer, or after a 304 the remembered page. */
export interface PageContent {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** What was read of a page. */
export interface ReadPage<T> {
  readonly items: readonly T[];
  /** Absolute; undefined after the last page. */
  readonly next: URL | undefined;
}

/** Reads one page. Anything that cannot be read or parsed is an error. */
export class PageReader<T> {
  readonly #client: HttpClient;
  readonly #options: PageOptions<T>;
  readonly #from: Reply;

  /** @param from The answer, which errors name. */
  constructor(client: HttpClient, options: PageOptions<T>, from: Reply) {
    this.#client = client;
    this.#options = options;
    this.#from = from;
  }

  async read(content: PageContent, signal: AbortSignal): Promise<ReadPage<T>> {
    const body = await this.#parse(content, signal);
    const page = { url: this.#from.url, body, headers: content.headers };
    const items = await orAborted(this.#values(this.#itemsOf(page)), signal);
    return { items, next: this.#nextOf(page) };
  }

  #values(given: readonly unknown[]): Promise<readonly T[]> {
    const { schema, parseItem } = this.#options;
    return itemValues(given, { schema, parse: parseItem }, (place, thrown) => {
      const option = schema === undefined ? "parseItem" : "schema";
      const what = `'${option}' rejected item ${place + 1}: ${reasonOf(thrown)}`;
      return this.#error("invalid", what, thrown);
    });
  }

  async #parse({ status, headers, body }: PageContent, signal: AbortSignal): Promise<unknown> {
    const { parse } = this.#options;
    if (parse === undefined) return this.#parseJson(body);
    const resource = new Resource({
      url: this.#from.url,
      status,
      body: body.slice(), // A copy: the remembered body must not change.
      etag: headers.get("etag"),
      lastModified: headers.get("last-modified"),
      contentType: headers.get("content-type"),
    });
    try {
      return await orAborted(Promise.resolve(parse(resource)), signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw this.#failed("parse", thrown);
    }
  }

  #parseJson(bytes: Uint8Array): unknown {
    let body: unknown;
    try {
      body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch {
      // Not the runtime's message, which quotes the body.
      throw this.#error("protocol", `a page of ${bytes.length} bytes that is not JSON`);
    }
    const lost = findLostInteger(bytes);
    if (lost === undefined) return body;
    throw this.#error(
      "invalid",
      `the integer at byte ${lost} is too large for a JavaScript number, which would round it: read the page by 'parse'`,
    );
  }

  #itemsOf(page: JsonPage): readonly unknown[] {
    const { items } = this.#options;
    if (items === undefined) {
      if (Array.isArray(page.body)) return page.body;
      throw this.#error("invalid", "the body is not an array: name the one inside it with 'items'");
    }
    const given: unknown = this.#ask("items", items, page);
    if (Array.isArray(given)) return given;
    throw this.#error("invalid", `'items' gave ${kindOf(given)}, no array`);
  }

  #nextOf(page: JsonPage): URL | undefined {
    const { next } = this.#options;
    if (next === undefined) return this.#nextLink(page);
    const target: unknown = this.#ask("next", next, page);
    if (target === undefined || target === null || target === "") return undefined;
    if (typeof target !== "string" && !(target instanceof URL)) {
      throw this.#error("invalid", `'next' gave ${kindOf(target)}, no string and no URL`);
    }
    try {
      return new URL(target, page.url);
    } catch {
      throw this.#error("protocol", "the link to the next page is not a URL");
    }
  }

  #nextLink({ url, headers }: JsonPage): URL | undefined {
    const value = headers.get("link");
    if (value === null) return undefined;
    try {
      return nextTarget(headerText(value), url);
    } catch (thrown) {
      // Not the runtime's message about an invalid URL, which quotes it.
      const why = thrown instanceof SyntaxError
        ? thrown.message
        : "a target or anchor is not a URL";
      throw this.#error("protocol", `the 'Link' header is not understood, ${why}; see 'next'`);
    }
  }

  #ask<R>(option: string, callback: (page: JsonPage) => R, page: JsonPage): R {
    try {
      return callback(page);
    } catch (thrown) {
      throw this.#failed(option, thrown);
    }
  }

  #failed(option: string, cause: unknown): ExternalError {
    return this.#error("invalid", `'${option}' failed: ${reasonOf(cause)}`, cause);
  }

  #error(code: ExternalErrorCode, what: string, cause?: unknown): ExternalError {
    return this.#client.error(code, what, { cause, from: this.#from });
  }
}
