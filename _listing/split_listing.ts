/**
 * Lists an ordered key space in ranges side by side: those that were planned and, where nothing is known, ranges
 * that are cut in two while they are being listed.
 *
 * A bad cut costs a request that finds nothing, or a page that is read only in part. The cost of all cuts is
 * bounded, whatever the keys are: the listing takes at most 1.15 times the pages of an uncut one, and 4 more.
 */
import { compareKeys } from "../_bytes/order.ts";
import { CutGuess } from "./cut_guess.ts";
import { orderFault } from "./order_fault.ts";
import type { PageHabit, PlannedRange, Range } from "./range_plan.ts";
import { type Progress, Segment } from "./segment.ts";
import { type Start, together } from "./together.ts";

// The most that cuts may cost, in pages: a fixed number, and a share of the pages read.
const COST_FREE = 4;
const COST_SHARE = 0.15;
// No cut is guessed before so many pages: a smaller store would be listed before a cut paid off.
const PAGES_ALONE = 8;
// Before so many pages, no cut is guessed while another one may still turn out to be useless.
const PAGES_CAREFUL = 16;

/** What was listed of a range. */
export interface Listed<Part> {
  /** How many keys it has, including those that a filter left out. */
  readonly count: number;
  /** The part up to and including a key. */
  upTo(key: string): Part;
}

/**
 * Called after each page of a range.
 *
 * @returns False if the range ends here: further keys belong to another one.
 * @throws {ExternalError} An order fault, if keys of a range came out of order.
 */
export type OnPage = (count: number, progress: Progress) => boolean;

/** Lists a range. */
export type ListRange<Part> = (
  range: Range,
  signal: AbortSignal,
  onPage: OnPage,
) => Promise<Part>;

/** Where to list, and how much at once. */
export interface SplitOptions {
  /** Names the store in errors. */
  readonly name: string;
  /** What all keys begin with. */
  readonly prefix: string;
  /**
   * The most ranges listed at once. Called before each cut, as a store may learn meanwhile whether ranges work and
   * pay.
   */
  readonly concurrency: () => number;
  readonly signal: AbortSignal;
  /** The ranges to begin with, if they are known before the first page. */
  readonly planned?: readonly PlannedRange[];
  /**
   * Gives the ranges once the first page has shown how the store fills its pages; the first range is being listed
   * by then.
   */
  readonly plan?: (habit: PageHabit) => readonly PlannedRange[];
}

/** A complete listing. */
export interface Whole<Part> {
  /** In order. */
  readonly parts: Part[];
  /** False if keys came out of order. Then there is one part. */
  readonly inOrder: boolean;
  readonly habit: PageHabit | undefined;
}

/** Lists everything with a prefix. The first range that fails stops the others at once, and the listing fails. */
export async function listSplitting<Part extends Listed<Part>>(
  options: SplitOptions,
  list: ListRange<Part>,
): Promise<Whole<Part>> {
  let splitting: Splitting<Part> | undefined;
  await together(options.signal, (start) => {
    splitting = new Splitting(options, list, start);
    splitting.begin();
  });
  return (splitting as Splitting<Part>).result();
}

/** The ranges of one listing, and what they cost. */
class Splitting<Part extends Listed<Part>> {
  readonly #options: SplitOptions;
  readonly #list: ListRange<Part>;
  readonly #start: Start;
  readonly #guess: CutGuess;
  /** In order, without gaps. */
  readonly #segments: Segment<Part>[] = [];
  /** Those that are not done. */
  readonly #active: Set<Segment<Part>> = new Set();
  #inOrder = true;
  #planned = false;
  #pages = 0;
  /** Keys of all pages, without those that were read beyond the end of a range that is done. */
  #keys = 0;
  #pageSize = 0;
  /** The fewest keys in a page that was not the last of its range. */
  #leastInner = Infinity;
  /** How many pages more the finished ranges cost than their keys fill. */
  #lost = 0;

  constructor(options: SplitOptions, list: ListRange<Part>, start: Start) {
    this.#options = options;
    this.#list = list;
    this.#start = start;
    this.#guess = new CutGuess(options.prefix);
  }

  begin(): void {
    const { planned, concurrency } = this.#options;
    this.#planned = planned !== undefined && concurrency() > 1;
    const whole = [{ until: undefined, pages: undefined }];
    let after: string | undefined;
    for (const { until, pages } of this.#planned && planned !== undefined ? planned : whole) {
      this.#add(new Segment(after, until, pages), this.#segments.length);
      after = until;
    }
  }

  result(): Whole<Part> {
    const size = this.#pageSize;
    return {
      parts: this.#segments.map(({ part }) => part as Part),
      inOrder: this.#inOrder,
      habit: size === 0 ? undefined : { size, steady: this.#leastInner >= size },
    };
  }

  #add(segment: Segment<Part>, index: number): void {
    this.#segments.splice(index, 0, segment);
    this.#active.add(segment);
    const { after, until } = segment;
    const range = { ...(after !== undefined && { after }), ...(until !== undefined && { until }) };
    this.#start(async (signal) => {
      const onPage: OnPage = (count, progress) => this.#onPage(segment, count, progress);
      this.#onEnd(segment, await this.#list(range, signal, onPage));
    });
  }

  #onPage(segment: Segment<Part>, count: number, progress: Progress): boolean {
    if (segment.pages > 0) this.#leastInner = Math.min(this.#leastInner, segment.lastCount);
    segment.lastCount = count;
    segment.pages++;
    segment.keys += count;
    this.#pages++;
    this.#keys += count;
    this.#pageSize = Math.max(this.#pageSize, count);
    if (!progress.inOrder) return this.#onDisorder();
    if (count === 0 || !this.#inOrder) return true;
    if (!this.#planned && this.#options.concurrency() > 1) this.#plan(segment, progress);
    // Asking for the keys takes time: it is not done while all goes as planned.
    if (segment.isUnknown || segment.isShortened) {
      const { first, last } = progress;
      if (first === undefined || last === undefined) return true;
      segment.known = { first, before: segment.known?.at ?? first, at: last };
      segment.narrow = false;
      // The store itself must stop at the end that was asked for: keys after that would show that it has no order.
      const end = segment.isShortened ? segment.until : undefined;
      if (end !== undefined && compareKeys(last, end) >= 0) return false;
      if (segment.isUnknown) this.#guess.see(last);
    }
    this.#cutAll();
    return true;
  }

  /** Does no harm while there is only one range, as that is an ordinary listing. */
  #onDisorder(): boolean {
    this.#inOrder = false;
    if (this.#segments.length === 1) return true;
    throw orderFault(
      this.#options.name,
      "its keys do not come in the byte order of UTF-8, each once",
    );
  }

  #onEnd(segment: Segment<Part>, whole: Part): void {
    const { until, isShortened, after, keys } = segment;
    const part = isShortened && until !== undefined ? whole.upTo(until) : whole;
    segment.part = part;
    this.#active.delete(segment);
    // A listing without a page was still a request.
    if (segment.pages === 0) this.#pages++;
    this.#keys -= keys - part.count;
    this.#lost += Math.max(1, segment.pages) - part.count / Math.max(1, this.#pageSize);
    if (part.count === 0 && after !== undefined) {
      this.#guess.miss(segment);
      const before = this.#segments[this.#segments.indexOf(segment) - 1];
      if (before !== undefined) before.missed = true;
    }
    this.#cutAll();
  }

  /** Cuts the only range according to the plan, after what has been read. */
  #plan(segment: Segment<Part>, progress: Progress): void {
    this.#planned = true;
    const ranges = this.#options.plan?.({ size: this.#pageSize, steady: true }) ?? [];
    const { last } = progress;
    if (last === undefined || ranges.length === 0) return;
    const ahead = ranges.filter(({ until }) => until === undefined || compareKeys(last, until) < 0);
    segment.planned = segment.pages - 1 + (ahead[0]?.pages ?? 0);
    let at = segment;
    for (const [i, { until }] of ahead.entries()) {
      const next = ahead[i + 1];
      if (until === undefined || next === undefined) break;
      at.until = until;
      at = new Segment(until, next.until, next.pages);
      this.#add(at, i + 1);
    }
  }

  #cutAll(): void {
    if (this.#pages < PAGES_ALONE || !this.#inOrder) return;
    while (this.#left() > 0) {
      const longest = this.#guess.longest(this.#active);
      if (longest === undefined) return;
      const cut = this.#guess.cutOf(longest, this.#pages);
      if (cut === undefined) longest.narrow = true;
      else this.#cut(longest, cut);
    }
  }

  /** How many cuts may be made now. */
  #left(): number {
    let unread = 0;
    // At worst, each range that continues without a plan ends with a page of one key.
    let atRisk = 0;
    for (const { pages, isUnknown } of this.#active) {
      if (pages === 0) unread++;
      if (isUnknown) atRisk++;
    }
    if (unread > 0 && this.#pages < PAGES_CAREFUL) return 0;
    const budget = COST_FREE + COST_SHARE * this.#keys / this.#pageSize - this.#lost - atRisk;
    return Math.min(this.#options.concurrency() - this.#active.size, Math.floor(budget));
  }

  #cut(segment: Segment<Part>, cut: string): void {
    if (!this.#guess.isPossible(cut, segment)) {
      segment.narrow = true;
      return;
    }
    const next = new Segment<Part>(cut, segment.until);
    segment.until = cut;
    segment.missed = false;
    this.#add(next, this.#segments.indexOf(segment) + 1);
  }
}
