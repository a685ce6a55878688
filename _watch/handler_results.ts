/**
 * Hands out the events of a source to handlers that run side by side, and records what became of each: it was handled,
 * set aside, or the whole delivery has failed.
 */
import type { ExternalSource } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { Aside } from "./aside.ts";
import type { Deliveries, Settling } from "./delivery.ts";
import { handlerFailure, pollFailure } from "./failure.ts";
import type { Failed } from "./handler_pool.ts";
import { type EventSupply, type Handout, Handouts } from "./handouts.ts";
import type { Health } from "./health.ts";
import type { Pace } from "./waits.ts";
import type { Reporter } from "./reporter.ts";
import type { Saver } from "./saver.ts";
import type { Schedule } from "./whole_and_parts.ts";
import { countHandled } from "./telemetry.ts";

/** The machine, as far as it is needed here. */
export interface Host<T> {
  readonly source: ExternalSource<T>;
  readonly pace: Pace;
  readonly health: Health;
  readonly schedule: Schedule;
  readonly reporter: Reporter;
  readonly saver: Saver | undefined;
  readonly deliveries: Deliveries<T>;
  giveUp(error: ExternalError): void;
}

export class HandlerResults<T> implements Settling {
  readonly #host: Host<T>;
  readonly #aside: Aside;
  readonly #handouts: Handouts<T>;
  readonly #supply: EventSupply<T>;

  constructor(host: Host<T>) {
    this.#host = host;
    const { source, deliveries } = host;
    this.#aside = new Aside(host, source.acknowledgement?.asideKeys() ?? []);
    this.#handouts = new Handouts(source, this.#aside);
    this.#supply = {
      next: () => deliveries.current?.isExhausted === false ? deliveries.next() : undefined,
      mayRetry: () => this.mayRetry,
    };
  }

  /** Whether everything that was handed out is settled. */
  get isDrained(): boolean {
    return this.#handouts.isDrained;
  }

  /** Milliseconds until the next item that was set aside is due; undefined if none is, or if a poll goes first. */
  get retryLeft(): number | undefined {
    return this.mayRetry ? this.#aside.left : undefined;
  }

  /**
   * Whether items that were set aside may be handed out now. A poll that is due goes first: otherwise items that always
   * fail could hold it up for good.
   */
  get mayRetry(): boolean {
    return this.#host.deliveries.current !== undefined || this.#host.schedule.left > 0;
  }

  take(): Handout<T> | undefined {
    const { source, saver, health } = this.#host;
    // Asking a source without `acknowledgement` for an event changes its state, which must not happen during a save.
    if (source.acknowledgement === undefined ? saver?.isUnderWay : saver?.isBehind) {
      return undefined;
    }
    try {
      const handout = this.#handouts.take(this.#supply);
      if (health.ended) return undefined;
      if (handout !== undefined && handout.attempt > 1) health.phase = "delivering";
      return handout;
    } catch (thrown) {
      // The source failed to tell the key of an event.
      if (!health.ended) this.#host.deliveries.fail(pollFailure(source.name, thrown));
      return undefined;
    }
  }

  settle(handout: Handout<T>, failed: Failed | undefined): Promise<void> | undefined {
    const { source, saver, health, deliveries } = this.#host;
    this.#handouts.settled(handout, failed !== undefined);
    countHandled(source.name, failed === undefined ? "handled" : "failed", health.totals);
    if (source.acknowledgement === undefined) {
      if (failed !== undefined) return void this.#handBack(handout, failed);
    } else if (handout.key !== undefined) this.#acknowledge(handout.key, failed);
    if (health.ended) return undefined;
    const saving = saver?.settled(() =>
      source.acknowledgement === undefined ? deliveries.saveAhead() : saver.save()
    );
    if (deliveries.current !== undefined) deliveries.commitIfHandled();
    else if (this.isDrained) {
      saver?.checkpointer.settled();
      health.phase = "idle";
    }
    return saving;
  }

  release(): void {
    this.#handouts.release();
  }

  #acknowledge(key: string, failed: Failed | undefined): void {
    const { source, giveUp } = this.#host;
    try {
      if (failed !== undefined) source.acknowledgement?.setAside(key);
      else source.acknowledgement?.handled(key);
    } catch (thrown) {
      // From here on it is unknown what the source will report and save.
      return giveUp(pollFailure(source.name, thrown).error);
    }
    if (failed !== undefined) this.#aside.failed(key, failed.thrown);
    else this.#aside.handled(key);
  }

  /**
   * A source without `acknowledgement` cannot take back a single event: the failed one and all after it come again with
   * the next poll.
   */
  #handBack({ key, attempt }: Handout<T>, { thrown }: Failed): void {
    const error = handlerFailure(this.#host.source.name, key, attempt, thrown);
    this.#host.deliveries.fail({ error, fatal: false });
  }
}
