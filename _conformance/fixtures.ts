/** What the tests need from the author of a store or a source. */
import type { ObjectStore } from "../_listing/object_store.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import type { ExternalSource } from "../_diff/source.ts";

/** A store to be tested, empty at first, and ways to change its content from outside. */
export interface StoreFixture {
  /** What is tested. */
  readonly store: ObjectStore;
  /**
   * Creates an object, or overwrites it, by another way than `store.put`. Resolves when a listing shows it. If
   * times are coarse and there are no ETags: when a listing also shows it as different from what was there before.
   */
  put(key: string, body: Uint8Array<ArrayBuffer>): unknown;
  /** Deletes an object that is there. Resolves when no listing shows it any more. */
  delete(key: string): unknown;
  /**
   * How many objects the store lists per page: the tests write a bit more than twice as many. Make it small.
   *
   * @default {undefined} the store has no pages that a number of objects fills; the tests write 201 objects
   */
  readonly pageSize?: number;
  /**
   * Whether the backend can hold a key. Keys that it cannot hold are left out, and named in the output.
   *
   * @default {undefined} it can hold any key that is valid Unicode
   */
  accepts?(key: string): boolean;
  /**
   * True: the backend can also hold keys that are not valid Unicode, with half of a surrogate pair in them.
   *
   * @default {false} no such key is put
   */
  readonly holdsLoneSurrogates?: boolean;
  /**
   * True: writing the same content again is no change, as the ETag is made from the content alone.
   *
   * @default {false} it may be a change
   */
  readonly sameContentIsNoChange?: boolean;
  /**
   * True: no call may leave a listener on the signal that it was given. Watches take care of their own signals, so
   * a store may leave this to its client: Node's `fetch` keeps listeners until they are garbage-collected.
   *
   * @default {false} listeners are not counted
   */
  readonly leavesSignals?: boolean;
  /** Removes the bucket, container or folder itself. Without it that case is skipped. */
  vanish?(): unknown;
  /**
   * Makes the n-th request (or page) of the next listing fail, counted from 1, however often the client retries it.
   * Has no effect if that listing makes fewer requests, and none on later listings. Without it the rules for faults
   * are skipped.
   */
  failPage?(n: number): unknown;
  /**
   * A second store object on the same objects, as a restarted program would make it.
   *
   * @default {store}
   */
  readonly otherStore?: ObjectStore;
  /** Frees what the fixture holds. Called at the end of the test, even after a failure. */
  close(): unknown;
}

/** A source to be tested, of something without items at first, and ways to change that. */
export interface SourceFixture<T> {
  /** What is tested. */
  readonly source: ExternalSource<T>;
  /** The key of an item, which tells it from the others. */
  key(item: T): string;
  /**
   * The keys that the tests may use, at least one. A source of a single thing has only one.
   *
   * @default {["a", "b", "c", "d"]}
   */
  readonly keys?: readonly string[];
  /** Adds the item of a key, from outside of the source. Called only if it is not there. */
  add(key: string): unknown;
  /** Changes the item of a key, each time to something it was not before. Called only if it is there. */
  modify(key: string): unknown;
  /** Removes the item of a key. Called only if it is there. */
  remove(key: string): unknown;
  /**
   * True: a poll must leave no listener on its signal, as for {@linkcode StoreFixture}.
   *
   * @default {false} listeners are not counted
   */
  readonly leavesSignals?: boolean;
  /** Makes the next poll fail, and none after it. Without it that case is skipped. */
  fail?(): unknown;
  /** A new source object on the same thing, as a restarted program would make it. */
  fresh(): ExternalSource<T> | Promise<ExternalSource<T>>;
  /** Frees what the fixture holds. Called at the end of the test, even after a failure. */
  close?(): unknown;
}

/** A checkpoint store to be tested, without any state at first. */
export interface CheckpointFixture {
  /** What is tested. */
  readonly store: CheckpointStore;
  /**
   * A new store object on the same checkpoints, as another process would make it. If only one process can use them:
   * as another part of that process would make it.
   */
  other(): CheckpointStore | Promise<CheckpointStore>;
  /**
   * Reads the state under a key, without taking the key from whoever claimed it.
   *
   * @default {undefined} `load` of a new store object is called
   */
  peek?(key: string): Promise<Uint8Array | undefined>;
  /** Frees what the fixture holds. Called at the end of the test, even after a failure. */
  close?(): unknown;
}
