/** Ranges of keys as Google Cloud Storage lists them. */
import { compareBytes, textBytes } from "../_bytes/bytes.ts";
import type { ListedPage } from "./listed_page.ts";
import { orderFault } from "./order_fault.ts";

/** Longer names do not exist, and are not sent as a bound. */
const MAX_NAME_BYTES = 1024;

/**
 * The end of a range up to and including `until`, undefined for none. The service leaves the end itself out, and takes the
 * start in. The next key after one has a NUL at its end, which a server may well refuse: so a blank stands in for it, and
 * what that brings too much is cut off.
 */
export function endOffset(until: string | undefined): string | undefined {
  if (until === undefined || textBytes(until).length >= MAX_NAME_BYTES) return undefined;
  return `${until} `;
}

/** Finds out, page by page, a server that does not list the range that it was asked for. */
export class RangeOrder {
  readonly #source: string;
  readonly #start: Uint8Array;
  readonly #end: Uint8Array | undefined;
  #last: Uint8Array | undefined;

  constructor(source: string, after: string | undefined, until: string | undefined) {
    this.#source = source;
    this.#start = textBytes(after ?? "");
    const end = endOffset(until);
    this.#end = end === undefined ? undefined : textBytes(end);
  }

  /** Throws if the keys of a page are not in order, or not in the range. */
  check(page: ListedPage): void {
    const [first, last] = [page.key(0), page.lastKey()];
    if (first === undefined || last === undefined) return;
    const back = this.#last !== undefined && compare(first, this.#last) <= 0;
    if (back || page.disorder() >= 0) {
      throw orderFault(this.#source, "the server does not list in the byte order of UTF-8");
    }
    const outside = compare(first, this.#start) < 0 ||
      this.#end !== undefined && compare(last, this.#end) >= 0;
    if (outside) throw orderFault(this.#source, "the server lists keys from outside of the range");
    this.#last = last;
  }
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
