/** Layouts of a whole listing. */
import type { Snapshot } from "../_diff/snapshot.ts";
import type { Cut, Layout } from "./range_plan.ts";

// At most so many keys with half of a surrogate pair are skipped.
const MAX_SKIPPED = 64;

/** The layout of a listing that is kept whole. */
export function layoutOf(snapshot: Snapshot): Layout {
  return {
    count: snapshot.count,
    cutAt(count) {
      for (let at = count; at > 0 && at > count - MAX_SKIPPED; at--) {
        const key = snapshot.keyAt(at - 1);
        // Only a key that every server accepts in a request.
        if (key?.isWellFormed()) return { key, count: at };
      }
      return undefined;
    },
  };
}

/** Joins the layouts of ranges that follow one another. */
export function joinLayouts(layouts: readonly Layout[]): Layout {
  return {
    count: layouts.reduce((sum, { count }) => sum + count, 0),
    cutAt(count) {
      let found: Cut | undefined;
      let before = 0;
      for (const layout of layouts) {
        const cut = layout.cutAt(count - before);
        if (cut !== undefined) found = { key: cut.key, count: before + cut.count };
        before += layout.count;
      }
      return found;
    },
  };
}
