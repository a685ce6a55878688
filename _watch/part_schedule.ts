/**
 * When a part of a source is to be polled: as soon as it was asked for, and after a failure as soon as its back-off is over. The
 * polls of everything go on as if there were no parts.
 */
import { checkPart, type ExternalPart } from "../_diff/part.ts";
import type { ExternalSource } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { reasonOf } from "../_errors/redact.ts";
import { oneLine } from "../_errors/one_line.ts";
import { Due } from "./due.ts";
import { type HotPart, HotParts } from "./hot_parts.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./pace.ts";
import { PartQueue } from "./part_queue.ts";

/** What a poll is of. */
export interface Errand {
  /** Undefined for all of the source. */
  readonly part?: ExternalPart;
  /** Why it fails without asking the source. */
  readonly fault?: ExternalError;
  /** To be called once a request. */
  readonly onRequest?: () => void;
  /** To be called if the server asks not to be polled for so many milliseconds. */
  readonly onCadence?: (wait: number) => void;
}

export class PartSchedule {
  readonly #pace: Pace;
  readonly #source: ExternalSource<unknown>;
  readonly #hots: HotParts;
  readonly #queue: PartQueue = new PartQueue();
  /** The end of a back-off. */
  #hold: Due | undefined;
  /** What is being polled. */
  #current: ExternalPart | undefined;

  constructor(pace: Pace, source: ExternalSource<unknown>, hot: readonly HotPart[] = []) {
    this.#pace = pace;
    this.#hots = new HotParts(hot, (interval) => waitAfterSuccess({ ...pace, interval }));
    this.#source = source;
  }

  /** Whether what is being polled, or was polled last, is a part. */
  get isCurrent(): boolean {
    return this.#current !== undefined;
  }

  /**
   * A part is to be polled.
   *
   * @throws {TypeError} If it is no part.
   */
  ask(part: ExternalPart): void {
    this.#queue.add(checkPart(`refresh a part of '${oneLine(this.#source.name)}'`, part));
  }

  /** Milliseconds until the next poll of a part; Infinity if none is asked for. */
  get left(): number {
    const asked = this.#queue.isEmpty ? this.#hots.left : 0;
    return Math.max(asked, this.#hold?.left ?? 0);
  }

  /** A poll of a part begins. Of everything, without `part`, if too much of it was asked for. */
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

  /** A poll of everything begins: what was asked for before is in it. */
  beginAll(): void {
    this.#current = undefined;
    this.#queue.clear();
  }

  afterSuccess(): void {
    this.#hold = undefined;
    if (this.isCurrent) this.#hots.plan();
    else this.#hots.planAll();
  }

  /** A poll of a part has failed, n times in a row: it comes again. Returns the wait in whole milliseconds. */
  afterFailure(failures: number, retryAfter: number | undefined): number {
    if (this.#current !== undefined) this.#queue.add(this.#current);
    this.#hots.plan();
    this.#hold = new Due(waitAfterFailure(failures, retryAfter, this.#pace));
    return Math.ceil(this.#hold.wait);
  }
}
