/** A range that is being listed, and how far it has come. */

/** What a listing knows of the keys of one range so far. */
export interface Progress {
  /** Whether they came in UTF-8 byte order, each once. */
  readonly inOrder: boolean;
  /** The least key; undefined before the first. */
  readonly first: string | undefined;
  /** The greatest key; undefined before the first. */
  readonly last: string | undefined;
}

/** The keys between which a guess is made. */
export interface Known {
  /** The first key of the range. */
  readonly first: string;
  /** Its last key of the page before the last; its first key if there is none. */
  readonly before: string;
  /** Its last key. */
  readonly at: string;
}

/** A range that is being listed. */
export class Segment<Part> {
  readonly after: string | undefined;
  /** Moves down with each cut. Undefined for the last range. */
  until: string | undefined;
  /** What the store was asked for. */
  readonly asked: string | undefined;
  /** The pages that it takes if nothing changed; undefined if nothing was known of it. */
  planned: number | undefined;
  pages = 0;
  /** Keys of all pages. */
  keys = 0;
  /** Undefined before the first page with keys, and as long as nothing is to be guessed. */
  known: Known | undefined;
  /** The last cut in it found nothing. */
  missed = false;
  /** Too narrow for a cut, until another page has been read. */
  narrow = false;
  /** The last page. */
  lastCount = 0;
  part: Part | undefined;

  constructor(after?: string, until?: string, planned?: number) {
    this.after = after;
    this.until = this.asked = until;
    this.planned = planned;
  }

  /** Whether it takes more pages than planned, so that nothing is known of what is left. */
  get isUnknown(): boolean {
    return this.planned === undefined || this.pages > this.planned;
  }

  /** Whether it ends before what the store was asked for, and so has to be ended. */
  get isShortened(): boolean {
    return this.until !== this.asked;
  }
}
