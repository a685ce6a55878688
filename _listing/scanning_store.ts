/** Puts the bytes of a listing into a snapshot directly, for stores that read the answers themselves. */
import type { ObjectBuilder } from "../_diff/builder.ts";
import type { ListOptions, ObjectStore } from "./object_store.ts";

/**
 * The method by which a store lists without making an object for every key. Private to this package: a store of
 * your own has only `list`.
 */
export const scanPages: unique symbol = Symbol("scanPages");

/** A page that can put itself into a snapshot. */
export interface ScannedPage {
  /** How many objects it has. */
  readonly count: number;
  /** Adds its objects. If the page is not a listing, it throws, and an unknown part of them has been added. */
  addTo(builder: ObjectBuilder): void;
}

/** A store that can be scanned, which gives the same objects as `list`, in the same order. */
export interface ScanningStore extends ObjectStore {
  [scanPages](options?: ListOptions): AsyncIterable<ScannedPage>;
}

export function canScan(store: ObjectStore): store is ScanningStore {
  return scanPages in store;
}
