/**
 * When a source is to be polled next: all of it, or a part. All of it is polled at the interval, however many parts are
 * polled in between.
 */
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import { oneLine } from "../_errors/one_line.ts";
import { Due } from "./due.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./waits.ts";
import type { HotPart } from "./hot_parts.ts";
import { RequestBudget, type RequestLimit } from "./request_budget.ts";
import { RequestRate } from "./request_rate.ts";
import { type Errand, PartSchedule } from "./part_schedule.ts";

/** What decides, besides the pace, when a source is polled. */
export interface ScheduleOptions {
  /** Parts to poll more often. */
  readonly hot?: readonly HotPart[];
  readonly maxRequests?: RequestLimit;
}

export class Schedule {
  readonly pace: Pace;
  /** How much of the jitter lengthens the wait after a good poll, from 0 to 1. */
  jitterShare: () => number = Math.random;
  readonly rate: RequestRate = new RequestRate();
  readonly #source: ExternalSource<unknown>;
  /** Undefined if the source can only be polled as a whole, to save memory: a group has many of those. */
  readonly #parts: PartSchedule | undefined;
  readonly #budget: RequestBudget | undefined;
  /** When the next poll is due, if one is planned. */
  readonly #due: Due = new Due(0);
  #isPlanned = false;
  /** The wait that the server asked for in the last poll. */
  #asked = 0;
  #refresh = false;
  /** Whether there was a good poll of everything. No part is polled before that. */
  #hasAll = false;

  constructor(
    pace: Pace,
    source: ExternalSource<unknown>,
    { hot, maxRequests }: ScheduleOptions = {},
  ) {
    this.pace = pace;
    this.#source = source;
    if (source.parts === true) this.#parts = new PartSchedule(pace, source, hot);
    this.#budget = maxRequests && RequestBudget.of(maxRequests);
  }

  /** When the next poll is due, in whole milliseconds since the epoch. Undefined while none is planned. */
  get nextPoll(): number | undefined {
    if (!this.#isPlanned) return undefined;
    const earned = this.#earned;
    return Math.ceil(Math.max(this.#due.at, earned > 0 ? Date.now() + earned : 0));
  }

  /** Whether the poll under way, or the last one, is of a part. */
  get isPart(): boolean {
    return this.#parts?.isCurrent === true;
  }

  /**
   * To be called when a poll begins. If a part is due, and everything is not, it is a poll of the part, unless `all` is
   * set.
   */
  begin(all = false): Errand {
    const isPart = !all && this.#allLeft > 0 && this.#partsLeft === 0;
    const errand: Errand = isPart && this.#parts?.begin() || {};
    const isAll = errand.part === undefined && errand.fault === undefined;
    // Only a poll of everything uses up the plan for it.
    if (isAll) this.clear();
    this.rate.begin(!isAll);
    this.#asked = 0;
    return {
      ...errand,
      onRequest: () => this.#requested(),
      onCadence: (wait) => {
        // Not Math.max: a NaN would become the wait.
        if (wait > this.#asked) this.#asked = wait;
      },
    };
  }

  #requested(): void {
    this.rate.add();
    this.#budget?.spend();
  }

  /** Plans the poll after a good one. */
  afterSuccess(): void {
    this.#parts?.afterSuccess();
    // A part does not move the plan for everything: that poll finds what the notifications missed.
    if (this.isPart) return;
    this.#hasAll = true;
    this.#plan(waitAfterSuccess(this.pace, this.jitterShare, this.#asked));
  }

  /** Plans the poll after the n-th failure in a row. Returns the wait in whole milliseconds. */
  afterFailure(failures: number, retryAfter: number | undefined): number {
    if (this.isPart) {
      const wait = this.#parts?.afterFailure(failures, retryAfter) ?? 0;
      return Math.max(wait, this.#budget?.left(true) ?? 0);
    }
    this.#plan(waitAfterFailure(failures, retryAfter, this.pace));
    return Math.max(Math.ceil(this.#due.wait), this.#earned);
  }

  #plan(wait: number): void {
    this.#isPlanned = true;
    this.#due.begin(wait);
  }

  /** Removes the plan for the next poll, while one is under way, and at the end. */
  clear(): void {
    this.#refresh = false;
    this.#isPlanned = false;
    this.#parts?.beginAll();
  }

  /**
   * Makes the next poll due now: of everything, or of one part. A part still waits for a back-off of parts.
   *
   * @throws {TypeError} If the source cannot be polled in parts, or the part is not valid.
   */
  refresh(part?: ExternalPart): void {
    if (part === undefined) this.#refresh = true;
    else if (this.#parts !== undefined) this.#parts.ask(part);
    else {
      const { name } = this.#source;
      throw new TypeError(
        `Cannot refresh a part of '${oneLine(name)}' as this source can only be polled whole`,
      );
    }
  }

  /** Milliseconds until the next poll. */
  get left(): number {
    return Math.min(this.#allLeft, this.#partsLeft);
  }

  /** Milliseconds until everything is to be polled, without regard to the budget. */
  get planned(): number {
    return this.#isPlanned && !this.#refresh ? this.#due.left : 0;
  }

  /** Whether the budget allows the poll that is due. Other watches may have spent from it meanwhile. */
  get isAffordable(): boolean {
    return this.#earned === 0 || this.#partsLeft === 0;
  }

  /** Milliseconds by which the budget puts off the next poll of everything; undefined without a budget. */
  get putOff(): number | undefined {
    if (this.#budget === undefined) return undefined;
    return Math.max(Math.ceil(this.#earned - this.planned), 0);
  }

  /** Milliseconds until the budget allows a poll of everything. */
  get #earned(): number {
    return this.#budget?.left(false) ?? 0;
  }

  get #allLeft(): number {
    return Math.max(this.planned, this.#earned);
  }

  get #partsLeft(): number {
    if (!this.#hasAll || this.#parts === undefined) return Infinity;
    return Math.max(this.#parts.left, this.#budget?.left(true) ?? 0);
  }
}
