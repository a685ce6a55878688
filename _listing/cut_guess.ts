/** Guesses where to cut a range of which only the keys read so far are known. */
import { compareKeys } from "../_bytes/order.ts";
import { endOfPrefix, KeySpace, sharedLength } from "./key_space.ts";
import type { Known, Segment } from "./segment.ts";

// If more pages seem to be left of a range than this many times the pages read so far, the estimate is not
// believed.
const IMPLAUSIBLE = 2;
// In that case the part before the cut should hold this many times the pages read so far: small ranges lose more at
// their ends.
const LEAP = 2;
// A range with fewer pages left than this is not worth a cut.
const WORTH_CUTTING = 3;

/** Guesses cuts, and learns from the results. */
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
   * Where to cut the rest of a range; undefined if there is no room.
   *
   * @param pages The pages read so far, in all ranges.
   */
  cutOf(segment: Segment<unknown>, pages: number): string | undefined {
    const { known, until } = segment;
    if (known === undefined) return undefined;
    const bound = this.#bound(until);
    return (this.#leftUntil(bound, segment, known) > IMPLAUSIBLE * pages
      ? this.#endOfLevel(segment, known, pages)
      : undefined) ?? this.#space.middle(known.at, bound);
  }

  /** Whether a cut lies in the rest of a range, and every server accepts it in a request. */
  isPossible(cut: string, { known, until }: Segment<unknown>): boolean {
    // A key may hold U+10FFFF, after which no end of a prefix can be made, or half of a surrogate pair, which no
    // request can name.
    return known !== undefined && cut.isWellFormed() && compareKeys(known.at, cut) < 0 &&
      compareKeys(cut, this.#bound(until)) < 0;
  }

  /** No key of the range sorts after this. */
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

  /**
   * Estimates the pages left from how far the pages read have come: from all of them, or from the last one if that
   * gives more.
   */
  #leftUntil(bound: string, { pages }: Segment<unknown>, { first, before, at }: Known): number {
    const left = (share: number) => share > 0 ? (1 - share) / share : Infinity;
    return Math.max(
      pages * left(this.#space.share(first, at, bound)),
      left(this.#space.share(before, at, bound)),
    );
  }

  /**
   * A cut for a range of which nobody knows how far its keys go: after all keys that share a prefix with the last
   * key read, for the longest prefix that leaves enough to list before the cut. If nothing comes after the cut, it
   * bounds all later guesses.
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
