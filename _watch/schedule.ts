/** When a source is to be polled next: all of it, or a part. */
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import { Due } from "./due.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./pace.ts";
import type { HotPart } from "./hot_parts.ts";
import { type Errand, PartSchedule } from "./part_schedule.ts";

export class Schedule {
  readonly pace: Pace;
  /** From 0 to 1: which share of the jitter lengthens the wait after a good poll. */
  jitterShare: () => number = Math.random;
  readonly #parts: PartSchedule;
  #due: Due | undefined;
  #refresh = false;
  /** Whether all of the source was polled once: before, no part is. */
  #hasAll = false;

  /** @param hot Parts to poll more often. */
  constructor(pace: Pace, source: ExternalSource<unknown>, hot?: readonly HotPart[]) {
    this.pace = pace;
    this.#parts = new PartSchedule(pace, source, hot);
  }

  /** When the next poll is due, in whole milliseconds since the epoch. Undefined while none is planned. */
  get nextPoll(): number | undefined {
    return this.#due === undefined ? undefined : Math.ceil(this.#due.at);
  }

  /** Whether the poll under way, or the last one, is of a part. */
  get isPart(): boolean {
    return this.#parts.isCurrent;
  }

  /** A poll begins: of a part if one is due, and not everything, unless `all` says so. */
  begin(all = false): Errand {
    const errand = !all && this.#allLeft > 0 && this.#partsLeft === 0 ? this.#parts.begin() : {};
    if (errand.part === undefined && errand.fault === undefined) this.clear();
    return errand;
  }

  /** Plans the poll after a good one. */
  afterSuccess(): void {
    this.#parts.afterSuccess();
    if (this.isPart) return;
    this.#hasAll = true;
    this.#due = new Due(waitAfterSuccess(this.pace, this.jitterShare));
  }

  /** Plans the poll after the n-th failure in a row. Returns the wait in whole milliseconds. */
  afterFailure(failures: number, retryAfter: number | undefined): number {
    if (this.isPart) return this.#parts.afterFailure(failures, retryAfter);
    this.#due = new Due(waitAfterFailure(failures, retryAfter, this.pace));
    return Math.ceil(this.#due.wait);
  }

  /** Plans no poll, as long as one is under way, and at the end. */
  clear(): void {
    this.#refresh = false;
    this.#due = undefined;
    this.#parts.beginAll();
  }

  /**
   * Makes the next poll due now: of everything, or of a part alone, that one behind a back-off of parts.
   *
   * @throws {TypeError} If the source cannot be polled in parts, or it is no part.
   */
  refresh(part?: ExternalPart): void {
    if (part === undefined) this.#refresh = true;
    else this.#parts.ask(part);
  }

  /** Milliseconds until the next poll. */
  get left(): number {
    return Math.min(this.#allLeft, this.#partsLeft);
  }

  get #allLeft(): number {
    return this.#due === undefined || this.#refresh ? 0 : this.#due.left;
  }

  get #partsLeft(): number {
    return this.#hasAll ? this.#parts.left : Infinity;
  }
}
