/**
 * The code that the stores of Google Cloud Storage and Azure share: timeouts, the walk over pages, reading
 * contents, and errors.
 *
 * @module
 */
import { boundedStream } from "../_bounds/bounded_stream.ts";
import { Limits } from "../_bounds/limits.ts";
import { PageGuard } from "../_bounds/page_guard.ts";
import { compareBytes } from "../_bytes/bytes.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { ListedPage } from "./listed_page.ts";
import { toWebStream } from "./node_content.ts";
import { isNodeReadable, type NodeReadable } from "./node_stream.ts";
import type { GetOptions, ListOptions, PutOptions, PutResult } from "./object_store.ts";
import { askedWaitOf, statusOf, storeError } from "./store_error.ts";
import type { RequestBounds } from "./tries.ts";

/** One page of a listing. */
export interface CloudListing {
  readonly page: ListedPage;
  /** The token of the next page; undefined after the last. */
  readonly next: string | undefined;
  /** The last key that the server sent. */
  readonly lastKey: Uint8Array | undefined;
}

/** The content of an object, about to be read. */
export interface CloudContent {
  readonly body: NodeReadable | ReadableStream<Uint8Array>;
  /** The ETag that the answer names. */
  readonly etag?: string | undefined;
  /** How many bytes there must be, if the client does not check that itself. */
  readonly length?: number | undefined;
  /** Frees the connection. */
  readonly drop: () => void;
}

/** A service behind its client. Each method makes one request, or several tries of one. */
export interface CloudService {
  /** What holds the objects: a bucket, a container. */
  readonly place: string;
  /** What the credentials must allow, for each action. */
  readonly permissions: Readonly<Record<Action, string>>;
  /**
   * Prepares a listing whose pages are asked for one after the other. A page is valid until the next one is asked
   * for.
   */
  lister(options: ListOptions): CloudLister;
  open(key: string, ifMatch: string | undefined, bounds: RequestBounds): Promise<CloudContent>;
  /** Resolves to the new ETag. */
  write(
    key: string,
    body: Uint8Array,
    conditions: Pick<PutOptions, "ifMatch" | "ifNoneMatch">,
    bounds: RequestBounds,
  ): Promise<string | undefined>;
  /** The error that was thrown, in a form that may be shown. */
  presentable(thrown: unknown): unknown;
  /** Whether it was thrown because the bucket or container does not exist. */
  isMissing(thrown: unknown): boolean;
}

/** Asks for the page at a token, or for the first one. */
export type CloudLister = (
  token: string | undefined,
  bounds: RequestBounds,
) => Promise<CloudListing>;

/** What is done with objects. */
export type Action = "list" | "get" | "put";

/** Lists, reads and writes the objects of a bucket or container. */
export class Cloud {
  readonly #name: string;
  readonly #timeout: number;
  readonly #service: CloudService;

  /** @param timeout Milliseconds for one request, and for the next bytes of a content. */
  constructor(name: string, timeout: number, service: CloudService) {
    this.#name = name;
    this.#timeout = timeout;
    this.#service = service;
  }

  /** The pages of a listing, one request each. */
  async *pages(options: ListOptions): AsyncGenerator<ListedPage, void> {
    const { prefix = "", signal } = options;
    const task: Task = { action: "list", doing: `list '${this.#name}'` };
    if (!prefix.isWellFormed()) {
      throw new TypeError(`Cannot ${task.doing} as 'prefix' has half of a surrogate pair`);
    }
    signal?.throwIfAborted();
    const ask = this.#service.lister(options);
    const guard = new PageGuard((what) => this.#fault(task, what));
    let [token, last]: [string?, Uint8Array?] = [];
    for (;;) {
      const asking = this.#request(task, signal, (bounds) => ask(token, bounds));
      const { page, next, lastKey } = await asking;
      yield page;
      signal?.throwIfAborted();
      if (next === undefined) return;
      guard.next(next, lastKey !== undefined && !isSame(lastKey, last));
      last = lastKey ?? last;
      token = next;
    }
  }

  async get(key: string, options: GetOptions): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options;
    const task: Task = { action: "get", doing: `get '${key}' from '${this.#name}'` };
    const { limits, bounds } = this.#limit(task, signal);
    try {
      limits.signal.throwIfAborted();
      const opening = this.#service.open(key, ifMatch, bounds);
      const { body, etag, length, drop } = await limits.orAborted(opening, ({ drop }) => drop());
      if (ifMatch !== undefined && etag !== undefined && !isSameTag(etag, ifMatch)) {
        drop();
        // The server ignored the condition.
        const error = new Error(`the object has another ETag by now, ${etag}`);
        throw Object.assign(error, { statusCode: 412 });
      }
      limits.stopTimer();
      task.begun = true;
      const content = isNodeReadable(body) ? toWebStream(body, drop, length) : body;
      return boundedStream(content, limits, (thrown) => this.#error(task, thrown));
    } catch (thrown) {
      limits.release();
      throw limits.signal.aborted ? limits.signal.reason : this.#error(task, thrown);
    }
  }

  async put(key: string, body: Uint8Array, options: PutOptions): Promise<PutResult> {
    const { ifMatch, ifNoneMatch, signal } = options;
    const task: Task = { action: "put", doing: `put '${key}' to '${this.#name}'` };
    const conditions = {
      ...(ifMatch !== undefined && { ifMatch }),
      ...(ifNoneMatch !== undefined && { ifNoneMatch }),
    };
    const etag = await this.#request(
      task,
      signal,
      (bounds) => this.#service.write(key, body, conditions, bounds),
    );
    if (etag !== undefined && ifMatch !== undefined && isSameTag(etag, ifMatch)) {
      throw this.#fault(
        task,
        "the server reports a successful write but still the old ETag: it ignores conditions of writes",
      );
    }
    return etag === undefined ? {} : { etag };
  }

  /** Makes a request, bounded in time. Rejects with the reason of an abort as it is. */
  async #request<R>(
    task: Task,
    signal: AbortSignal | undefined,
    request: (bounds: RequestBounds) => Promise<R>,
  ): Promise<R> {
    const { limits, bounds } = this.#limit(task, signal);
    try {
      limits.signal.throwIfAborted();
      return await limits.orAborted(request(bounds));
    } catch (thrown) {
      throw limits.signal.aborted ? limits.signal.reason : this.#error(task, thrown);
    } finally {
      limits.release();
    }
  }

  #limit(
    task: Task,
    outer: AbortSignal | undefined,
  ): { readonly limits: Limits; readonly bounds: RequestBounds } {
    const deadline = performance.now() + this.#timeout;
    const limits = new Limits(outer, this.#timeout, () => this.#timedOut(task, bounds.failure));
    const bounds: RequestBounds = { signal: limits.signal, deadline };
    return { limits, bounds };
  }

  #fault({ doing }: Task, what: string): ExternalError {
    return new ExternalError("protocol", `Cannot ${doing} as ${what}`, { source: this.#name });
  }

  #timedOut({ doing, begun }: Task, failure: unknown): ExternalError {
    const what = begun ? "no further bytes came" : "there was no complete answer";
    const told = !begun && failure !== undefined;
    const shown = told ? this.#service.presentable(failure) : undefined;
    const before = shown === undefined ? "" : `, and the try before failed: ${reasonOf(shown)}`;
    const status = statusOf(shown);
    const { retryAfter } = askedWaitOf(shown);
    return new ExternalError(
      "timeout",
      `Cannot ${doing} as ${what} within ${this.#timeout} ms${before}; see 'timeout'`,
      {
        source: this.#name,
        ...(status !== undefined && { status }),
        ...(retryAfter !== undefined && { retryAfter }),
      },
    );
  }

  #error({ action, doing }: Task, thrown: unknown): ExternalError {
    if (thrown instanceof ExternalError) return thrown;
    const shown = this.#service.presentable(thrown);
    return storeError(doing, this.#name, shown, this.#hint(action, thrown, statusOf(shown)));
  }

  /** Advice for a failure that does not pass by itself. */
  #hint(action: Action, thrown: unknown, status: number | undefined): string {
    const { place, permissions } = this.#service;
    const lasting = "this does not pass by itself";
    if (status === 401) return `${lasting}: check the credentials of the client`;
    if (status === 403) {
      return `${lasting}: check the credentials of the client, and that they allow ${
        permissions[action]
      }`;
    }
    const missing = status === 404 && (action !== "get" || this.#service.isMissing(thrown));
    if (missing) {
      return `${lasting}: check that the ${place} exists, and where the client sends requests`;
    }
    return "";
  }
}

interface Task {
  readonly action: Action;
  /** As in error messages: "list 'gs://bucket'". */
  readonly doing: string;
  /** Whether the content of an object is being read. */
  begun?: boolean;
}

/** Whether two ETags are the same but for their quotes: Azure accepts them with and without. */
function isSameTag(a: string, b: string): boolean {
  return a.replaceAll('"', "") === b.replaceAll('"', "");
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && compareBytes(a, 0, a.length, b, 0, b.length) === 0;
}
