/**
 * Decides when a part of a source is polled: as soon as it is asked for, or, after a failure, as soon as its back-off
 * is over. That moves no poll of everything: see whole_and_parts.ts.
 */
import { checkPart, type ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { reasonOf } from "../_errors/redact.ts";
import { oneLine } from "../_errors/one_line.ts";
import { Due } from "./due.ts";
import { type HotPart, HotParts } from "./hot_parts.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./waits.ts";
import { PartQueue } from "./part_queue.ts";

/** What a poll has to do. */
export interface Errand {
  /** Undefined for all of the source. */
  readonly part?: ExternalPart;
  /** The error with which the poll fails, without asking the source. */
  readonly fault?: ExternalError;
  /** To be called once for each request. */
  readonly onRequest?: () => void;
  /** To be called if the server asks not to be polled for so many milliseconds. */
  readonly onCadence?: (wait: number) => void;
}

export class PartSchedule {
  readonly #pace: Pace;
  readonly #source: ExternalSource<unknown>;
  readonly #hots: HotParts;
  readonly #queue: PartQueue = new PartQueue();
  /** The end of the back-off after a failure. */
  #hold: Due | undefined;
  /** The part that is being polled, or was polled last. */
  #current: ExternalPart | undefined;

  constructor(pace: Pace, source: ExternalSource<unknown>, hot: readonly HotPart[] = []) {
    this.#pace = pace;
    this.#hots = new HotParts(hot, (interval) => waitAfterSuccess({ ...pace, interval }));
    this.#source = source;
  }

  /** Whether the poll under way, or the last one, is of a part. */
  get isCurrent(): boolean {
    return this.#current !== undefined;
  }

  /**
   * Plans a part to be polled as soon as possible.
   *
   * @throws {TypeError} If the part is not valid.
   */
  ask(part: ExternalPart): void {
    this.#queue.add(checkPart(`refresh a part of '${oneLine(this.#source.name)}'`, part));
  }

  /** Milliseconds until the next poll of a part; Infinity if none is planned. */
  get left(): number {
    const asked = this.#queue.isEmpty ? this.#hots.left : 0;
    return Math.max(asked, this.#hold?.left ?? 0);
  }

  /**
   * To be called when a poll of a part begins. The result has no `part` if too many were asked for: everything is
   * polled then.
   */
  begin(): Errand {
    try {
      for (const prefix of this.#hots.due()) this.#queue.add({ prefix });
    } catch (thrown) {
      this.#current = {};
      return { fault: this.#hotFault(thrown) };
    }
    this.#current = this.#queue.take();
    return { ...(this.#current && { part: this.#current }) };
  }

  #hotFault(thrown: unknown): ExternalError {
    const { name } = this.#source;
    return new ExternalError(
      "invalid",
      `Cannot poll a hot part of '${name}' as its 'prefix' failed: ${reasonOf(thrown)}`,
      { source: name, cause: thrown },
    );
  }

  /** To be called when a poll of everything begins. It covers all parts that were asked for before. */
  beginAll(): void {
    this.#current = undefined;
    this.#queue.clear();
  }

  afterSuccess(): void {
    this.#hold = undefined;
    if (this.isCurrent) this.#hots.plan();
    else this.#hots.planAll();
  }

  /**
   * To be called when a poll of a part has failed, the n-th time in a row: it is planned again. Returns the wait in
   * whole milliseconds.
   */
  afterFailure(failures: number, retryAfter: number | undefined): number {
    if (this.#current !== undefined) this.#queue.add(this.#current);
    this.#hots.plan();
    this.#hold = new Due(waitAfterFailure(failures, retryAfter, this.#pace));
    return Math.ceil(this.#hold.wait);
  }
}
