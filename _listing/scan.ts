/** The short way from a listing's bytes to a snapshot, for adapters that read the answers themselves. */
import type { ObjectBuilder } from "../_diff/builder.ts";
import type { ListOptions, ObjectStore } from "./object_store.ts";

/**
 * The method by which a store lists without making an object for every key. Private to this package: a
 * store of one's own just has `list`.
 */
export const scanPages: unique symbol = Symbol("scanPages");

/** A page that can put itself into a snapshot. */
export interface ScannedPage {
  /** Objects in it. */
  readonly count: number;
  /** Adds its objects. Throws, and adds an unknown part, if the page is no listing. */
  addTo(builder: ObjectBuilder): void;
}

/** A store that can be scanned: the same objects as `list` gives, in the same order. */
export interface ScanningStore extends ObjectStore {
  [scanPages](options?: ListOptions): AsyncIterable<ScannedPage>;
}

export function canScan(store: ObjectStore): store is ScanningStore {
  return scanPages in store;
}
