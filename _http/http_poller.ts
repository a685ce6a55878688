/** The source that watches one HTTP resource. */
import { orAborted } from "../_bounds/abort.ts";
import type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "../_diff/source.ts";
import { checkFunction, checkName } from "../_errors/checks.ts";
import { reasonOf, redactUrl } from "../_errors/redact.ts";
import { Conditions } from "./conditional.ts";
import { type Fingerprint, fingerprintOf, sha256 } from "./fingerprint.ts";
import { restoreState, saveState, type Seen } from "./http_state.ts";
import { HttpClient, type Reply, type RequestOptions } from "./request.ts";
import { type HttpResource, Resource } from "./resource.ts";
import { renewedBy, validatorsOf } from "./validators.ts";

export type { HttpResource, RequestOptions };

/** An event to be acknowledged by itself: of the state that comes next, if it is not gone. */
interface Open {
  readonly event: ExternalEvent<HttpResource>;
  readonly next: Seen | undefined;
  isAside: boolean;
}

/** How to poll a URL. */
export interface HttpPollerOptions extends RequestOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
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
  /** Takes what became of each event. There is one key: the name of the source. */
  readonly acknowledgement: Acknowledgement<HttpResource> = {
    keyOf: () => this.name,
    handled: () => this.#handled(),
    setAside: () => void (this.#open && (this.#open.isAside = true)),
    again: () => this.#again(),
    asideKeys: () => this.#open?.isAside ? [this.name] : [],
  };
  readonly #client: HttpClient;
  readonly #identity: string;
  readonly #validate: HttpPollerOptions["validate"];
  readonly #conditions: Conditions = new Conditions();
  #seen: Seen | undefined;
  /** What an unfinished delivery may or may not have reported: the next poll reports once more. */
  #doubt: Seen | undefined;
  /** The event that is out to be acknowledged by itself, or that was set aside; it is in doubt. */
  #open: Open | undefined;
  /** Of the URL, where its name masks a part: made, or compared with a restored one, by the first poll. */
  #fingerprint: Fingerprint | undefined;
  #isOwnState: boolean;
  /** Counts the deliveries: the one that began last is the one that commits. */
  #delivery = 0;

  /**
   * Makes no request yet.
   *
   * @param url What to poll: http or https. User info is sent as Basic credentials and never shown.
   * @param options How to poll it.
   * @throws {TypeError} If the URL or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: string | URL, options: HttpPollerOptions = {}) {
    checkFunction("poll", "validate", options.validate);
    if (options.name !== undefined) checkName("poll", options.name);
    this.#client = new HttpClient(url, options);
    this.#validate = options.validate;
    this.name = this.#client.name;
    const shown = redactUrl(this.#client.url);
    this.#identity = JSON.stringify(["http", shown]);
    this.#isOwnState = shown === this.#client.url.href;
  }

  /**
   * One poll. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns No event or one.
   * @throws {ExternalError} If the resource could not be read whole. With code `checkpoint`, in the first poll behind
   * `restore`, if the state belongs to a URL that differs in a part that its name masks.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<HttpResource>>> {
    if (!options.each || this.#open?.isAside === false) this.#open = undefined;
    if (!this.#isOwnState) await this.#checkFingerprint();
    const reply = await this.#ask(options);
    const seen = this.#seen;
    switch (reply.status) {
      case 304:
        if (this.#open !== undefined) return [];
        return this.#deliver(undefined, seen && { ...seen, ...renewedBy(reply, seen) }, options);
      case 404:
      case 410: {
        const known = seen ?? this.#doubt;
        const event = known && { type: "removed", item: goneResource(reply, known) } as const;
        return this.#deliver(event, undefined, options);
      }
      default:
        return await this.#compare(reply, options);
    }
  }

  async #ask(poll: PollOptions): Promise<Reply> {
    let good = false;
    try {
      // Where it is in doubt what was reported last, only the content tells what to report.
      const told = this.#doubt === undefined ? this.#seen : this.#open?.next;
      const seen = poll.all ? undefined : told;
      const reply = await this.#conditions.ask({ client: this.#client, poll, seen });
      good = true;
      return reply;
    } finally {
      this.#conditions.ended(good);
    }
  }

  async #compare(
    reply: Reply,
    options: PollOptions,
  ): Promise<Iterable<ExternalEvent<HttpResource>>> {
    const seen = this.#seen;
    const digest = await sha256(reply.body);
    const changed = digest !== seen?.digest || this.#doubt !== undefined || options.all === true;
    const resource = resourceOf(reply);
    if (changed) await this.#check(resource, reply, options.signal);
    const next: Seen = { digest, ...validatorsOf(reply, seen) };
    const type = seen === undefined ? "added" : "modified";
    return this.#deliver(changed ? { type, item: resource } : undefined, next, options);
  }

  async #check(resource: HttpResource, from: Reply, signal: AbortSignal): Promise<void> {
    try {
      await orAborted(Promise.resolve(this.#validate?.(resource)), signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw this.#client.error("invalid", `'validate' rejected it: ${reasonOf(thrown)}`, {
        cause: thrown,
        from,
      });
    }
  }

  /**
   * What is remembered of the resource, as bytes: the validators and the digest of its content, never the
   * content. A URL that holds a secret is not remembered, and so neither are its validators; a salted digest
   * of the polled URL stands for the parts that its name masks.
   */
  save(): Uint8Array {
    return saveState(this.#identity, {
      seen: this.#seen,
      doubt: this.#doubt,
      fingerprint: this.#fingerprint,
    });
  }

  /**
   * Goes on from what `save` gave, also in another process.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or are of another URL. Where that URL
   * differs in a masked part alone, the first poll throws it.
   */
  restore(state: Uint8Array): void {
    const { seen, doubt, fingerprint } = restoreState(state, this.#identity);
    const masked = redactUrl(this.#client.url) !== this.#client.url.href;
    if (!masked && fingerprint !== undefined) throw this.#otherUrl();
    if (masked && fingerprint === undefined && (seen ?? doubt) !== undefined) {
      throw this.#client.error(
        "checkpoint",
        "the state to restore lacks the digest of what is masked in the URL, as an earlier release wrote it: delete " +
          "it to start afresh",
      );
    }
    this.#seen = seen;
    this.#doubt = doubt;
    this.#open = undefined;
    this.#fingerprint = fingerprint;
    this.#isOwnState = !masked;
    this.#delivery++;
  }

  async #checkFingerprint(): Promise<void> {
    const restored = this.#fingerprint;
    const own = await fingerprintOf(this.#client.url, restored?.salt);
    if (restored !== undefined && restored.digest !== own.digest) throw this.#otherUrl();
    this.#fingerprint = own;
    this.#isOwnState = true;
  }

  #otherUrl(): Error {
    return this.#client.error(
      "checkpoint",
      "the restored state belongs to a URL that differs in a part masked here: give each URL a checkpoint of its own, " +
        "or delete it to start afresh; a token that changes belongs into 'bearerToken' or 'headers'",
    );
  }

  /** The event, if there is one; the commit is what follows the last. */
  #deliver(
    event: ExternalEvent<HttpResource> | undefined,
    next: Seen | undefined,
    { each }: PollOptions,
  ): Iterable<ExternalEvent<HttpResource>> {
    const delivery = ++this.#delivery;
    if (!each || event === undefined) return this.#events(delivery, event, next);
    const open: Open = { event, next, isAside: true };
    if (this.#open === undefined) return this.#toBeAcknowledged(delivery, open);
    // What was set aside comes again by itself, as it is now.
    this.#open = open;
    this.#doubt = next ?? this.#doubt;
    return [];
  }

  *#events(
    delivery: number,
    event: ExternalEvent<HttpResource> | undefined,
    next: Seen | undefined,
  ): Generator<ExternalEvent<HttpResource>> {
    if (event !== undefined) {
      this.#doubt = next ?? this.#seen ?? this.#doubt;
      yield event;
    }
    // A later poll delivers meanwhile: what is committed is for that one to say.
    if (this.#delivery !== delivery) return;
    this.#seen = next;
    this.#doubt = undefined;
  }

  *#toBeAcknowledged(delivery: number, open: Open): Generator<ExternalEvent<HttpResource>> {
    if (this.#delivery !== delivery) return;
    this.#doubt = open.next ?? this.#seen ?? this.#doubt;
    this.#open = open;
    open.isAside = false;
    yield open.event;
  }

  #handled(): void {
    if (this.#open?.isAside !== false) return;
    this.#seen = this.#open.next;
    this.#doubt = undefined;
    this.#open = undefined;
  }

  #again(): ExternalEvent<HttpResource> | undefined {
    if (!this.#open?.isAside) return undefined;
    this.#open.isAside = false;
    return this.#open.event;
  }
}

function resourceOf({ url, status, body, headers }: Reply): Resource {
  return new Resource({
    url,
    status,
    body,
    etag: headers.get("etag"),
    lastModified: headers.get("last-modified"),
    contentType: headers.get("content-type"),
  });
}

/** What is left of a resource: the validators that were known last. */
function goneResource({ url, status, body }: Reply, known: Seen): Resource {
  const { etag, lastModified } = known;
  return new Resource({ url, status, body, etag, lastModified });
}
