/**
 * The events of a good poll, on their way to the consumer. Only when all of them were handled is the poll committed, and
 * its state due to be saved. After a failure, a cancel or a crash before that, they come again.
 */
import type { ExternalEvent } from "../_diff/source.ts";
import { reasonOf } from "../_errors/redact.ts";
import { eventFault, isEvent } from "./check_event.ts";
import { type Failure, pollFailure } from "./failure.ts";
import type { Health } from "./health.ts";
import type { Reporter } from "./reporter.ts";
import type { Saver } from "./saver.ts";
import type { PollTelemetry } from "./telemetry.ts";

/** The events of one poll. */
export class Delivery<T> {
  readonly telemetry: PollTelemetry;
  /** Events handed over so far. */
  count = 0;
  /** Whether all events were handed over. Some of them may still be with their handlers. */
  isExhausted = false;
  /** What `KnownAgain.begin` returned when the poll began. */
  readonly resync: number | undefined;
  readonly #events: Iterator<ExternalEvent<T>>;
  #ahead: IteratorResult<ExternalEvent<T>> | undefined;

  /** @throws {TypeError} If the source gave something that cannot be iterated over. */
  constructor(
    events: Iterable<ExternalEvent<T>>,
    telemetry: PollTelemetry,
    resync: number | undefined,
  ) {
    if (typeof events?.[Symbol.iterator] !== "function") {
      throw new TypeError("'poll' must resolve with an iterable of events");
    }
    this.#events = events[Symbol.iterator]();
    this.telemetry = telemetry;
    this.resync = resync;
  }

  /** How a poll ends all of whose events were handled. */
  get outcome(): "changed" | "unchanged" {
    return this.count > 0 ? "changed" : "unchanged";
  }

  /** The next event. Asking for it tells the source that the one before was handled. */
  next(): IteratorResult<ExternalEvent<T>> {
    const ahead = this.#ahead;
    if (ahead === undefined) return this.#ask();
    this.#ahead = undefined;
    return ahead;
  }

  /** Asks for the next event, and keeps it for `next`. Returns false if there is none. */
  lookAhead(): boolean {
    this.#ahead = this.#ask();
    return this.#ahead.done !== true;
  }

  #ask(): IteratorResult<ExternalEvent<T>> {
    const next = this.#events.next();
    if (next.done || isEvent(next.value)) return next;
    this.release();
    throw eventFault(next.value, this.count + 1);
  }

  /** Ends the iteration early: a generator runs its `finally`. The source does not commit the poll. */
  release(): void {
    this.#events.return?.();
  }
}

/** The machine, as far as it is needed here. */
export interface DeliveryHost<T> {
  /** The name of the source. */
  readonly source: string;
  readonly health: Health;
  readonly reporter: Reporter;
  readonly saver: Saver | undefined;
  /** Called when a delivery was committed. */
  committed(delivery: Delivery<T>): void;
  /** Called when a good poll has failed after all. */
  failed(delivery: Delivery<T>, failure: Failure): void;
}

/** Handlers that run side by side, and may have several events at once. */
export interface Settling {
  /** Whether each event that was handed out is settled: it was handled, or set aside. */
  readonly isDrained: boolean;
  /** To be called when the delivery has ended, even in the middle. */
  release(): void;
}

/** The deliveries of one source, one after another. */
export class Deliveries<T> {
  /** Set if the events go to handlers that run side by side. */
  settling: Settling | undefined;
  readonly #host: DeliveryHost<T>;
  #current: Delivery<T> | undefined;

  constructor(host: DeliveryHost<T>) {
    this.#host = host;
  }

  /** The delivery under way, until all of its events were handled. */
  get current(): Delivery<T> | undefined {
    return this.#current;
  }

  async begin(delivery: Delivery<T>): Promise<void> {
    this.#current = delivery;
    const { saver, reporter, health } = this.#host;
    if (saver !== undefined && !await this.#announce(saver, delivery)) return;
    // Not earlier: if the state cannot be saved before the first event, the poll has failed after all.
    reporter.polled(health.failuresBefore);
  }

  /**
   * The next event. Undefined if there is none, if the events broke off, or if the machine has ended. Asking for it tells
   * the source that the one before was handled. Synchronous: this is the hot path.
   */
  next(): ExternalEvent<T> | undefined {
    const delivery = this.#current;
    if (delivery === undefined) return undefined;
    let next: IteratorResult<ExternalEvent<T>>;
    try {
      next = delivery.next();
    } catch (thrown) {
      this.#brokeOff(delivery, thrown);
      return undefined;
    }
    const { health } = this.#host;
    if (health.ended) return undefined;
    if (!next.done) {
      delivery.count++;
      health.events++;
      return next.value;
    }
    delivery.isExhausted = true;
    this.commitIfHandled();
    return undefined;
  }

  /**
   * Commits the delivery if every event of it was handled, and never before: only then is a save of the state due. A
   * reader has handled the last event when it asks for one more; handlers may still have some.
   */
  commitIfHandled(): void {
    const delivery = this.#current;
    if (!delivery?.isExhausted || this.settling?.isDrained === false) return;
    this.#current = undefined;
    delivery.telemetry.end(delivery.outcome, delivery.count);
    this.#host.saver?.checkpointer.delivered();
    this.#host.committed(delivery);
  }

  /**
   * To be called before `next`: the event before was handled. Saves how far the delivery has come, if it is time to;
   * then `next` must wait for the promise.
   */
  handled(): Promise<void> | undefined {
    const { saver } = this.#host;
    if (saver === undefined || this.#current === undefined) return undefined;
    saver.checkpointer.handled();
    if (!saver.checkpointer.stepIsDue) return undefined;
    return this.saveAhead().then((failure) => saver.report(failure));
  }

  /**
   * Saves the state before the first event of a poll is handed over: it says what is going to be reported. Without
   * that, an object reported as new just before a crash, and gone before the next start, would never be reported as
   * removed. So if this save fails, the poll has failed, and the result is false.
   */
  async #announce(saver: Saver, delivery: Delivery<T>): Promise<boolean> {
    const failure = await this.saveAhead();
    if (this.#host.health.ended || this.#current !== delivery) return false;
    if (failure !== undefined) {
      this.fail(failure);
      return false;
    }
    saver.checkpointer.announced();
    return true;
  }

  /** Asks for the next event, which tells the source that the one before was handled, and saves. */
  async saveAhead(): Promise<Failure | undefined> {
    const { saver, health } = this.#host;
    const delivery = this.#current;
    if (saver === undefined || delivery === undefined) return undefined;
    try {
      // After the last event the state is saved anyway.
      if (!delivery.lookAhead() || health.ended) return undefined;
    } catch (thrown) {
      this.#brokeOff(delivery, thrown);
      return undefined;
    }
    return await saver.save();
  }

  /** The iterator of the events threw. It is the source's code, which may also have ended the watch before. */
  #brokeOff(delivery: Delivery<T>, thrown: unknown): void {
    const { source, health } = this.#host;
    if (!health.ended) this.#takeBack(delivery, pollFailure(source, thrown));
  }

  /** The delivery under way has failed, if there is one: its events come again. */
  fail(failure: Failure): void {
    const delivery = this.#current;
    if (delivery === undefined) return;
    this.#takeBack(delivery, failure);
    this.release(delivery);
  }

  /** Turns a good poll into a failed one. */
  #takeBack(delivery: Delivery<T>, failure: Failure): void {
    this.#current = undefined;
    this.settling?.release();
    this.#host.health.takeBack();
    this.#host.failed(delivery, failure);
  }

  /** Gives up the delivery under way, if there is one: its events are not handed over any more, and come again. */
  drop(): void {
    const delivery = this.#current;
    if (delivery === undefined) return;
    this.#current = undefined;
    this.settling?.release();
    delivery.telemetry.end("cancelled", delivery.count);
    this.release(delivery);
  }

  /** Ends the iteration of the events early: a generator runs its `finally`. The source does not commit the poll. */
  release(delivery: Delivery<T>): void {
    try {
      delivery.release();
    } catch (thrown) {
      const { source, reporter } = this.#host;
      reporter.noted(`Cannot end the poll of '${source}' cleanly: ${reasonOf(thrown)}`);
    }
  }
}
