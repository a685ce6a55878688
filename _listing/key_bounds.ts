/** Checks that a listing gives only keys with the prefix, and in the range, that were asked for. */
import { compareBytes } from "../_bytes/bytes.ts";
import { readText, textBytes } from "../_bytes/exact_text.ts";
import { compareKeys } from "../_bytes/order.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { orderFault } from "./order_fault.ts";
import type { Range } from "./range_plan.ts";

/**
 * Checks the keys of one listing. Every check throws an {@linkcode ExternalError} with code `protocol`; for a key
 * outside of the range it is an order fault.
 */
export class Bounds {
  /** Whether every key is allowed. */
  readonly areOpen: boolean;
  readonly #source: string;
  readonly #prefix: string;
  readonly #range: Range;
  readonly #beginning: Uint8Array;
  readonly #low: Uint8Array | undefined;
  readonly #high: Uint8Array | undefined;

  /**
   * @param source Names the store in errors.
   * @param prefix What keys must begin with. It is well-formed.
   * @param range The range that keys must be in.
   */
  constructor(source: string, prefix: string, range: Range) {
    const { after, until } = range;
    this.areOpen = prefix === "" && after === undefined && until === undefined;
    this.#source = source;
    this.#prefix = prefix;
    this.#range = range;
    this.#beginning = textBytes(prefix);
    this.#low = after === undefined ? undefined : textBytes(after);
    this.#high = until === undefined ? undefined : textBytes(until);
  }

  checkBytes(key: Uint8Array, start: number, end: number): void {
    const beginning = this.#beginning;
    const low = this.#low;
    const high = this.#high;
    for (let i = 0; i < beginning.length; i++) {
      if (start + i < end && key[start + i] === beginning[i]) continue;
      throw this.#notAsked(readText(key, start, end));
    }
    if (
      low !== undefined && compareBytes(key, start, end, low, 0, low.length) <= 0 ||
      high !== undefined && compareBytes(key, start, end, high, 0, high.length) > 0
    ) {
      throw this.#outOfRange(readText(key, start, end));
    }
  }

  checkText(key: string): void {
    if (!key.startsWith(this.#prefix)) throw this.#notAsked(key);
    const { after, until } = this.#range;
    if (
      after !== undefined && compareKeys(key, after) <= 0 ||
      until !== undefined && compareKeys(key, until) > 0
    ) {
      throw this.#outOfRange(key);
    }
  }

  #notAsked(key: string): ExternalError {
    return new ExternalError(
      "protocol",
      `Cannot list '${this.#source}' as '${key}' does not begin with '${this.#prefix}': ` +
        "the server ignores the prefix that it is asked for",
      { source: this.#source },
    );
  }

  #outOfRange(key: string): ExternalError {
    const { after, until } = this.#range;
    const from = after === undefined ? "" : ` after '${after}'`;
    const to = until === undefined ? "" : ` up to '${until}'`;
    return orderFault(this.#source, `'${key}' came where only keys${from}${to} were asked for`);
  }
}
