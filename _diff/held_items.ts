/** Holds the items of a listing that changed, or all of them, until their events are handed out. */
import { compareBytes } from "../_bytes/bytes.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import { itemCodec } from "./item_identity.ts";
import { Lookup } from "./lookup.ts";
import type { Snapshot } from "./snapshot.ts";

// So many items are collected before they are looked up together, in the order of their keys: one pass through the
// snapshot for all of them.
const BATCH = 50_000;

interface Listed<T> {
  readonly text: string;
  readonly key: Uint8Array;
  readonly version: string;
  readonly item: T;
}

export class HeldItems<T> {
  readonly #old: Snapshot;
  readonly #doubtful: Snapshot;
  readonly #all: boolean;
  readonly #changed = new Map<string, T>();
  #batch: Listed<T>[] = [];

  /**
   * @param doubtful The items that are reported even if they did not change.
   * @param all Whether all items are reported.
   */
  constructor(old: Snapshot, doubtful: Snapshot, all: boolean) {
    this.#old = old;
    this.#doubtful = doubtful;
    this.#all = all;
  }

  add(key: string, version: string, item: T): void {
    if (this.#all) return void this.#changed.set(key, item);
    this.#batch.push({ text: key, key: textBytes(key), version, item });
    if (this.#batch.length >= BATCH) this.#look();
  }

  /** The item of a change. It can be taken only once. */
  take(key: string): T | undefined {
    if (this.#batch.length > 0) this.#look();
    const item = this.#changed.get(key);
    this.#changed.delete(key);
    return item;
  }

  #look(): void {
    // The sort is stable: of two items with one key the last stays the last.
    this.#batch.sort((a, b) => compareBytes(a.key, 0, a.key.length, b.key, 0, b.key.length));
    const old = new Lookup(this.#old);
    const doubtful = new Lookup(this.#doubtful);
    for (const { text, key, version, item } of this.#batch) {
      const same = old.find(key, 0, key.length)?.value(itemCodec).version === version;
      if (!same || doubtful.find(key, 0, key.length) !== undefined) this.#changed.set(text, item);
    }
    this.#batch = [];
  }
}
