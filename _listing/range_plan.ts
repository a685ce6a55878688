/**
 * The ranges in which a store is listed side by side: where the next listing is cut, from what the last one found.
 *
 * A range costs as many requests as its keys divided by the keys of a page, rounded up. So ranges of whole pages
 * cost no more requests than one listing: cuts are made after a number of keys that fills whole pages.
 */

/** The keys with `after < key <= until`. */
export interface Range {
  readonly after?: string;
  readonly until?: string;
}

/** The whole key space, cut at these keys. */
export function rangesBetween(cuts: readonly string[]): Range[] {
  return Array.from({ length: cuts.length + 1 }, (_, i) => {
    const after = cuts[i - 1];
    const until = cuts[i];
    return { ...(after !== undefined && { after }), ...(until !== undefined && { until }) };
  });
}

/** How a store fills its pages. */
export interface PageHabit {
  /** Keys in a full page. */
  readonly size: number;
  /** Whether every page had that many, except for the last of each range. */
  readonly steady: boolean;
}

/** The places of keys in a listing. */
export interface Layout {
  readonly count: number;
  /** The last known key with at most so many keys up to and including it; undefined if there is none. */
  cutAt(count: number): Cut | undefined;
}

/** A key that ends a range, and how many keys there are up to and including it. */
export interface Cut {
  readonly key: string;
  readonly count: number;
}

/** A range to list: the last one has no `until`. */
export interface PlannedRange {
  readonly until: string | undefined;
  /** The pages that it takes if nothing changed. */
  readonly pages: number;
}

// Shorter ranges would double the requests of a poll in which a key was added to each.
const PAGES_A_RANGE = 4;
// If page sizes differ, a range may end with a page that is nearly empty: one in so many is 6 %.
const UNSTEADY_PAGES_A_RANGE = 17;
// But so many requests more than one listing makes are allowed at any size, and each further range may make one.
const MORE_PAGES = 4;

/** The ranges for a listing that should be as it was, as equal as whole pages allow. At least one. */
export function planRanges(layout: Layout, habit: PageHabit, concurrency: number): PlannedRange[] {
  const { size, steady } = habit;
  const pages = Math.max(1, Math.ceil(layout.count / size));
  const most = Math.floor(pages / PAGES_A_RANGE);
  const unsteady = Math.max(MORE_PAGES + 1, Math.floor(pages / UNSTEADY_PAGES_A_RANGE));
  const parts = Math.max(1, Math.min(concurrency, most, steady ? Infinity : unsteady));
  const ranges: PlannedRange[] = [];
  let count = 0;
  let left = pages;
  let share = 0;
  for (let i = 0; i < parts - 1; i++) {
    const more = Math.ceil(left / (parts - i));
    left -= more;
    share += more;
    const cut = layout.cutAt(count + share * size);
    // Without a key that can end it, this range goes on to the next cut.
    if (cut === undefined || cut.count <= count) continue;
    ranges.push({ until: cut.key, pages: share });
    count = cut.count;
    share = 0;
  }
  ranges.push({ until: undefined, pages: Math.ceil(Math.max(1, layout.count - count) / size) });
  return ranges;
}
