/**
 * Lists an ordered key space of which nothing is known yet, in parallel: while a range is being listed,
 * what is left of it is cut in two, and both parts are listed on.
 *
 * A cut behind which there are no keys costs a request in vain, and one with keys costs what the range before it reads
 * beyond its end: half a page. Both are kept to a budget.
 */
import { compareKeys } from "../_bytes/order.ts";
import { endOfPrefix, KeySpace, sharedLength } from "./key_space.ts";
import { type Range, together } from "./ranges.ts";
import { ExternalError } from "../_errors/external_error.ts";

// A store of fewer pages is listed as it is: it would be over before the cuts paid.
const PAGES_ALONE = 8;
// Pages that may be spent on cuts: so many, and a share of the first pages read; of many, this much times the square
// root. That is 13 % of a thousand pages, 4 % of ten thousand.
const BUDGET_FREE = 8;
const BUDGET_SHARE = 1 / 4;
const BUDGET_BY_ROOT = 4;
const COST_OF_HIT = 1 / 2;
// Keys that stand so many times closer than before belong to a cluster.
const CLUSTER = 64;
// A range with less than this left, in pages, is not worth a cut.
const WORTH_CUTTING = 3;

/**
 * Called after each page of a range that has any key: with the first key of the range, and the last one so far;
 * undefined if keys came out of order.
 *
 * @returns False if the range ends here: what is left counts in another one.
 * @throws {ExternalError} With code `protocol` if the keys are not those of the range, in order.
 */
export type OnPage = (first: string | undefined, last: string | undefined) => boolean;

/** Lists a range. */
export type ListRange<Part> = (
  range: Range,
  signal: AbortSignal,
  onPage: OnPage,
) => Promise<Part>;

/** A part of a listing. It may reach beyond its `until`: what is there counts in the next part. */
export interface ListedPart<Part> {
  readonly part: Part;
  readonly until: string | undefined;
}

/** How far a range has been listed. */
interface Known {
  /** Its first key. */
  readonly first: string;
  /** Its last key of the page before the last; its first key if there is none. */
  readonly before: string;
  /** Its last key. */
  readonly at: string;
}

/** A range that is being listed. */
interface Segment<Part> {
  readonly after: string | undefined;
  /** Moves down with each cut. Undefined for the last one. */
  until: string | undefined;
  /** Undefined before the first page. */
  known: Known | undefined;
  pages: number;
  /** The last cut in it found nothing. */
  missed: boolean;
  /** Too narrow for a cut, until another page has been read. */
  narrow: boolean;
  part: Part | undefined;
  done: boolean;
}

/** Where to list, and how much at once. */
export interface SplitOptions {
  /** What all keys begin with. */
  readonly prefix: string;
  /** The most ranges listed at once: asked before each cut, as a store may learn that they do not pay. */
  readonly concurrency: () => number;
  readonly signal: AbortSignal;
}

/**
 * Lists everything with a prefix. The first range to fail stops the others at once, and fails the whole.
 *
 * @returns The parts in order.
 */
export async function listSplitting<Part>(
  options: SplitOptions,
  list: ListRange<Part>,
): Promise<ListedPart<Part>[]> {
  const { prefix, concurrency, signal } = options;
  let start: (task: (signal: AbortSignal) => Promise<void>) => void;
  const cuts = new Cuts<Part>(prefix, concurrency, (segment) => {
    const { after, until } = segment;
    const range = { ...(after !== undefined && { after }), ...(until !== undefined && { until }) };
    start(async (signal) => {
      const onPage: OnPage = (first, last) => {
        if (first === undefined || last === undefined) return cuts.onDisorder();
        if (after !== undefined && compareKeys(first, after) <= 0) throw outOfRange(first, range);
        if (until !== undefined && compareKeys(last, until) > 0) throw outOfRange(last, range);
        return cuts.onPage(segment, first, last);
      };
      cuts.onEnd(segment, await list(range, signal, onPage));
    });
  });
  await together(signal, (starter) => {
    start = starter;
    cuts.begin();
  });
  return cuts.segments.map(({ part, until }) => ({ part: part as Part, until }));
}

/** Decides when a range is cut, and where. */
class Cuts<Part> {
  /** In order, without gaps. */
  readonly segments: Segment<Part>[] = [];
  readonly #prefix: string;
  readonly #concurrency: () => number;
  readonly #start: (segment: Segment<Part>) => void;
  readonly #space = new KeySpace();
  #active = 0;
  #pages = 0;
  #spent = 0;

  constructor(
    prefix: string,
    concurrency: () => number,
    start: (segment: Segment<Part>) => void,
  ) {
    this.#prefix = prefix;
    this.#concurrency = concurrency;
    this.#start = start;
  }

  begin(): void {
    this.#add(0, undefined, undefined);
  }

  /** False: the range ends here. */
  onPage(segment: Segment<Part>, first: string, last: string): boolean {
    // A cut was taken to be in vain until now.
    if (segment.known === undefined && segment.after !== undefined) this.#spent -= 1 - COST_OF_HIT;
    segment.known = { first, before: segment.known?.at ?? first, at: last };
    segment.pages++;
    segment.narrow = false;
    this.#pages++;
    this.#space.see(last);
    if (segment.until !== undefined && compareKeys(last, segment.until) >= 0) return false;
    this.#cutAll();
    return true;
  }

  /** Does no harm as long as there is one range, which is a listing as any other. */
  onDisorder(): boolean {
    if (++this.#pages < PAGES_ALONE) return true;
    throw outOfOrder();
  }

  onEnd(segment: Segment<Part>, part: Part): void {
    segment.part = part;
    segment.done = true;
    this.#active--;
    if (segment.known === undefined && segment.after !== undefined) {
      this.#space.miss(segment.after, this.#boundOf(segment));
      const before = this.segments[this.segments.indexOf(segment) - 1];
      if (before !== undefined) before.missed = true;
    }
    this.#cutAll();
  }

  #add(index: number, after: string | undefined, until: string | undefined): void {
    const segment: Segment<Part> = {
      after,
      until,
      known: undefined,
      pages: 0,
      missed: false,
      narrow: false,
      part: undefined,
      done: false,
    };
    this.segments.splice(index, 0, segment);
    this.#active++;
    this.#start(segment);
  }

  /** No key of the range is behind this. */
  #boundOf({ until }: Segment<Part>): string {
    return until ?? endOfPrefix(this.#prefix);
  }

  #left(): number {
    const pages = this.#pages;
    const budget = Math.min(BUDGET_FREE + BUDGET_SHARE * pages, BUDGET_BY_ROOT * Math.sqrt(pages));
    return Math.min(this.#concurrency() - this.#active, Math.ceil(budget - this.#spent));
  }

  #cutAll(): void {
    if (this.#pages < PAGES_ALONE) return;
    if (this.segments.length === 1) this.#cutLevels();
    while (this.#left() > 0 && this.#cutLongest());
  }

  /**
   * The first cuts: behind the folders and names that the last key is in, at several levels at once. They tell what
   * all keys have in common.
   */
  #cutLevels(): void {
    const [segment] = this.segments;
    if (segment?.known === undefined || segment.done) return;
    const key = [...segment.known.at];
    const from = [...this.#prefix].length;
    const levels = Math.min(this.#left(), key.length - from);
    // Each cut is before the one made last, so it is made in the first range.
    for (let level = 1; level <= levels; level++) {
      const length = from + Math.floor(level * (key.length - from) / (levels + 1));
      if (length > from) this.#cut(segment, endOfPrefix(key.slice(0, length).join("")));
    }
  }

  /** Cuts the range that seems to have most left. False if none is worth it. */
  #cutLongest(): boolean {
    let longest: Segment<Part> | undefined;
    let most = WORTH_CUTTING;
    for (const segment of this.segments) {
      const pages = this.#pagesLeft(segment);
      if (pages > most) [longest, most] = [segment, pages];
    }
    if (longest?.known === undefined) return false;
    const key = this.#endOfCluster(longest, longest.known) ??
      this.#space.middle(longest.known.at, this.#boundOf(longest));
    if (key === undefined) longest.narrow = true;
    else this.#cut(longest, key);
    return true;
  }

  /** A guess, from how far the pages read have come: all of them, or the last one where keys stand closer by now. */
  #pagesLeft(segment: Segment<Part>): number {
    const { known, pages, done, narrow } = segment;
    const bound = this.#boundOf(segment);
    if (known === undefined || done || narrow || compareKeys(known.at, bound) >= 0) return 0;
    const { all, last } = this.#sharesOf(segment, known);
    const left = (share: number) => share > 0 ? (1 - share) / share : Infinity;
    return Math.max(pages * left(all), left(last));
  }

  /** What part of the range, as far as can be told, all its pages and its last one are. */
  #sharesOf(segment: Segment<Part>, { first, before, at }: Known): { all: number; last: number } {
    const bound = this.#boundOf(segment);
    return {
      all: this.#space.share(first, at, bound),
      last: this.#space.share(before, at, bound),
    };
  }

  /**
   * In a cluster, and after a cut in vain: behind the keys that have half of that in common which those of the last page
   * have more than all of the range. A few such cuts tell how much all that is left has in common.
   */
  #endOfCluster(segment: Segment<Part>, known: Known): string | undefined {
    const { all, last } = this.#sharesOf(segment, known);
    if (!segment.missed && CLUSTER * segment.pages * last >= all) return undefined;
    const at = [...known.at];
    const must = sharedLength(at, [...this.#boundOf(segment)]);
    const length = must + Math.ceil((sharedLength(at, [...known.before]) - must) / 2);
    return length > must ? endOfPrefix(at.slice(0, length).join("")) : undefined;
  }

  #cut(segment: Segment<Part>, key: string): void {
    const { until, known } = segment;
    // There are keys with the last character of all in them, behind which no end can be made.
    const possible = known !== undefined && compareKeys(known.at, key) < 0 &&
      compareKeys(key, this.#boundOf(segment)) < 0;
    if (!possible) {
      segment.narrow = true;
      return;
    }
    segment.until = key;
    segment.missed = false;
    this.#spent++;
    this.#add(this.segments.indexOf(segment) + 1, key, until);
  }
}

function outOfOrder(): ExternalError {
  return new ExternalError(
    "protocol",
    "Cannot list in ranges as the keys do not come in the byte order of UTF-8, each once: " +
      "a store that does otherwise must not be 'ranged'",
  );
}

function outOfRange(key: string, { after, until }: Range): ExternalError {
  const from = after === undefined ? "" : ` behind '${after}'`;
  const to = until === undefined ? "" : ` up to '${until}'`;
  return new ExternalError(
    "protocol",
    `Cannot list in ranges as '${key}' came where only keys${from}${to} were asked for: ` +
      "a store that lists more must not be 'ranged'",
  );
}
