/** Where to cut a range of which nothing is known but the keys read so far. */
import { compareKeys } from "../_bytes/order.ts";
import { endOfPrefix, KeySpace, sharedLength } from "./key_space.ts";
import type { Known, Segment } from "./segment.ts";

// So many times the pages read so far are not expected to be left of one range.
const IMPLAUSIBLE = 2;
// There, what is cut off should hold so many times the pages read so far: small ranges lose more at their ends.
const LEAP = 2;
// A range with less than this left, in pages, is not worth a cut.
const WORTH_CUTTING = 3;

/** Guesses cuts, and learns from where they led. */
export class CutGuess {
  readonly #prefix: string;
  readonly #space = new KeySpace();

  /** @param prefix What all keys begin with. */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Learns from the last key of a page. */
  see(key: string): void {
    this.#space.see(key);
  }

  /** Learns that a range was empty. */
  miss({ after, until }: Segment<unknown>): void {
    if (after !== undefined) this.#space.miss(after, this.#bound(until));
  }

  /** The range that seems to have most left; undefined if none is worth a cut. */
  longest<S extends Segment<unknown>>(segments: Iterable<S>): S | undefined {
    let longest: S | undefined;
    let most = WORTH_CUTTING;
    for (const segment of segments) {
      const pages = this.#pagesLeft(segment);
      if (pages > most) [longest, most] = [segment, pages];
    }
    return longest;
  }

  /**
   * Where to cut what is left of a range; undefined if there is no room.
   *
   * @param pages Read so far, in all ranges.
   */
  cutOf(segment: Segment<unknown>, pages: number): string | undefined {
    const { known, until } = segment;
    if (known === undefined) return undefined;
    const bound = this.#bound(until);
    return (this.#leftUntil(bound, segment, known) > IMPLAUSIBLE * pages
      ? this.#endOfLevel(segment, known, pages)
      : undefined) ?? this.#space.middle(known.at, bound);
  }

  /** Whether a cut lies in what is left of a range, and every server takes it. */
  isPossible(cut: string, { known, until }: Segment<unknown>): boolean {
    // There are keys with the last character of all in them, behind which no end can be made, and keys with halves of
    // a pair, which no request can name.
    return known !== undefined && cut.isWellFormed() && compareKeys(known.at, cut) < 0 &&
      compareKeys(cut, this.#bound(until)) < 0;
  }

  /** No key of the range is behind this. */
  #bound(until: string | undefined): string {
    return until ?? endOfPrefix(this.#prefix);
  }

  /** How many pages seem to be left. */
  #pagesLeft(segment: Segment<unknown>): number {
    const { known, narrow, isUnknown, until } = segment;
    if (known === undefined || narrow || !isUnknown) return 0;
    const bound = this.#bound(until);
    return compareKeys(known.at, bound) < 0 ? this.#leftUntil(bound, segment, known) : 0;
  }

  /** A guess, from how far the pages read have come: all of them, or the last one where keys stand closer by now. */
  #leftUntil(bound: string, { pages }: Segment<unknown>, { first, before, at }: Known): number {
    const left = (share: number) => share > 0 ? (1 - share) / share : Infinity;
    return Math.max(
      pages * left(this.#space.share(first, at, bound)),
      left(this.#space.share(before, at, bound)),
    );
  }

  /**
   * Where nobody knows how far the keys of a range go: behind all that have a beginning in common with the last one, the
   * longest one that leaves enough to list. If nothing is behind, it bounds every guess that follows.
   */
  #endOfLevel(segment: Segment<unknown>, known: Known, pages: number): string | undefined {
    const at = [...known.at];
    const must = sharedLength(at, [...this.#bound(segment.until)]);
    const enough = Math.max(WORTH_CUTTING, pages * LEAP);
    for (let length = at.length - 1; length > must; length--) {
      const end = endOfPrefix(at.slice(0, length).join(""));
      if (this.#leftUntil(end, segment, known) > enough) return end;
    }
    return undefined;
  }
}
