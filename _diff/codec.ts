/**
 * What a snapshot keeps of a value besides its key: identity bytes, which decide whether it changed, and extra bytes,
 * which are kept but not compared. What these are is said in `object_identity.ts` and `item_identity.ts`.
 *
 * @module
 */

/** Reads values of one kind. `identity`, `extra` and `end` are offsets: identity first, then extra. */
export interface Codec<V> {
  decode(key: string, bytes: Uint8Array, identity: number, extra: number, end: number): V;
  /** Whether `decode` would understand these bytes. */
  check(bytes: Uint8Array, identity: number, extra: number, end: number): boolean;
}
