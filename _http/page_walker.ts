/** Walking the pages of a JSON API, from the first to the one without a next. */
import { orAborted } from "../_bounds/abort.ts";
import type { PollOptions } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf, redactUrl } from "../_errors/redact.ts";
import { Conditions } from "./conditional.ts";
import { headerText } from "./headers.ts";
import { nextTarget } from "./link.ts";
import { findLostInteger } from "./lost_integers.ts";
import { PageMemory, type RememberedPage, updatedBy, worthKeeping } from "./page_memory.ts";
import type { HttpClient, Reply } from "./request.ts";
import { type HttpResource, Resource } from "./resource.ts";
import { renewedBy, validatorsOf } from "./validators.ts";

/** One page of a JSON API. */
export interface JsonPage {
  /** The URL that answered. */
  readonly url: string;
  /** The parsed body. */
  readonly body: unknown;
  /** The headers of the answer. Of a page that has not changed: those known, with what the 304 says anew. */
  readonly headers: Headers;
}

/** How to read the pages. */
export interface PageReaders<T> {
  readonly parse: ((resource: HttpResource) => unknown) | undefined;
  readonly items: ((page: JsonPage) => readonly T[]) | undefined;
  readonly next: ((page: JsonPage) => string | URL | undefined | null) | undefined;
  readonly maxPages: number;
}

/** A page to be asked for. */
interface Place {
  readonly url: URL;
  /** Its number, from 1. */
  readonly nth: number;
  /** False if another origin was met on the way: from then on nothing of the caller's is sent. */
  readonly trusted: boolean;
}

/** Walks the same pages again and again. */
export class PageWalker<T> {
  readonly #client: HttpClient;
  readonly #readers: PageReaders<T>;
  readonly #memory: PageMemory = new PageMemory();
  readonly #conditions: Conditions = new Conditions();

  constructor(client: HttpClient, readers: PageReaders<T>) {
    this.#client = client;
    this.#readers = readers;
  }

  /** The items, page by page. What a walk learned is kept when it ends, well or not. */
  async *walk(poll: PollOptions): AsyncGenerator<readonly T[]> {
    const pages = new Map<string, RememberedPage>();
    const asked = new Set<string>();
    let whole = false;
    try {
      let place: Place | undefined = { url: this.#client.url, nth: 1, trusted: true };
      while (place !== undefined) {
        const { url, nth }: Place = place;
        asked.add(url.href);
        let items: readonly T[];
        try {
          const { reply, page, kept } = await this.#fetch(poll, place);
          items = this.#itemsOf(page);
          const next = this.#nextOf(page);
          if (next !== undefined) this.#checkNext(next, asked);
          if (kept !== undefined) pages.set(url.href, kept);
          place = next && { url: next, nth: nth + 1, trusted: reply.trusted };
        } catch (thrown) {
          if (poll.signal.aborted) throw thrown;
          throw this.#onPage(thrown, url, nth);
        }
        yield items;
      }
      whole = true;
    } finally {
      this.#memory.take(pages, whole);
      this.#conditions.ended(whole);
    }
  }

  async #fetch(
    poll: PollOptions,
    { url, trusted }: Place,
  ): Promise<{ reply: Reply; page: JsonPage; kept: RememberedPage | undefined }> {
    const client = this.#client;
    const known = this.#memory.get(url.href);
    const seen = known?.validators;
    const reply = await this.#conditions.ask({ client, poll, seen, url, trusted });
    // Also a first page that is gone: an empty collection is an empty page, not a missing one.
    if (reply.status === 404 || reply.status === 410) {
      throw client.statusError(reply.status, reply.headers, reply);
    }
    const answer: RememberedPage = reply.status === 304 && known !== undefined
      ? {
        ...known,
        validators: renewedBy(reply, known.validators),
        headers: updatedBy(reply.headers, known.headers),
      }
      : {
        validators: validatorsOf(reply, seen),
        status: reply.status,
        headers: [...reply.headers],
        body: reply.body,
      };
    const headers = new Headers(answer.headers.map(([name, value]) => [name, value]));
    const body = await this.#parse(answer, headers, poll.signal);
    return { reply, page: { url: reply.url, body, headers }, kept: worthKeeping(answer) };
  }

  async #parse(page: RememberedPage, headers: Headers, signal: AbortSignal): Promise<unknown> {
    const { parse } = this.#readers;
    if (parse === undefined) return this.#parseJson(page.body);
    const resource = new Resource({
      url: page.validators.url,
      status: page.status,
      // A copy: what is kept must not change.
      body: page.body.slice(),
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
      // The runtime's message quotes the body.
      throw this.#client.error("protocol", `a page of ${bytes.length} bytes that is no JSON`);
    }
    const lost = findLostInteger(bytes);
    if (lost === undefined) return body;
    throw this.#client.error(
      "invalid",
      `the integer at byte ${lost} is too large for a JavaScript number, which would round it: read the page by 'parse'`,
    );
  }

  #itemsOf(page: JsonPage): readonly T[] {
    const { items } = this.#readers;
    if (items === undefined) {
      // The caller says by T what the items are.
      if (Array.isArray(page.body)) return page.body as readonly T[];
      throw this.#client.error(
        "invalid",
        "'items' failed: the body is no array: name the one inside it with 'items'",
      );
    }
    const given: unknown = this.#ask("items", items, page);
    if (Array.isArray(given)) return given;
    throw this.#client.error("invalid", `'items' gave ${kindOf(given)}, no array`);
  }

  /** Where the next page is; undefined behind the last. */
  #nextOf(page: JsonPage): URL | undefined {
    const { next } = this.#readers;
    if (next === undefined) return this.#nextLink(page);
    const target: unknown = this.#ask("next", next, page);
    if (target === undefined || target === null || target === "") return undefined;
    if (typeof target !== "string" && !(target instanceof URL)) {
      throw this.#client.error("invalid", `'next' gave ${kindOf(target)}, no string and no URL`);
    }
    try {
      return new URL(target, page.url);
    } catch {
      throw this.#client.error("protocol", "the link to the next page is no URL");
    }
  }

  #nextLink({ url, headers }: JsonPage): URL | undefined {
    const value = headers.get("link");
    if (value === null) return undefined;
    try {
      return nextTarget(headerText(value), url);
    } catch (thrown) {
      // The runtime's message of an invalid URL quotes it.
      const why = thrown instanceof SyntaxError ? thrown.message : "a target or anchor is no URL";
      throw this.#client.error(
        "protocol",
        `the 'Link' header is not understood, ${why}; see 'next'`,
      );
    }
  }

  /** Throws unless the link leads to a page that was not asked for. */
  #checkNext(next: URL, asked: ReadonlySet<string>): void {
    if (next.protocol !== "http:" && next.protocol !== "https:") {
      throw this.#client.error("protocol", `the link to the next page leads to ${next.protocol}`);
    }
    next.username = next.password = next.hash = "";
    if (asked.has(next.href)) {
      throw this.#client.error("protocol", `the pages lead back to ${redactUrl(next)}`);
    }
    const { maxPages } = this.#readers;
    if (asked.size >= maxPages) {
      throw this.#client.error("protocol", `more than ${maxPages} pages; see 'maxPages'`);
    }
  }

  #ask<R>(option: string, callback: (page: JsonPage) => R, page: JsonPage): R {
    try {
      return callback(page);
    } catch (thrown) {
      throw this.#failed(option, thrown);
    }
  }

  #failed(option: string, thrown: unknown): Error {
    return this.#client.error("invalid", `'${option}' failed: ${reasonOf(thrown)}`, {
      cause: thrown,
    });
  }

  /** The same error, with the page it happened on. */
  #onPage(thrown: unknown, url: URL, nth: number): unknown {
    if (!(thrown instanceof ExternalError)) return thrown;
    const { code, message, status, retryAfter, cause } = thrown;
    const what = message.replace(`Cannot poll '${this.#client.name}': `, "");
    const shown = redactUrl(url);
    const place = message.includes(shown) ? `page ${nth}` : `page ${nth}, ${shown}`;
    return this.#client.error(code, `${what} (${place})`, {
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(cause !== undefined && { cause }),
    });
  }
}
