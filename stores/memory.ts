/**
 * An object store in memory: for tests, examples, and state that need not outlive the process.
 *
 * @example
 * ```ts
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const store = new MemoryStore();
 * await store.put("greeting.txt", "hello");
 * console.log(await new Response(await store.get("greeting.txt")).text()); // hello
 * ```
 *
 * @module
 */
import { compareKeys } from "../_bytes/order.ts";
import { checkCount, checkName } from "../_errors/checks.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type {
  GetOptions,
  ListOptions,
  ObjectStore,
  PutOptions,
  PutResult,
} from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** How to make a {@linkcode MemoryStore}. */
export interface MemoryStoreOptions {
  /**
   * Names the store in logs, spans and checkpoints. Must not hold a secret.
   *
   * @default {"memory://"}
   */
  name?: string;
  /**
   * The most objects a page of a listing may hold.
   *
   * @default {1000}
   */
  pageSize?: number;
}

interface StoredObject {
  readonly meta: ObjectMeta & { readonly etag: string };
  readonly body: Uint8Array<ArrayBuffer>;
}

/**
 * Objects in memory. Lists all of them or a range, in UTF-8 byte order, as they were when the
 * listing began. Any string is a key. The ETag is made from the content alone, so writing the same
 * content again is no change.
 *
 * @example Writing only what nobody else has written
 * ```ts
 * import { ExternalError } from "@koprs/external/error";
 * import { MemoryStore } from "@koprs/external/stores/memory";
 *
 * const store = new MemoryStore();
 * const { etag } = await store.put("leader", "a", { ifNoneMatch: "*" });
 * await store.put("leader", "b", { ifMatch: etag });
 * try {
 *   await store.put("leader", "c", { ifMatch: etag });
 * } catch (error) {
 *   console.assert(error instanceof ExternalError && error.status === 412);
 * }
 * ```
 */
export class MemoryStore implements ObjectStore {
  /** Names the store in logs, spans and checkpoints. */
  readonly name: string;
  /** Always true: `list` honours `after` and `until`, and yields keys in UTF-8 byte order. */
  readonly ranged: true = true;
  readonly #pageSize: number;
  readonly #objects: Map<string, StoredObject> = new Map();
  /** All objects in order; absent after a write, until a listing needs it. Never changed in place. */
  #sorted: readonly StoredObject[] | undefined;
  /**
   * Settles when the newest write is done. Writes wait for each other, as their digests may be
   * ready in another order.
   */
  #writes: Promise<unknown> = Promise.resolve();

  /**
   * Creates an empty store.
   *
   * @param options Its name and the size of a page.
   * @throws {TypeError} If an option is of the wrong type, or the name has control characters.
   * @throws {RangeError} If `pageSize` is not a positive whole number.
   */
  constructor(options?: MemoryStoreOptions) {
    const { name = "memory://", pageSize = 1_000 } = options ?? {};
    checkName("make the store", name);
    checkCount("make the store", "pageSize", pageSize);
    this.name = name;
    this.#pageSize = pageSize;
  }

  /**
   * Writes one object. Writes take effect in the order of the calls.
   *
   * @param key Any string.
   * @param body A string is written as UTF-8; bytes are copied.
   * @param options The condition on which to write.
   * @returns The ETag of the object.
   * @throws {ExternalError} With code `store` and status 412 if the condition does not hold.
   */
  put(
    key: string,
    body: string | Uint8Array,
    options?: PutOptions,
  ): Promise<PutResult & { readonly etag: string }> {
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
    return this.#inTurn(async () => {
      options?.signal?.throwIfAborted();
      const etag = await etagOf(bytes);
      options?.signal?.throwIfAborted();
      this.#check(key, options ?? {});
      const meta = { key, size: bytes.byteLength, etag, lastModified: Date.now() };
      this.#objects.set(key, { meta, body: bytes });
      this.#sorted = undefined;
      return { etag };
    });
  }

  /**
   * Deletes one object.
   *
   * @param key Its key.
   * @returns Whether it was there.
   */
  delete(key: string): Promise<boolean> {
    return this.#inTurn(() => {
      this.#sorted = undefined;
      return Promise.resolve(this.#objects.delete(key));
    });
  }

  /**
   * The objects, page by page, in UTF-8 byte order of their keys.
   *
   * @param options Which objects.
   * @returns Pages. An empty listing has none.
   */
  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[], void> {
    const { prefix = "", after, until, signal } = options ?? {};
    signal?.throwIfAborted();
    const sorted = this.#sorted ??= [...this.#objects.values()].sort((a, b) =>
      compareKeys(a.meta.key, b.meta.key)
    );
    const end = until === undefined ? sorted.length : countUpTo(sorted, until);
    let page: ObjectMeta[] = [];
    for (let i = after === undefined ? 0 : countUpTo(sorted, after); i < end; i++) {
      const object = (sorted[i] as StoredObject).meta;
      if (!object.key.startsWith(prefix)) continue;
      page.push(object);
      if (page.length < this.#pageSize) continue;
      yield page;
      signal?.throwIfAborted();
      page = [];
    }
    if (page.length > 0) yield page;
  }

  /**
   * The content of one object, as it was at the time of the call.
   *
   * @param key Its key.
   * @param options The ETag it must have.
   * @returns The content. The bytes are a copy.
   * @throws {ExternalError} With code `store`: status 404 if there is no such object, 412 if it has
   * another ETag.
   */
  // deno-lint-ignore require-await -- what is thrown must reject
  async get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>> {
    const { ifMatch, signal } = options ?? {};
    signal?.throwIfAborted();
    const object = this.#objects.get(key);
    if (object === undefined) throw this.#error(404, `get '${key}'`, "it does not exist");
    if (ifMatch !== undefined && ifMatch !== object.meta.etag) {
      throw this.#error(412, `get '${key}'`, "it changed: its ETag is another one");
    }
    return new ReadableStream<Uint8Array>({
      pull(controller) {
        signal?.throwIfAborted();
        if (object.body.byteLength > 0) controller.enqueue(object.body.slice());
        controller.close();
      },
    }, { highWaterMark: 0 });
  }

  #check(key: string, { ifMatch, ifNoneMatch }: PutOptions): void {
    const object = this.#objects.get(key);
    if (ifNoneMatch !== undefined && object !== undefined) {
      throw this.#error(412, `put '${key}'`, "it exists already");
    }
    if (ifMatch !== undefined && ifMatch !== object?.meta.etag) {
      const why = object === undefined
        ? "it does not exist"
        : "it changed: its ETag is another one";
      throw this.#error(412, `put '${key}'`, why);
    }
  }

  #error(status: number, doing: string, why: string): ExternalError {
    const message = `Cannot ${doing} in '${this.name}' as ${why}`;
    return new ExternalError("store", message, { source: this.name, status });
  }

  #inTurn<R>(write: () => Promise<R>): Promise<R> {
    const done = this.#writes.then(write);
    this.#writes = done.catch(() => {});
    return done;
  }
}

async function etagOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes), 0, 16);
  return `"${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}

/** How many objects have a key up to and including this one. */
function countUpTo(sorted: readonly StoredObject[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys((sorted[middle] as StoredObject).meta.key, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
