/** The contract between an object store and whoever lists, reads or writes it. */
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** Which part of a store to list. */
export interface ListOptions {
  /** Only keys that begin with this string. Default: all keys. */
  prefix?: string;
  /** Only keys greater than this one, in UTF-8 byte order. Only for stores that are `ranged`. */
  after?: string;
  /** Only keys up to and including this one, in UTF-8 byte order. Only for stores that are `ranged`. */
  until?: string;
  /** A hint: the most objects that a page needs to hold. Default: as many as the store gives. */
  pageSize?: number;
  /** Aborts the listing: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** How to read one object. */
export interface GetOptions {
  /** The ETag of an event: the read fails if the object has another one by now. */
  ifMatch?: string;
  /** Aborts the read: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** A store that lists and reads objects, and may write them. */
export interface ObjectStore {
  /** Names the store in logs, spans and checkpoints, such as `s3://bucket`. Holds no secret. */
  readonly name: string;
  /**
   * What a checkpoint is bound to besides the name, such as an endpoint: two stores with the same name but
   * different identities do not take each other's state. Called before the first listing, and again after a state
   * was restored. Holds no secret. Optional.
   */
  identity?(): string | Promise<string>;
  /**
   * Whether several ranges may be listed at once. Read before every range that is begun, so it may change.
   *
   * - `true`: they may. `list` honours `after` and `until`, and yields keys in UTF-8 byte order.
   * - `undefined`: not known yet. The listing begins as one, without a range; the rest is cut into ranges if
   *   `ranged` is true after a page.
   * - `false`: never. `after` and `until` are not passed.
   *
   * If a store says `true` and does otherwise, that is detected, and it is listed as one from then on.
   */
  readonly ranged?: boolean | undefined;
  /** The objects, page by page. Throws if any page cannot be read; never ends early without an error. */
  list(options?: ListOptions): AsyncIterable<readonly ObjectMeta[]>;
  /**
   * The content of one object, as a stream. Rejects with an {@linkcode ExternalError} of code `store` if
   * the object is missing (status 404) or is not the one of `ifMatch` any more (status 412).
   */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>>;
  /**
   * Writes one object, on a condition. Optional. Rejects with an {@linkcode ExternalError} of code
   * `store` and status 412 if the condition does not hold, and writes nothing then.
   */
  put?(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult>;
}

/** The condition on which to write one object. */
export interface PutOptions {
  /** The ETag that the object must have. */
  ifMatch?: string;
  /** `"*"`: the object must not exist. */
  ifNoneMatch?: "*";
  /** Aborts the write: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** What is known of an object that was written. */
export interface PutResult {
  /** Its new ETag, as a listing has it. */
  readonly etag?: string;
}
