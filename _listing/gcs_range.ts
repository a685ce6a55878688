/** Ranges of keys as Google Cloud Storage lists them. */
import { compareBytes } from "../_bytes/bytes.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { ListedPage } from "./listed_page.ts";
import { orderFault } from "./order_fault.ts";

/** Longer names do not exist, and are not sent as a bound. */
const MAX_NAME_BYTES = 1024;

/**
 * The `endOffset` of a range up to and including `until`; undefined for none. The service excludes the end of a
 * range, and includes its start. The next key after `until` has a NUL at its end, which a server may refuse: so a
 * blank is used instead, and surplus keys are cut off.
 */
export function endOffset(until: string | undefined): string | undefined {
  if (until === undefined || textBytes(until).length >= MAX_NAME_BYTES) return undefined;
  return `${until} `;
}

/** Cuts pages to a range, and detects a server that lists another one. */
export class GcsRange {
  readonly #source: string;
  readonly #options: { readonly after?: string; readonly until?: string };
  readonly #after: Uint8Array;
  readonly #until: Uint8Array | undefined;
  /** The range that was asked for ends before this key. */
  readonly #end: Uint8Array | undefined;
  #last: Uint8Array | undefined;

  constructor(source: string, options: { readonly after?: string; readonly until?: string }) {
    this.#source = source;
    this.#options = options;
    this.#after = textBytes(options.after ?? "");
    this.#until = bytesOf(options.until);
    this.#end = bytesOf(endOffset(options.until));
  }

  /**
   * Removes the keys outside of the range from a page. If there are none, only the first and the last key are
   * looked at: whoever reads the keys one by one sees whether they are in order.
   *
   * @returns Whether all further pages are after the range.
   * @throws {ExternalError} An `orderFault` if the keys are not as asked for, before any key that belongs to the
   * range is lost.
   */
  cut(page: ListedPage): boolean {
    const [first, last] = [page.key(0), page.lastKey()];
    if (first === undefined || last === undefined) return false;
    if (this.#last !== undefined && compare(first, this.#last) <= 0) throw this.#disorder();
    this.#last = last;
    if (compare(first, this.#after) < 0 || isFrom(this.#end, last)) {
      throw orderFault(this.#source, "the server lists keys from outside of the range");
    }
    const whole = compare(first, this.#after) > 0 && !isBehind(this.#until, last);
    if (whole) return this.#until !== undefined && compare(this.#until, last) === 0;
    if (page.disorder() >= 0) throw this.#disorder();
    return page.cut(this.#options.after, this.#options.until);
  }

  #disorder(): ExternalError {
    return orderFault(this.#source, "the server does not list in the byte order of UTF-8");
  }
}

function bytesOf(key: string | undefined): Uint8Array | undefined {
  return key === undefined ? undefined : textBytes(key);
}

/** Whether a key is the end, if there is one, or after it. */
function isFrom(end: Uint8Array | undefined, key: Uint8Array): boolean {
  return end !== undefined && compare(key, end) >= 0;
}

function isBehind(end: Uint8Array | undefined, key: Uint8Array): boolean {
  return end !== undefined && compare(key, end) > 0;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
