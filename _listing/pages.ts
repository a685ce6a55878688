/** Reading a listing page by page, to its end or not at all. */
import { orAborted } from "../_bounds/abort.ts";

/**
 * Calls `onPage` for every page, until it returns false. An abort ends it at once, also where the listing
 * does not heed its signal.
 */
export async function eachPage<P>(
  pages: AsyncIterable<P>,
  signal: AbortSignal,
  onPage: (page: P) => boolean | void,
): Promise<void> {
  signal.throwIfAborted();
  const iterator = pages[Symbol.asyncIterator]();
  let whole = false;
  try {
    for (;;) {
      const next = await orAborted(iterator.next(), signal);
      whole = next.done === true;
      if (next.done) return;
      if (onPage(next.value) === false) return;
    }
  } finally {
    // Not waited for: behind a request that hangs it would hang too. Why the listing stopped is thrown.
    if (!whole) iterator.return?.().then(() => {}, () => {});
  }
}
