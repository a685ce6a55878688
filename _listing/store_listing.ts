/** Lists a store into a snapshot: in ranges if the store can do that, and as one if not. */
import { ObjectBuilder } from "../_diff/builder.ts";
import type { Admit } from "../_diff/merge_builder.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { Snapshot } from "../_diff/snapshot.ts";
import type { PollOptions } from "../_diff/source.ts";
import { Bounds } from "./key_bounds.ts";
import { KeySample } from "./key_sample.ts";
import { joinLayouts, layoutOf } from "./layouts.ts";
import type { ObjectStore } from "./object_store.ts";
import { isOrderFault } from "./order_fault.ts";
import { eachPage } from "./every_page.ts";
import {
  type Layout,
  type PageHabit,
  type PlannedRange,
  planRanges,
  type Range,
} from "./range_plan.ts";
import { canScan, scanPages } from "./scanning_store.ts";
import { type Listed, listSplitting, type OnPage } from "./split_listing.ts";

/** Puts an object into the snapshot, or leaves it out. */
export type Take = (object: ObjectMeta, builder: ObjectBuilder) => void;

/** What to list. */
export interface StoreListingOptions {
  readonly store: ObjectStore;
  /** Names the source in errors. */
  readonly name: string;
  readonly prefix: string;
  /** The most ranges listed at once. */
  readonly concurrency: number;
  /** Whether objects are checked one by one. False: each is taken as it is. */
  readonly selective: boolean;
}

// Stores that do not list as `ranged` says.
const unordered = new WeakSet<ObjectStore>();

/** Whether a store is known to list in UTF-8 byte order, within the range that it is asked for. */
export function isOrdered(store: ObjectStore): boolean {
  return store.ranged === true && !unordered.has(store);
}

/** Lists a store in every poll, and remembers how it fills its pages. */
export class StoreListing {
  readonly #options: StoreListingOptions;
  /** The ranges of the next listing. */
  #planned: readonly PlannedRange[] | undefined;

  constructor(options: StoreListingOptions) {
    this.#options = options;
  }

  /** Forgets what the last listing showed. */
  forget(): void {
    this.#planned = undefined;
  }

  /**
   * Lists all objects.
   *
   * @param old What was known before: it makes unchanged objects cheap, and tells where to cut.
   * @param takeFor Makes the function that puts the objects of one range into the snapshot, if the listing is
   * selective.
   */
  async list(old: Snapshot, options: PollOptions, takeFor: () => Take): Promise<Snapshot> {
    const { name, prefix } = this.#options;
    const { signal, onRequest } = options;
    let inRanges = false;
    const list = (range: Range, signal: AbortSignal, onPage: OnPage) => {
      inRanges ||= range.after !== undefined || range.until !== undefined;
      return this.#listRange(range, old, signal, onRequest, onPage, takeFor);
    };
    const concurrency = () => this.#concurrency();
    const planned = this.#planned;
    const plan = (habit: PageHabit) =>
      this.#options.selective ? [] : this.#plan(layoutOf(old), habit);
    const common = { name, prefix, concurrency, signal };
    try {
      const { parts, habit, inOrder } = await listSplitting(
        { ...common, plan, ...(planned !== undefined && { planned }) },
        list,
      );
      if (!inOrder && concurrency() > 1) this.#noteDisorder(options);
      const next = Snapshot.concat(parts.map(({ snapshot }) => snapshot));
      this.#planned = habit && inOrder ? this.#plan(layoutOfAll(next, parts), habit) : undefined;
      return next;
    } catch (thrown) {
      if (signal.aborted || !inRanges || !isOrderFault(thrown)) throw thrown;
      this.#noteDisorder(options);
      const { parts } = await listSplitting({ ...common, concurrency: () => 1 }, list);
      return Snapshot.concat(parts.map(({ snapshot }) => snapshot));
    }
  }

  #plan(layout: Layout, habit: PageHabit): PlannedRange[] {
    return planRanges(layout, habit, this.#options.concurrency);
  }

  /** How many ranges may be listed at once now. */
  #concurrency(): number {
    const { store, concurrency } = this.#options;
    return isOrdered(store) ? concurrency : 1;
  }

  #noteDisorder({ onWarning = console.warn }: PollOptions): void {
    const { store, name } = this.#options;
    this.#planned = undefined;
    if (unordered.has(store)) return;
    unordered.add(store);
    onWarning(
      `Listing '${name}' page by page from now on, as the keys of '${store.name}' do not come in the byte order of UTF-8: ` +
        "give the store the option 'ranged: false'",
    );
  }

  /** Lists one range; `onPage` may end it. */
  async #listRange(
    range: Range,
    old: Snapshot,
    signal: AbortSignal,
    onRequest: (() => void) | undefined,
    onPage: OnPage,
    takeFor: () => Take,
  ): Promise<ListedRange> {
    const { store, name, prefix, selective } = this.#options;
    const bounds = new Bounds(name, prefix, range);
    const admit: Admit = (key, start, end) => bounds.checkBytes(key, start, end);
    const builder = new ObjectBuilder(
      old.slice(range.after, range.until),
      selective || bounds.areOpen ? undefined : admit,
    );
    const options = { ...range, ...(prefix !== "" && { prefix }), signal };
    if (!selective) {
      if (canScan(store)) {
        await eachPage(store[scanPages](options), signal, (page) => {
          onRequest?.();
          page.addTo(builder);
          return onPage(page.count, builder);
        });
      } else {
        await eachPage(store.list(options), signal, (page) => {
          onRequest?.();
          for (const object of page) builder.add(object);
          return onPage(page.length, builder);
        });
      }
      return new ListedRange(builder.finish());
    }
    const sample = new KeySample();
    const take = takeFor();
    await eachPage(store.list(options), signal, (page) => {
      onRequest?.();
      sample.beginPage(page);
      for (const object of page) {
        bounds.checkText(object.key);
        sample.see(object.key);
        take(object, builder);
      }
      return onPage(page.length, sample);
    });
    return new ListedRange(builder.finish(), sample);
  }
}

/** What was listed of a range. */
class ListedRange implements Listed<ListedRange> {
  readonly snapshot: Snapshot;
  /** The places of all keys, if the snapshot does not have all of them. */
  readonly sample: KeySample | undefined;

  constructor(snapshot: Snapshot, sample?: KeySample) {
    this.snapshot = snapshot;
    this.sample = sample;
  }

  get count(): number {
    return this.sample?.count ?? this.snapshot.count;
  }

  upTo(key: string): ListedRange {
    return new ListedRange(this.snapshot.slice(undefined, key), this.sample?.upTo(key));
  }
}

/** The places of the keys of a listing, including those that a filter left out. */
function layoutOfAll(whole: Snapshot, parts: readonly ListedRange[]): Layout {
  const samples = parts.flatMap(({ sample }) => sample ?? []);
  return samples.length > 0 ? joinLayouts(samples) : layoutOf(whole);
}
