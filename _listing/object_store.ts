/** The contract between an object store and whoever lists, reads or writes it. */
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** Which part of a store to list. */
export interface ListOptions {
  /** Only keys that begin with this string. Default: all keys. */
  prefix?: string;
  /** Only keys greater than this one, in UTF-8 byte order. For stores with `ranged`. */
  after?: string;
  /** Only keys up to and including this one, in UTF-8 byte order. For stores with `ranged`. */
  until?: string;
  /** A hint: no page needs to hold more objects than this. Default: pages as large as the store makes them. */
  pageSize?: number;
  /** Aborts the listing: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** How to read one object. */
export interface GetOptions {
  /** The ETag an event named: the read fails if the object has another one by now. */
  ifMatch?: string;
  /** Aborts the read: it rejects with the signal's reason, untouched. */
  signal?: AbortSignal;
}

/** Something that lists objects and reads one. */
export interface ObjectStore {
  /** Names the store in logs, spans and checkpoints, such as `s3://bucket`. Holds no secret. */
  readonly name: string;
  /**
   * What a checkpoint is tied to beside the name, such as an endpoint: two stores of one name and two identities do not
   * take each other's state. Asked once, before the first listing. Holds no secret. Optional.
   */
  identity?(): string | Promise<string>;
  /**
   * Whether ranges may be listed at once. It is looked at before every range that is begun, so it may change.
   *
   * - `true`: known. `list` honours `after` and `until`, and yields keys in UTF-8 byte order.
   * - `undefined`: not known yet. The listing begins as one, without a range; what is left is cut if `ranged` is true after
   *   a page.
   * - `false`: never. `after` and `until` are not passed.
   *
   * A store that says `true` and does otherwise is found out, and listed as one from then on.
   */
  readonly ranged?: boolean | undefined;
  /** The objects, page by page. Throws if any page cannot be had; never ends early without an error. */
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

/** On which condition to write one object. */
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
