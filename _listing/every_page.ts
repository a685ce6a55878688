/** Reads every page of a listing. If one page fails, the whole listing fails. */
import { orAborted } from "../_bounds/abort.ts";

/**
 * Calls `onPage` for every page, until it returns false. An abort ends it at once, even if the listing ignores its
 * signal.
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
    // Not awaited: after a request that hangs this would hang, too. Its errors do not matter: what ended the
    // listing is thrown.
    if (!whole) iterator.return?.().then(() => {}, () => {});
  }
}
