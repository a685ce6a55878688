/** The source that watches one HTTP resource. */
import { orAborted } from "../_bounds/abort.ts";
import { conditionalGet, type Validators, validatorsOf } from "./conditional.ts";
import { reasonOf, redactUrl, withoutSecrets } from "../_errors/redact.ts";
import { HttpClient, type Reply, type RequestOptions } from "./request.ts";
import { seal, unseal } from "../_state/seal.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";

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
interface Seen extends Validators {
  /** SHA-256 of the body, as base64. */
  readonly digest: string;
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
  readonly #identity: string;
  readonly #validate: HttpPollerOptions["validate"];
  #seen: Seen | undefined;
  /** What an unfinished delivery may or may not have reported: the next poll reports once more. */
  #doubt: Validators | undefined;

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
    // Without secrets: a token that is renewed must not make the checkpoint useless.
    this.#identity = JSON.stringify(["http", redactUrl(this.#client.url)]);
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
    const doubt = this.#doubt;
    // Where it is in doubt what was reported last, only the content tells what to report.
    const reply = await conditionalGet(this.#client, options, doubt ? undefined : seen);
    switch (reply.status) {
      case 304:
        return [];
      case 404:
      case 410: {
        const known = seen ?? doubt;
        const event = known && { type: "removed", item: new Resource(reply, known) } as const;
        return this.#deliver(event, undefined);
      }
      default:
        return await this.#compare(reply, options.signal);
    }
  }

  async #compare(
    reply: Reply,
    signal: AbortSignal,
  ): Promise<Iterable<ExternalEvent<HttpResource>>> {
    const seen = this.#seen;
    const digest = toBase64(await crypto.subtle.digest("SHA-256", reply.body));
    const changed = digest !== seen?.digest || this.#doubt !== undefined;
    const resource = new Resource(reply);
    if (changed) await this.#check(resource, signal);
    const next: Seen = { digest, ...validatorsOf(reply, seen) };
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

  /**
   * What is remembered of the resource, as bytes: the validators and the digest of its content, never the
   * content. A URL that holds a secret is not remembered, and so neither are its validators.
   */
  save(): Uint8Array {
    const state = { seen: withoutSecretUrl(this.#seen), doubt: withoutSecretUrl(this.#doubt) };
    return seal(this.#identity, [new TextEncoder().encode(JSON.stringify(state))]);
  }

  /**
   * Goes on from what `save` gave, also in another process.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or are of another URL.
   */
  restore(state: Uint8Array): void {
    const text = new TextDecoder().decode(unseal(state, this.#identity));
    const { seen, doubt } = JSON.parse(text); // Checked by its checksum: it is what `save` wrote.
    this.#seen = seen;
    this.#doubt = doubt;
  }

  /** The event, if there is one; the commit is what follows the last. */
  *#deliver(
    event: ExternalEvent<HttpResource> | undefined,
    next: Seen | undefined,
  ): Iterable<ExternalEvent<HttpResource>> {
    if (event !== undefined) {
      const doubt = this.#doubt = { ...(next ?? this.#seen ?? this.#doubt as Validators) };
      yield event;
      // A later poll has begun meanwhile: what is committed is for that one to say.
      if (this.#doubt !== doubt) return;
    }
    this.#seen = next;
    this.#doubt = undefined;
  }
}

/** Where the URL holds a secret, neither it nor its validators, which are good for no other, are kept. */
function withoutSecretUrl<V extends Validators>(known: V | undefined): V | undefined {
  // Restored state may have none.
  if (!known?.url || redactUrl(new URL(known.url)) === known.url) return known;
  return { ...known, url: "", etag: undefined, lastModified: undefined };
}

class Resource implements HttpResource {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  declare readonly etag?: string;
  declare readonly lastModified?: string;
  declare readonly contentType?: string;

  /** @param known What was seen last, if the reply says that the resource is gone. */
  constructor(reply: Reply, known?: Validators) {
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

function toBase64(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}
