/** What is behind the stream of a watch: wait, poll, hand over; and every way to end it. */
import { startTimer } from "../_bounds/timer.ts";
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { closedError } from "./failure.ts";
import type { Handler } from "./handle_options.ts";
import { Handling, type HandlingLimits, type Runner } from "./handler_pool.ts";
import type { Handout } from "./handouts.ts";
import { Machine } from "./machine.ts";
import type { WatchOptions } from "./options.ts";
import type { WatchStatus } from "./status.ts";

/**
 * For streams whose `pull` polls. With 0, `pull` is called only while a read waits for an event: so nothing is requested
 * before the first read, and no poll begins while an event waits to be read. It is never called again before the promise
 * that it returned has settled: so polls never overlap.
 */
export const ON_DEMAND: QueuingStrategy = { highWaterMark: 0 };

/** The underlying source of the stream. */
export class WatchStream<T> implements UnderlyingDefaultSource<ExternalEvent<T>> {
  readonly #machine: Machine<T>;
  readonly #signal: AbortSignal | undefined;
  #controller!: ReadableStreamDefaultController<ExternalEvent<T>>;
  #handling: Runner | undefined;
  #closing = false;
  #wakeUp: (() => void) | undefined;

  constructor(source: ExternalSource<T>, options: WatchOptions) {
    this.#machine = new Machine(source, options, (error) => this.#fail(error));
    this.#signal = options.signal;
  }

  get source(): string {
    return this.#machine.source;
  }

  get status(): WatchStatus {
    return this.#machine.status;
  }

  get synced(): Promise<void> {
    return this.#machine.synced;
  }

  get #ended(): boolean {
    return this.#machine.ended;
  }

  start(controller: ReadableStreamDefaultController<ExternalEvent<T>>): void {
    this.#controller = controller;
    const signal = this.#signal;
    if (signal?.aborted) this.#fail(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** Puts one event into the stream. Synchronous while there are events: this is the hot path. */
  pull(): void | Promise<void> {
    const saving = this.#machine.handled();
    if (saving !== undefined) return this.#afterSaving(saving);
    if (!this.#deliver()) return this.#advance();
  }

  refresh(part?: ExternalPart): void {
    this.#machine.schedule.refresh(part);
    this.#wakeUp?.();
  }

  resync(): void {
    this.#machine.resync();
    this.#wakeUp?.();
  }

  close(): void {
    if (this.#ended) return;
    this.#closing = true;
    // Events already found can still be read; the next pull after the last of them closes the stream.
    const isDelivering = this.#machine.isDelivering;
    this.#machine.stop();
    if (this.#handling !== undefined) return this.#wakeUp?.();
    if (isDelivering) return;
    if (!this.#machine.saveIsDue) return this.#finish();
    // If a save is under way, the stream closes at its end. If it failed, it is tried once more first.
    this.#wakeUp?.();
  }

  cancel(reason: unknown): void {
    this.#end(reason === undefined ? closedError(this.source) : reason);
  }

  dispose(): Promise<void> {
    this.#finish();
    return Promise.resolve();
  }

  /**
   * Hands the events to handlers from now on. The stream must not be read any more; it only shows when the watch
   * ends.
   */
  handle(handler: Handler<ExternalEvent<T>>, limits: HandlingLimits): void {
    if (this.#ended) return;
    const machine = this.#machine;
    machine.handOut();
    const handling = this.#handling = new Handling(handler, limits, {
      take: () => machine.take(),
      settle: (handout: Handout<T>, failed) =>
        void machine.settle(handout, failed)?.then(() => this.#wakeUp?.()),
      hasRoom: () => this.#wakeUp?.(),
    });
    this.#drive(handling).catch((error) => this.#fail(error));
  }

  /** Hands out events, and polls whenever all of them were handled or set aside. */
  async #drive(handling: Runner) {
    const machine = this.#machine;
    while (!this.#ended) {
      handling.fill();
      if (this.#closing) {
        if (handling.isDrained) await machine.endHandling();
        if (handling.isDrained) return this.#finish();
      } else if (machine.mayPoll) {
        await machine.saveIfDue();
        if (this.#ended || this.#closing) continue;
        if (machine.schedule.left === 0) {
          await machine.poll({ each: true });
          continue;
        }
      }
      if (!this.#ended) await this.#pause(handling.hasRoom);
    }
  }

  /** Waits until a poll or an item that was set aside is due, or until `#wakeUp` is called. */
  async #pause(hasRoom: boolean): Promise<void> {
    const { retryAt, mayPoll, schedule, health } = this.#machine;
    const waits: number[] = [];
    if (mayPoll && !this.#closing) {
      health.phase = "waiting";
      waits.push(schedule.left);
    }
    if (hasRoom && retryAt !== undefined) {
      waits.push(Math.max(Math.ceil(retryAt - performance.now()), 1));
    }
    await this.#wait(waits.length > 0 ? Math.min(...waits) : undefined);
  }

  readonly #onAbort = (): void => void this.#fail(this.#signal?.reason);

  /** Polls until there is an event to deliver, or the watch ends. */
  async #advance(): Promise<void> {
    while (!this.#ended) {
      await this.#machine.saveIfDue();
      if (this.#ended) return;
      if (this.#closing) return this.#finish();
      const isDue = await this.#sleep();
      if (this.#ended) return;
      if (this.#closing || !isDue) continue;
      await this.#machine.poll();
      if (this.#ended || this.#deliver()) return;
    }
  }

  async #afterSaving(saving: Promise<void>): Promise<void> {
    await saving;
    if (!this.#ended && !this.#deliver()) await this.#advance();
  }

  /** Hands over the next event. Returns false if there is none and the watch has not ended. */
  #deliver(): boolean {
    const event = this.#machine.next();
    if (event === undefined) return this.#ended;
    this.#controller.enqueue(event);
    return true;
  }

  /**
   * Waits until the next poll is due. A refresh, a close, a cancel or an abort ends the wait. Returns whether a poll
   * is due now: after a refresh, a part may still have to wait for a back-off.
   */
  async #sleep(): Promise<boolean> {
    const { schedule, health } = this.#machine;
    const { left } = schedule;
    if (left === 0) return true;
    health.phase = "waiting";
    return await this.#wait(left) ? schedule.isAffordable : schedule.left === 0;
  }

  /**
   * Waits for `ms` milliseconds, or without limit if that is undefined. `#wakeUp` ends the wait early. Returns
   * whether the time has passed.
   */
  async #wait(ms: number | undefined): Promise<boolean> {
    const hasPassed = await new Promise<boolean>((resolve) => {
      const stop = ms === undefined ? undefined : startTimer(ms, () => resolve(true));
      this.#wakeUp = () => {
        stop?.();
        resolve(false);
      };
    });
    this.#wakeUp = undefined;
    return hasPassed;
  }

  /** Closes the stream. */
  #finish(): void {
    if (this.#end(closedError(this.source))) this.#controller.close();
  }

  /** Ends the stream with exactly this error. Returns false if the watch had ended before. */
  #fail(error: unknown): boolean {
    const ends = this.#end(error);
    if (ends) this.#controller.error(error);
    return ends;
  }

  /** Stops everything that is under way. Returns false if the watch had ended before. */
  #end(reason: unknown): boolean {
    if (!this.#machine.end(reason)) return false;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#handling?.abort(reason);
    this.#wakeUp?.();
    return true;
  }
}
