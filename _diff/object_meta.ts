/** What is known about one object. Which of it decides whether the object changed is said in `object_identity.ts`. */

/** What a listing says about one object. */
export interface ObjectMeta {
  /** The key, exactly as the store has it. */
  readonly key: string;
  /** The size in bytes. */
  readonly size: number;
  /** An opaque string that changes whenever the content does. Absent if the store has none. */
  readonly etag?: string;
  /** When the object was last written, in milliseconds since the epoch, as `File.lastModified`. */
  readonly lastModified?: number;
}
