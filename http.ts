/**
 * Watches one HTTP resource: conditional requests, and changes told by content.
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
import { orAborted } from "./_abort.ts";
import { parseHttpDate } from "./_http_date.ts";
import { reasonOf, withoutSecrets } from "./_redact.ts";
import { HttpClient, type Reply, type RequestOptions } from "./_request.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "./watcher.ts";

export type { RequestOptions };

/** How to poll a URL. */
export interface HttpPollerOptions extends RequestOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Looks at new content before anyone else sees it. If it throws or rejects, the poll fails with code
   * `invalid`, and the content seen before stays.
   */
  validate?: (resource: HttpResource) => unknown;
}

/** What a URL answered. */
export interface HttpResource {
  /** The URL that answered, after redirects; without user info. */
  readonly url: string;
  /** 200, 203 or 204; of a `removed` 404 or 410. */
  readonly status: number;
  /** The content; of a `removed` it is empty. */
  readonly body: Uint8Array;
  /** The `ETag`, as received; of a `removed` the last one known. */
  readonly etag?: string;
  /** The `Last-Modified`, as received; of a `removed` the last one known. */
  readonly lastModified?: string;
  /** The `Content-Type`, as received. */
  readonly contentType?: string;
  /** The content as UTF-8 text. */
  text(): string;
  /**
   * The content as JSON.
   *
   * @throws {SyntaxError} If it is none.
   */
  json(): unknown;
}

/** What is remembered of the resource between polls: never the body. */
interface Seen {
  readonly url: string;
  /** SHA-256 of the body, as base64. */
  readonly digest: string;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Whether the validators may be trusted to tell the next change. */
  readonly settled: boolean;
}

/**
 * Polls one URL. The first success is `added`, other content `modified`, a 404 or 410 after a success
 * `removed`.
 *
 * Content decides, by its SHA-256: servers without validators work, and a new ETag on the same bytes is
 * no event. The body is not kept, so a `modified` has no `previous`.
 *
 * @example A token that expires, and content that is checked first
 * ```ts
 * import { HttpPoller } from "@koprs/external/http";
 *
 * const poller = new HttpPoller("https://example.com/config.json?token=s3cret", {
 *   bearerToken: () => Promise.resolve("from a cache"),
 *   validate: (resource) => {
 *     if (!Array.isArray(resource.json())) throw new Error("not a list");
 *   },
 * });
 * console.assert(poller.name === "https://example.com/config.json?token=***");
 * ```
 */
export class HttpPoller implements ExternalSource<HttpResource> {
  /** Names the source in logs, spans and checkpoints. */
  readonly name: string;
  readonly #client: HttpClient;
  readonly #validate: HttpPollerOptions["validate"];
  #seen: Seen | undefined;

  /**
   * Makes no request yet.
   *
   * @param url What to poll: http or https. User info is sent as Basic credentials and never shown.
   * @param options How to poll it.
   * @throws {TypeError} If the URL or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: string | URL, options: HttpPollerOptions = {}) {
    if (options.validate !== undefined && typeof options.validate !== "function") {
      throw new TypeError("Cannot poll as 'validate' must be a function");
    }
    this.#client = new HttpClient(url, options);
    this.#validate = options.validate;
    this.name = this.#client.name;
  }

  /**
   * One poll. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns No event or one.
   * @throws {ExternalError} If the resource could not be read whole.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<HttpResource>>> {
    const seen = this.#seen;
    const reply = await this.#get(options, seen);
    switch (reply.status) {
      case 304:
        return [];
      case 404:
      case 410:
        return this.#deliver(
          seen && { type: "removed", item: new Resource(reply, seen) },
          undefined,
        );
      default:
        return await this.#compare(reply, seen, options.signal);
    }
  }

  /** The answer that counts: 200, 203, 204, 404, 410, or a 304 that can be believed. */
  async #get(options: PollOptions, seen: Seen | undefined): Promise<Reply> {
    let asked = false;
    const conditional = await this.#request(options, (url) => {
      const conditions = conditionsFor(url, seen);
      asked = Object.keys(conditions).length > 0;
      return conditions;
    });
    if (conditional.status !== 304) return conditional;
    if (!asked) throw this.#unasked();
    if (!isOther(conditional.headers.get("etag"), seen?.etag)) return conditional;
    // A confused cache: it answers for another version than the one asked about.
    const whole = await this.#request(options, () => ({}));
    if (whole.status === 304) throw this.#unasked();
    return whole;
  }

  async #request(
    { signal, onRequest }: PollOptions,
    headersFor: (url: string) => Record<string, string>,
  ): Promise<Reply> {
    const reply = await this.#client.exchange({ signal, onRequest, headersFor, wants: isContent });
    const { status, headers } = reply;
    if (!isContent(status) && status !== 304 && !isGone(status)) {
      throw status === 206
        ? this.#client.error("protocol", "a part of the content, 206, though all was asked for", {
          status,
        })
        : this.#client.statusError(status, headers);
    }
    return reply;
  }

  async #compare(
    reply: Reply,
    seen: Seen | undefined,
    signal: AbortSignal,
  ): Promise<Iterable<ExternalEvent<HttpResource>>> {
    const digest = toBase64(await crypto.subtle.digest("SHA-256", reply.body));
    const changed = digest !== seen?.digest;
    const resource = new Resource(reply);
    if (changed) await this.#check(resource, signal);
    const { url, etag, lastModified } = resource;
    const next: Seen = {
      url,
      digest,
      ...(etag !== undefined && isEntityTag(etag) && { etag }),
      ...(lastModified !== undefined && { lastModified }),
      settled: !changed || !isFresh(reply.headers),
    };
    const type = seen === undefined ? "added" : "modified";
    return this.#deliver(changed ? { type, item: resource } : undefined, next);
  }

  async #check(resource: HttpResource, signal: AbortSignal): Promise<void> {
    try {
      await orAborted(Promise.resolve(this.#validate?.(resource)), signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw this.#client.error("invalid", `'validate' rejected it: ${reasonOf(thrown)}`, {
        cause: withoutSecrets(thrown),
      });
    }
  }

  /** The event, if there is one; the commit is what follows the last. */
  *#deliver(
    event: ExternalEvent<HttpResource> | undefined,
    next: Seen | undefined,
  ): Iterable<ExternalEvent<HttpResource>> {
    if (event !== undefined) yield event;
    this.#seen = next;
  }

  #unasked(): Error {
    return this.#client.error(
      "protocol",
      "the server answered 304 though nothing was conditional",
      {
        status: 304,
      },
    );
  }
}

class Resource implements HttpResource {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  declare readonly etag?: string;
  declare readonly lastModified?: string;
  declare readonly contentType?: string;

  /** @param known What was seen last, if the reply says that the resource is gone. */
  constructor(reply: Reply, known?: Seen) {
    this.url = reply.url;
    this.status = reply.status;
    this.body = reply.body;
    const etag = known ? known.etag : reply.headers.get("etag");
    const lastModified = known ? known.lastModified : reply.headers.get("last-modified");
    const contentType = known ? null : reply.headers.get("content-type");
    if (etag) this.etag = etag;
    if (lastModified) this.lastModified = lastModified;
    if (contentType) this.contentType = contentType;
  }

  text(): string {
    return new TextDecoder().decode(this.body);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }
}

/** Validators go back only to the URL that gave them: another one may use the same ETag for other bytes. */
function conditionsFor(url: string, seen: Seen | undefined): Record<string, string> {
  if (!seen?.settled || seen.url !== url) return {};
  return {
    ...(seen.etag !== undefined && { "if-none-match": seen.etag }),
    ...(seen.lastModified !== undefined && { "if-modified-since": seen.lastModified }),
  };
}

/**
 * Whether the resource was modified within the second the answer was made in. It may change again in that
 * second and keep its Last-Modified, and with servers like nginx its ETag: the next request must not trust
 * either, once.
 */
function isFresh(headers: Headers): boolean {
  const modified = parseHttpDate(headers.get("last-modified"));
  const date = parseHttpDate(headers.get("date")) ?? Date.now();
  return modified !== undefined && date - modified < 1000;
}

/** Whether a 304 names, by a strong ETag, another version than the one that was asked about. */
function isOther(etag: string | null, known: string | undefined): boolean {
  return etag !== null && etag.startsWith('"') && isEntityTag(etag) &&
    etag !== known?.replace(/^W\//, "");
}

/** One well-formed ETag that is not empty. Two of them, joined by a comma, are not one. */
function isEntityTag(text: string): boolean {
  return /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]+"$/.test(text);
}

function isContent(status: number): boolean {
  return status === 200 || status === 203 || status === 204;
}

function isGone(status: number): boolean {
  return status === 404 || status === 410;
}

function toBase64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}
