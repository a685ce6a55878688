/** The source that watches one HTTP resource. */
import { orAborted } from "../_bounds/abort.ts";
import type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "../_diff/source.ts";
import {
  checkSchema,
  type StandardIssue,
  type StandardResult,
  type StandardSchemaV1,
  validated,
} from "../_diff/standard_schema.ts";
import { checkCount, checkFunction, checkName } from "../_errors/checks.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf, redactUrl } from "../_errors/redact.ts";
import { Conditions } from "./conditional.ts";
import { type Fingerprint, fingerprintOf, sha256 } from "./fingerprint.ts";
import { type Kept, restoreState, saveState, type Seen } from "./http_state.ts";
import { HttpClient, type Reply, type RequestOptions } from "./request.ts";
import { type HttpResource, Resource } from "./resource.ts";
import { renewedBy, validatorsOf } from "./validators.ts";

export type { HttpResource, RequestOptions, StandardIssue, StandardResult, StandardSchemaV1 };

/** One version of the resource, with the resource itself where that is known. */
interface Known<T> extends Seen {
  resource?: Resource<T>;
}

/** An event to be acknowledged by itself: of the state that comes next, if it is not gone. */
interface Open<T> {
  readonly event: ExternalEvent<HttpResource<T>>;
  readonly next: Known<T> | undefined;
  isAside: boolean;
}

/** How to poll a URL. */
export interface HttpPollerOptions<T = undefined> extends RequestOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Takes the JSON of the content and gives {@linkcode HttpResource.value}: a schema of zod, valibot, arktype or any other
   * library that follows Standard Schema. What it does not take, and a body that is no JSON, fails the poll with code
   * `invalid`, and the content seen before stays.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /**
   * Makes {@linkcode HttpResource.value} of the content, in place of `schema`. If it throws or rejects, the poll fails
   * with code `invalid`, and the content seen before stays.
   */
  parse?: (resource: Omit<HttpResource, "value">) => T | Promise<T>;
  /**
   * What changes whenever the resource does, such as a revision in it. Content of the same version is no event.
   *
   * @default {resource.body} every byte counts
   */
  version?: (resource: HttpResource<T>) => string;
  /**
   * What is kept for a restart, in a checkpoint: a digest of the content, or its body as well. With `"body"`,
   *
   * - a `modified` has its `previous`,
   * - {@linkcode HttpPoller.current} is there after a restart, also while the server is down. The body then lies in the
   *   checkpoint as it is: mind who may read that.
   *
   * @default {"digest"}
   */
  remember?: "digest" | "body";
  /**
   * How many answers of 404 or 410 in a row are a `removed`: for servers that give one now and then. Polls that fail
   * between them do not count and do not begin the row anew.
   *
   * @default {1}
   */
  goneAfter?: number;
  /**
   * Looks at new content before anyone else sees it, behind `schema` and `parse`. If it throws or rejects, the poll fails with code
   * `invalid`, and the content seen before stays.
   */
  validate?: (resource: HttpResource<T>) => unknown;
}

/**
 * Polls one URL. The first success is `added`, other content `modified`, a 404 or 410 after a success
 * `removed`.
 *
 * Content decides, by its SHA-256: servers without validators work, and a new ETag on the same bytes is
 * no event. A `modified` has a `previous` with `remember: "body"` alone.
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
  /** Takes what became of each event. There is one key: the name of the source. */
  readonly acknowledgement: Acknowledgement<HttpResource<T>> = {
    keyOf: () => this.name,
    handled: () => this.#handled(),
    setAside: () => void (this.#open && (this.#open.isAside = true)),
    again: () => this.#again(),
    asideKeys: () => this.#open?.isAside ? [this.name] : [],
  };
  readonly #client: HttpClient;
  readonly #identity: string;
  // Of any type: what takes a resource would make pollers of different ones unlike.
  readonly #options: HttpPollerOptions<unknown>;
  readonly #goneAfter: number;
  readonly #conditions: Conditions = new Conditions();
  #seen: Known<T> | undefined;
  /** What an unfinished delivery may or may not have reported: the next poll reports once more. */
  #doubt: Known<T> | undefined;
  /** The event that is out to be acknowledged by itself, or that was set aside; it is in doubt. */
  #open: Open<T> | undefined;
  /** Answers of 404 or 410 since the last that was content. */
  #missed = 0;
  /** What was restored: saved again as long as nothing else is known. */
  #unread: Kept | undefined;
  /** The restored body is being read. */
  #reviving: Promise<void> | undefined;
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
  constructor(url: string | URL, options: HttpPollerOptions<T> = {}) {
    const { goneAfter = 1 } = options;
    checkOptions(options);
    checkCount("poll", "goneAfter", goneAfter);
    if (options.name !== undefined) checkName("poll", options.name);
    this.#client = new HttpClient(url, options);
    this.#options = { ...options } as HttpPollerOptions<unknown>;
    this.#goneAfter = goneAfter;
    this.name = this.#client.name;
    const shown = redactUrl(this.#client.url);
    this.#identity = JSON.stringify(["http", shown]);
    this.#isOwnState = shown === this.#client.url.href;
  }

  /**
   * The last good resource: that of the last event that was handled. Undefined before the first and after a `removed`; behind
   * a restart only known with `remember: "body"`, once the state is restored, or later if `parse` or `schema` takes its
   * time. Must not be changed.
   */
  get current(): HttpResource<T> | undefined {
    return this.#seen?.resource;
  }

  /**
   * One poll. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns No event or one.
   * @throws {ExternalError} If the resource could not be read whole. With code `checkpoint`, in the first poll behind
   * `restore`, if the state belongs to a URL that differs in a part that its name masks.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<HttpResource<T>>>> {
    if (!options.each || this.#open?.isAside === false) this.#open = undefined;
    if (!this.#isOwnState) await this.#checkFingerprint();
    if (this.#reviving !== undefined) await orAborted(this.#reviving, options.signal);
    const reply = await this.#ask(options);
    const seen = this.#seen;
    const isGone = reply.status === 404 || reply.status === 410;
    if (!isGone) this.#missed = 0;
    else if (seen !== undefined && ++this.#missed < this.#goneAfter) return [];
    switch (reply.status) {
      case 304:
        if (this.#open !== undefined) return [];
        return this.#deliver(undefined, seen && { ...seen, ...renewedBy(reply, seen) }, options);
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

  async #ask(poll: PollOptions): Promise<Reply> {
    let good = false;
    try {
      // Where it is in doubt what was reported last, only the content tells what to report.
      const told = this.#doubt === undefined ? this.#seen : this.#open?.next;
      // Whoever remembers bodies must have one.
      const lacks = this.#options.remember === "body" && told?.resource === undefined;
      const seen = poll.all || lacks ? undefined : told;
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
  ): Promise<Iterable<ExternalEvent<HttpResource<T>>>> {
    const seen = this.#seen;
    const { signal } = options;
    const resource = resourceOf<T>(reply);
    const { version } = this.#options;
    let digest = version && await this.#versionOf(resource, reply, signal);
    digest ??= await sha256(reply.body);
    const changed = digest !== seen?.digest || this.#doubt !== undefined || options.all === true;
    if (!version && (changed || seen?.resource === undefined)) {
      await this.#read(resource, reply, signal);
    } else if (!changed && !version) resource.value = seen?.resource?.value as T;
    if (changed) {
      await this.#try("validate", () => this.#options.validate?.(resource), reply, signal);
    }
    const next: Known<T> = { digest, ...validatorsOf(reply, seen), resource };
    return this.#deliver(changed ? this.#eventOf(resource) : undefined, next, options);
  }

  #eventOf(item: Resource<T>): ExternalEvent<HttpResource<T>> {
    if (this.#seen === undefined) return { type: "added", item };
    const previous = this.#options.remember === "body" ? this.#seen.resource : undefined;
    return previous === undefined
      ? { type: "modified", item }
      : { type: "modified", item, previous };
  }

  /** Reads it, and gives a digest of its version. */
  async #versionOf(resource: Resource<T>, from: Reply, signal: AbortSignal): Promise<string> {
    await this.#read(resource, from, signal);
    const version: unknown = await this.#try(
      "version",
      () => this.#options.version?.(resource),
      from,
      signal,
    );
    if (typeof version === "string") return await sha256(new TextEncoder().encode(version));
    throw this.#client.error("invalid", `'version' gave ${kindOf(version)}, no string`, { from });
  }

  async #read(resource: Resource<T>, from: Reply, signal: AbortSignal): Promise<void> {
    const { schema, parse } = this.#options;
    const option = schema ? "schema" : "parse";
    if (!schema && !parse) return;
    resource.value = await this.#try(option, () => this.#valueOf(resource), from, signal) as T;
  }

  /** What `schema` or `parse` makes of it, at once if it can. */
  #valueOf(resource: Resource<T>): unknown {
    const { schema, parse } = this.#options;
    if (!schema) return parse?.(resource);
    let json: unknown;
    try {
      json = resource.json();
    } catch {
      // The runtime's message quotes the body.
      throw new Error(`a body of ${resource.body.length} bytes that is no JSON`);
    }
    return validated(schema, json);
  }

  async #try(
    option: string,
    call: () => unknown,
    from: Reply,
    signal: AbortSignal,
  ): Promise<unknown> {
    try {
      return await orAborted(Promise.resolve(call()), signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw this.#client.error("invalid", `'${option}' rejected it: ${reasonOf(thrown)}`, {
        cause: thrown,
        from,
      });
    }
  }

  /**
   * What is remembered of the resource, as bytes: the validators and the digest of its content; the
   * content itself only with `remember: "body"`. A URL that holds a secret is not remembered, and so neither are its validators; a salted digest
   * of the polled URL stands for the parts that its name masks.
   */
  save(): Uint8Array {
    const resource = this.#options.remember === "body" ? this.#seen?.resource : undefined;
    const { status = 0, body, contentType } = resource ?? {};
    return saveState(this.#identity, {
      kept: body ? { status, contentType, body } : this.#unread,
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
    if (this.#options.remember === "body" && kept !== undefined && seen !== undefined) {
      this.#revive(seen, kept);
    }
  }

  /** Makes the resource that was saved. If it cannot be read any more, the next poll says why. */
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
      const value = this.#valueOf(resource);
      if (value instanceof Promise) this.#reviving = value.then(done, () => {});
      else done(value);
    } catch { /* It is asked for anew. */ }
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
    event: ExternalEvent<HttpResource<T>> | undefined,
    next: Known<T> | undefined,
    { each }: PollOptions,
  ): Iterable<ExternalEvent<HttpResource<T>>> {
    const delivery = ++this.#delivery;
    if (!each || event === undefined) return this.#events(delivery, event, next);
    const open: Open<T> = { event, next, isAside: true };
    if (this.#open === undefined) return this.#toBeAcknowledged(delivery, open);
    // What was set aside comes again by itself, as it is now.
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
    // A later poll delivers meanwhile: what is committed is for that one to say.
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

function checkOptions<T>(options: HttpPollerOptions<T>): void {
  const { schema, parse, version, validate, remember = "digest" } = options;
  for (const [option, value] of Object.entries({ parse, version, validate })) {
    checkFunction("poll", option, value);
  }
  checkSchema(schema);
  if (schema && parse) {
    throw new TypeError("Cannot poll as only one of 'schema' and 'parse' may be set");
  }
  if (remember !== "digest" && remember !== "body") {
    throw new TypeError(`Cannot poll as 'remember' must be "digest" or "body"`);
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

/** What is left of a resource: the validators and the value that were known last. */
function goneResource<T>({ url, status, body }: Reply, known: Known<T>): Resource<T> {
  const { etag, lastModified } = known;
  const gone = new Resource<T>({ url, status, body, etag, lastModified });
  if (known.resource?.value !== undefined) gone.value = known.resource.value;
  return gone;
}
