/** Lists a part of a store: the keys under a prefix, and single keys. */
import { ObjectBuilder } from "../_diff/builder.ts";
import { changes, countChanges } from "../_diff/changes.ts";
import { Lookup } from "../_diff/lookup.ts";
import { objectCodec } from "../_diff/object_identity.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { type ExternalPart, Part } from "../_diff/part.ts";
import { type Form, patch } from "../_diff/patch.ts";
import type { Snapshot } from "../_diff/snapshot.ts";
import type { PollOptions } from "../_diff/source.ts";
import { replaceUnder, under } from "../_diff/splice_part.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import { Bounds } from "./key_bounds.ts";
import { groupKeys, type KeyGroup } from "./key_groups.ts";
import { isOrderFault } from "./order_fault.ts";
import { eachPage } from "./every_page.ts";
import type { Range } from "./range_plan.ts";
import { isOrdered, StoreListing, type StoreListingOptions, type Take } from "./store_listing.ts";
import { together } from "./together.ts";

/** What to list. */
export interface PartListingOptions extends StoreListingOptions {
  /** Whether a filter leaves objects out, so that a snapshot does not tell how many there are. */
  readonly filtered: boolean;
  readonly form: Form<ObjectMeta>;
}

/** What a poll has listed. */
export interface Listing {
  /** The snapshot of everything. */
  readonly next: Snapshot;
  /** The part of it that was listed; undefined if everything was. */
  readonly part?: Part;
}

/** Lists parts of a store. */
export class PartListing {
  readonly #options: PartListingOptions;
  /** How many requests the last listing of everything took; undefined until that is known. */
  wholeRequests: number | undefined;

  constructor(options: PartListingOptions) {
    this.#options = options;
  }

  /**
   * Lists a part, without anything outside of the poller's prefix.
   *
   * @param old Everything that was known before.
   * @param takeFor Makes the function that puts objects into a snapshot.
   * @returns Undefined if everything is to be listed: because the part is everything, or because that takes fewer
   * requests.
   */
  async list(
    { prefix, keys = [] }: ExternalPart,
    old: Snapshot,
    options: PollOptions,
    takeFor: () => Take,
  ): Promise<Listing | undefined> {
    const { prefix: whole, filtered } = this.#options;
    if (prefix !== undefined && whole.startsWith(prefix)) return undefined;
    const folder = prefix?.startsWith(whole) ? prefix : undefined;
    const part = new Part(
      folder,
      keys.filter((key) =>
        key.startsWith(whole) && !(folder !== undefined && key.startsWith(folder))
      ),
    );
    const groups = groupKeys(part.keys, filtered ? undefined : old);
    if (groups.length > (this.wholeRequests ?? Infinity)) return undefined;
    let next = old;
    if (folder !== undefined) next = await this.#listFolder(folder, next, options, takeFor);
    if (groups.length > 0) next = await this.#listKeys(groups, next, options, takeFor);
    return { next, part };
  }

  async #listFolder(
    prefix: string,
    old: Snapshot,
    options: PollOptions,
    takeFor: () => Take,
  ): Promise<Snapshot> {
    const known = under(old, prefix);
    const listing = new StoreListing({ ...this.#options, prefix });
    const listed = await listing.list(known, options, takeFor);
    const { added, modified, removed } = countChanges(known, listed);
    return added + modified + removed === 0 ? old : replaceUnder(old, prefix, listed);
  }

  async #listKeys(
    groups: readonly KeyGroup[],
    old: Snapshot,
    options: PollOptions,
    takeFor: () => Take,
  ): Promise<Snapshot> {
    const { concurrency, form } = this.#options;
    const known = form.build(knownOf(groups, old));
    const builder = new ObjectBuilder(known);
    const take = takeFor();
    const left = groups.values();
    await together(options.signal, (start) => {
      for (let i = 0; i < Math.min(concurrency, groups.length); i++) {
        start(async (signal) => {
          for (const group of left) {
            await this.#listGroup(group, { ...options, signal }, (object) => take(object, builder));
          }
        });
      }
    });
    const edits = new Map<string, ObjectMeta | undefined>();
    for (const { type, item } of changes(known, builder.finish(), objectCodec)) {
      edits.set(item.key, type === "removed" ? undefined : item);
    }
    return patch(old, edits, form);
  }

  /** Lists one group, up to its last key if the store lists in order. */
  async #listGroup(
    group: KeyGroup,
    options: PollOptions,
    take: (object: ObjectMeta) => void,
  ): Promise<void> {
    const { store } = this.#options;
    const until = group.keys.at(-1);
    if (until === undefined) return;
    if (!isOrdered(store)) return await this.#listRange(group, {}, options, take);
    try {
      await this.#listRange(group, { until }, options, take);
    } catch (thrown) {
      if (options.signal.aborted || !isOrderFault(thrown)) throw thrown;
      await this.#listRange(group, {}, options, take);
    }
  }

  async #listRange(
    { prefix, keys }: KeyGroup,
    range: Range,
    { signal, onRequest }: PollOptions,
    take: (object: ObjectMeta) => void,
  ): Promise<void> {
    const { store, name } = this.#options;
    const bounds = new Bounds(name, prefix, range);
    const wanted = new Set(keys);
    // A key comes first among those that begin with it: one object is enough.
    const isOne = range.until === prefix;
    const pages = store.list({ prefix, ...range, ...(isOne && { pageSize: 1 }), signal });
    await eachPage(pages, signal, (page) => {
      onRequest?.();
      for (const object of page) {
        bounds.checkText(object.key);
        if (wanted.has(object.key)) take(object);
      }
    });
  }
}

/** What is known of the keys. */
function* knownOf(groups: readonly KeyGroup[], old: Snapshot): Iterable<ObjectMeta> {
  const known = new Lookup(old);
  for (const { keys } of groups) {
    for (const key of keys) {
      const bytes = textBytes(key);
      const found = known.find(bytes, 0, bytes.length)?.value(objectCodec);
      if (found !== undefined) yield found;
    }
  }
}
