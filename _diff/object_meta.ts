/** What is known of one object. */

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
