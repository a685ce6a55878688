/**
 * What an object store is to this package: something that lists objects and reads one.
 *
 * @module
 */

/** What a listing says of one object. */
export interface ObjectMeta {
  /** The key, exactly as the store has it. */
  readonly key: string;
  /** The size in bytes. */
  readonly size: number;
  /** Opaque; changes whenever the content does. Absent where the store has none. */
  readonly etag?: string;
  /** When the object was last written, in milliseconds since the epoch, as `File.lastModified`. */
  readonly lastModified?: number;
}

/** Which part of a store to list. */
export interface ListOptions {
  /** Only keys that begin with this string. Default: all keys. */
  prefix?: string;
  /** Only keys greater than this one, in UTF-8 byte order. For stores with `ranged`. */
  after?: string;
  /** Only keys up to and including this one, in UTF-8 byte order. For stores with `ranged`. */
  until?: string;
  /** Aborts the listing. */
  signal?: AbortSignal;
}

/** How to read one object. */
export interface GetOptions {
  /** The ETag an event named: the read fails if the object has another one by now. */
  ifMatch?: string;
  /** Aborts the read. */
  signal?: AbortSignal;
}

/** Something that lists objects and reads one. */
export interface ObjectStore {
  /** Names the store in logs, spans and checkpoints, such as `s3://bucket`. Holds no secret. */
  readonly name: string;
  /** True: `list` honours `after` and `until` and yields keys in UTF-8 byte order. */
  readonly ranged?: boolean;
  /** The objects, page by page. Throws if any page cannot be had; never ends early without an error. */
  list(options?: ListOptions): AsyncIterable<readonly ObjectMeta[]>;
  /** The content of one object, as a stream. */
  get(key: string, options?: GetOptions): Promise<ReadableStream<Uint8Array>>;
}
