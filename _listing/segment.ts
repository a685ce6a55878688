/** A range that is being listed, and how far its listing has come. */

/** What a listing knows of the keys of one range so far. */
export interface Progress {
  /** Whether the keys came in UTF-8 byte order, each once. */
  readonly inOrder: boolean;
  /** The least key; undefined before the first. */
  readonly first: string | undefined;
  /** The greatest key; undefined before the first. */
  readonly last: string | undefined;
}

/** The keys that a guess is made from. */
export interface Known {
  /** The first key of the range. */
  readonly first: string;
  /** The last key of the page before the last; the first key of the range if there is none. */
  readonly before: string;
  /** The last key that was read. */
  readonly at: string;
}

/** A range that is being listed. */
export class Segment<Part> {
  readonly after: string | undefined;
  /** Moves down with each cut. Undefined for the last range. */
  until: string | undefined;
  /** The end that the store was asked for. */
  readonly asked: string | undefined;
  /** The pages that it takes if nothing changed; undefined if nothing was known about it. */
  planned: number | undefined;
  pages = 0;
  /** Keys of all pages. */
  keys = 0;
  /** Undefined before the first page with keys, and while no cut needs to be guessed. */
  known: Known | undefined;
  /** Whether the last cut in it found nothing. */
  missed = false;
  /** Whether it is too narrow for a cut, until another page has been read. */
  narrow = false;
  /** How many keys the last page had. */
  lastCount = 0;
  part: Part | undefined;

  constructor(after?: string, until?: string, planned?: number) {
    this.after = after;
    this.until = this.asked = until;
    this.planned = planned;
  }

  /** Whether it takes more pages than planned, so that nothing is known about the rest. */
  get isUnknown(): boolean {
    return this.planned === undefined || this.pages > this.planned;
  }

  /** Whether it ends before the key that the store was asked for, so that its listing has to be stopped. */
  get isShortened(): boolean {
    return this.until !== this.asked;
  }
}
