/** How a store is broken, and what the tests of the suite for stores are called. */
import type { ListOptions, ObjectMeta } from "@koprs/external/store";
import type { StoreFixture } from "@koprs/external/testing";
import { type Broken, FaultyStore, storeFixture } from "./_faulty_store.ts";

export function broken(
  name: string,
  fails: readonly string[],
  store: new () => FaultyStore,
  more?: Partial<StoreFixture>,
): Broken<StoreFixture> {
  return { name, fails, setUp: () => Promise.resolve(storeFixture(new store(), more)) };
}

/** A store that changes each page on its way out. */
export function changing(
  change: (page: readonly ObjectMeta[], n: number) => readonly ObjectMeta[],
) {
  return class extends FaultyStore {
    override async *list(options?: ListOptions) {
      let n = 0;
      for await (const page of super.list(options)) yield change(page, ++n);
    }
  };
}

/** A store that changes what is asked of it. */
export function asking(change: (options: ListOptions) => ListOptions) {
  return class extends FaultyStore {
    override list(options: ListOptions = {}) {
      return super.list(change(options));
    }
  };
}

export const EMPTY = "an empty store lists nothing";
export const ADDED = "what is put is added, and after that no event";
export const REWRITE = "a rewrite of the same size is modified and carries the previous state";
export const DELETED = "what is deleted is removed and carries its last state";
export const SAME = "the same content written again is no event";
export const EXACT = "keys are exact";
export const UNICODE = "what is no valid Unicode is taken for nothing else";
export const SIGNALS = "nothing leaves a listener on its signal";
export const PREFIX = "a prefix is a plain string";
export const GET = "get streams the exact bytes";
export const GET_404 = "get of a missing key rejects with status 404";
export const GET_412 =
  "get with the ETag of an event gives that content or rejects with status 412";
export const VANISHED = "a vanished root fails the poll and removes nothing";
export const TWO = "two pollers on one store each see every change";
export const SAVED = "state saved by one poller goes on in another";
export const HISTORY = "replay equals reality over a random history";
export const PUT_NEW = "put with ifNoneMatch writes only what is not there";
export const PUT_OVER = "put with ifMatch writes only over that state";
export const WHOLE = "a listing over several pages is whole";
export const ORDER = "a ranged store lists in the byte order of UTF-8";
export const BOUNDS = "a range leaves out `after` and takes in `until`";
export const RANGES = "random ranges together are the whole listing";
export const ABORTED = "a listing with an aborted signal rejects with its reason";
export const ABORT_FIRST = "an abort during the first page ends a listing";
export const ABORT_BETWEEN = "an abort between pages ends a listing";
export const ABORT_POLL = "an abort at any page fails the poll and loses nothing";
export const FAULT = "a fault on any page fails the poll and loses nothing";
