/** The source that watches one HTTP resource. */
import { orAborted } from "../_bounds/abort.ts";
import type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "../_diff/source.ts";
import type { StandardIssue, StandardResult, StandardSchemaV1 } from "../_diff/standard_schema.ts";
import { redactUrl } from "../_errors/redact.ts";
import { Callbacks } from "./callbacks.ts";
import { Conditions } from "./conditional.ts";
import { sha256 } from "../_bytes/sha256.ts";
import { type Fingerprint, fingerprintOf } from "./url_fingerprint.ts";
import { type Kept, restoreState, saveState, type Seen } from "./http_state.ts";
import { checkOptions, type HttpPollerOptions } from "./http_options.ts";
import { HttpClient, type Reply, type RequestOptions } from "./request.ts";
import { type HttpResource, Resource } from "./resource.ts";
import { renewedBy, validatorsOf } from "./validators.ts";

export type {
  HttpPollerOptions,
  HttpResource,
  RequestOptions,
  StandardIssue,
  StandardResult,
  StandardSchemaV1,
};

/** One version of the resource, with the resource itself where that is known. */
interface Known<T> extends Seen {
  resource?: Resource<T>;
}

/** An event that is acknowledged by itself, and the state after it: undefined if the resource is gone. */
interface Open<T> {
  readonly event: ExternalEvent<HttpResource<T>>;
  readonly next: Known<T> | undefined;
  isAside: boolean;
}

/**
 * Polls one URL. The first success is reported as `added`, changed content as `modified`, and a 404 or 410 after a
 * success as `removed`.
 *
 * Unless `version` is set, the SHA-256 of the content decides: servers without validators work, and a new ETag on
 * the same bytes is no event. A `modified` has a `previous` only with `remember: "body"`.
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
export class HttpPoller<T = undefined> implements ExternalSource<HttpResource<T>> {
  /** Names the source in logs, spans and checkpoints. */
  readonly name: string;
  /** Receives what became of each event. There is one key: the name of the source. */
  readonly acknowledgement: Acknowledgement<HttpResource<T>> = {
    keyOf: () => this.name,
    handled: () => this.#handled(),
    setAside: () => void (this.#open && (this.#open.isAside = true)),
    again: () => this.#again(),
    asideKeys: () => this.#open?.isAside ? [this.name] : [],
  };
  readonly #client: HttpClient;
  readonly #identity: string;
  readonly #callbacks: Callbacks<T>;
  readonly #keepsBody: boolean;
  readonly #goneAfter: number;
  readonly #conditions: Conditions = new Conditions();
  #seen: Known<T> | undefined;
  /** The version that an unfinished delivery may have reported, or not: the next poll reports again. */
  #doubt: Known<T> | undefined;
  /** The event that is not acknowledged yet, or was set aside. While there is one, `#doubt` is set. */
  #open: Open<T> | undefined;
  /** Answers of 404 or 410 since the last other answer. */
  #missed = 0;
  /** The restored body: saved again until newer content is known. */
  #unread: Kept | undefined;
  /** Settles when the restored body has been parsed. */
  #reviving: Promise<void> | undefined;
  /**
   * The fingerprint of the URL, if a part of it is masked. The first poll makes it, or compares it with the
   * restored one.
   */
  #fingerprint: Fingerprint | undefined;
  #isOwnState: boolean;
  /** Counts the deliveries: only the one that began last commits. */
  #delivery = 0;

  /**
   * Makes no request yet.
   *
   * @param url What to poll: http or https. User info is sent as Basic credentials and never shown.
   * @param options How to poll it.
   * @throws {TypeError} If the URL or an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(url: string | URL, options?: HttpPollerOptions<T>) {
    checkOptions(options ?? {});
    this.#client = new HttpClient(url, options ?? {});
    this.#callbacks = new Callbacks(this.#client, options ?? {});
    this.#keepsBody = options?.remember === "body";
    this.#goneAfter = options?.goneAfter ?? 1;
    this.name = this.#client.name;
    const shown = redactUrl(this.#client.url);
    this.#identity = JSON.stringify(["http", shown]);
    this.#isOwnState = shown === this.#client.url.href;
  }

  /**
   * The last good resource: the one of the last event that was handled. Undefined before the first event and after
   * a `removed`. After a restart it is known only with `remember: "body"`: once the state is restored, or later if
   * `parse` or `schema` is asynchronous. Must not be changed.
   */
  get current(): HttpResource<T> | undefined {
    return this.#seen?.resource;
  }

  /**
   * One poll. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns No event or one.
   * @throws {ExternalError} If the resource could not be read whole. With code `checkpoint`, in the first poll
   * after `restore`, if the state belongs to a URL that differs only in a masked part.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<HttpResource<T>>>> {
    if (!options.each || this.#open?.isAside === false) this.#open = undefined;
    if (!this.#isOwnState) await this.#checkFingerprint();
    if (this.#reviving !== undefined) await orAborted(this.#reviving, options.signal);
    const question = { client: this.#client, poll: options, seen: this.#known(options) };
    let reply: Reply;
    try {
      reply = await this.#conditions.ask(question);
    } catch (thrown) {
      this.#conditions.ended(false);
      throw thrown;
    }
    this.#conditions.ended(true);
    const seen = this.#seen;
    const isGone = reply.status === 404 || reply.status === 410;
    if (!isGone) this.#missed = 0;
    else if (seen !== undefined && ++this.#missed < this.#goneAfter) return [];
    switch (reply.status) {
      case 304:
        if (this.#open !== undefined) return [];
        return this.#deliver(undefined, seen && renewedBy(reply, seen), options);
      case 404:
      case 410: {
        const known = seen ?? this.#doubt;
        const event = known && { type: "removed", item: goneResource<T>(reply, known) } as const;
        return this.#deliver(event, undefined, options);
      }
      default:
        return await this.#compare(reply, options);
    }
  }

  /**
   * Gives, without a request, what a poll would give if the resource were gone. The removal is committed when the
   * iterable is read to its end.
   *
   * @param options How the event is acknowledged.
   * @returns A `removed` with status 410, if the resource is known or in doubt.
   */
  withdraw(options: PollOptions): Iterable<ExternalEvent<HttpResource<T>>> {
    if (!options.each || this.#open?.isAside === false) this.#open = undefined;
    const known = this.#seen ?? this.#doubt;
    const reply = { url: this.#client.url.href, status: 410, body: new Uint8Array() };
    const event = known && { type: "removed", item: goneResource(reply, known) } as const;
    return this.#deliver(event, undefined, options);
  }

  /** The host of the URL. */
  get host(): string {
    return this.#client.url.host;
  }

  /** The version that the server is asked to compare with. */
  #known({ all }: PollOptions): Known<T> | undefined {
    // If it is unknown what was reported last, only the content tells what to report.
    const told = this.#doubt === undefined ? this.#seen : this.#open?.next;
    // With `remember: "body"` a body is needed.
    const lacks = this.#keepsBody && told?.resource === undefined;
    return all || lacks ? undefined : told;
  }

  async #compare(
    reply: Reply,
    options: PollOptions,
  ): Promise<Iterable<ExternalEvent<HttpResource<T>>>> {
    const seen = this.#seen;
    const { signal } = options;
    const resource = resourceOf<T>(reply);
    const callbacks = this.#callbacks;
    const digest = callbacks.hasVersion
      ? await callbacks.versionOf(resource, reply, signal)
      : await sha256(reply.body);
    const changed = digest !== seen?.digest || this.#doubt !== undefined || options.all === true;
    if (!callbacks.hasVersion) {
      if (changed || seen.resource === undefined) await callbacks.read(resource, reply, signal);
      else resource.value = seen.resource.value;
    }
    if (changed) await callbacks.check(resource, reply, signal);
    const next: Known<T> = { digest, ...validatorsOf(reply, seen), resource };
    return this.#deliver(changed ? this.#eventOf(resource) : undefined, next, options);
  }

  #eventOf(item: Resource<T>): ExternalEvent<HttpResource<T>> {
    if (this.#seen === undefined) return { type: "added", item };
    const previous = this.#keepsBody ? this.#seen.resource : undefined;
    return previous === undefined
      ? { type: "modified", item }
      : { type: "modified", item, previous };
  }

  /**
   * What is remembered of the resource, as bytes: the validators and the digest of its content, and the content
   * itself only with `remember: "body"`. If a URL holds a secret, neither it nor its validators are saved; a salted
   * digest of the polled URL stands for its masked parts.
   */
  save(): Uint8Array {
    const resource = this.#keepsBody ? this.#seen?.resource : undefined;
    const { status = 0, body, contentType } = resource ?? {};
    return saveState(this.#identity, {
      kept: body ? { status, contentType, body } : this.#unread,
      seen: this.#seen,
      doubt: this.#doubt,
      fingerprint: this.#fingerprint,
    });
  }

  /**
   * Continues from what `save` gave, in this or another process.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or belong to another URL. If that URL
   * differs only in a masked part, the first poll throws instead.
   */
  restore(state: Uint8Array): void {
    const { seen, doubt, fingerprint, kept } = restoreState(state, this.#identity);
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
    this.#missed = 0;
    this.#reviving = undefined;
    this.#unread = undefined;
    if (this.#keepsBody && kept !== undefined && seen !== undefined) {
      this.#revive(seen, kept);
    }
  }

  /**
   * Makes the saved resource again. If its body cannot be parsed any more, the next poll asks for the whole
   * content.
   */
  #revive(seen: Known<T>, kept: Kept): void {
    this.#unread = kept;
    const url = seen.url || redactUrl(this.#client.url);
    const { etag, lastModified } = seen;
    const resource = new Resource<T>({ ...kept, url, etag, lastModified });
    const done = (value: unknown) => {
      if (value !== undefined) resource.value = value as T;
      seen.resource = resource;
    };
    try {
      const value = this.#callbacks.valueFor(resource);
      if (value instanceof Promise) this.#reviving = value.then(done, () => {});
      else done(value);
    } catch { /* The next poll asks for it again. */ }
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
        "or delete it to start afresh; a token that changes belongs in 'bearerToken' or 'headers'",
    );
  }

  /** Gives the event, if there is one, and then commits. With `each`, the acknowledgement of the event commits. */
  #deliver(
    event: ExternalEvent<HttpResource<T>> | undefined,
    next: Known<T> | undefined,
    { each }: PollOptions,
  ): Iterable<ExternalEvent<HttpResource<T>>> {
    const delivery = ++this.#delivery;
    if (!each || event === undefined) return this.#events(delivery, event, next);
    const open: Open<T> = { event, next, isAside: true };
    if (this.#open === undefined) return this.#toBeAcknowledged(delivery, open);
    // The event that was set aside is delivered again by itself, now in its newest form.
    this.#open = open;
    this.#doubt = next ?? this.#doubt;
    return [];
  }

  *#events(
    delivery: number,
    event: ExternalEvent<HttpResource<T>> | undefined,
    next: Known<T> | undefined,
  ): Generator<ExternalEvent<HttpResource<T>>> {
    if (event !== undefined) {
      this.#doubt = next ?? this.#seen ?? this.#doubt;
      yield event;
    }
    // A later poll has begun to deliver: only that one commits.
    if (this.#delivery !== delivery) return;
    this.#seen = next;
    this.#unread = undefined;
    this.#doubt = undefined;
  }

  *#toBeAcknowledged(delivery: number, open: Open<T>): Generator<ExternalEvent<HttpResource<T>>> {
    if (this.#delivery !== delivery) return;
    this.#doubt = open.next ?? this.#seen ?? this.#doubt;
    this.#open = open;
    open.isAside = false;
    yield open.event;
  }

  #handled(): void {
    if (this.#open?.isAside !== false) return;
    this.#seen = this.#open.next;
    this.#unread = undefined;
    this.#doubt = undefined;
    this.#open = undefined;
  }

  #again(): ExternalEvent<HttpResource<T>> | undefined {
    if (!this.#open?.isAside) return undefined;
    this.#open.isAside = false;
    return this.#open.event;
  }
}

function resourceOf<T>({ url, status, body, headers }: Reply): Resource<T> {
  return new Resource<T>({
    url,
    status,
    body,
    etag: headers.get("etag"),
    lastModified: headers.get("last-modified"),
    contentType: headers.get("content-type"),
  });
}

/** The item of a `removed`: with the validators and the value that were known last. */
function goneResource<T>(
  { url, status, body }: Pick<Reply, "url" | "status" | "body">,
  known: Known<T>,
): Resource<T> {
  const { etag, lastModified } = known;
  const gone = new Resource<T>({ url, status, body, etag, lastModified });
  if (known.resource?.value !== undefined) gone.value = known.resource.value;
  return gone;
}
