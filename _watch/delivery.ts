/** The events of one good poll, on their way to the consumer. */
import type { ExternalEvent } from "../_diff/source.ts";
import { eventFault, isEvent } from "./check_event.ts";
import type { PollTelemetry } from "./telemetry.ts";

export class Delivery<T> {
  readonly telemetry: PollTelemetry;
  /** Events handed over so far. */
  count = 0;
  /** Whether all were handed over, and some of them are still with their handlers. */
  isExhausted = false;
  /** What `Resync.begin` gave. */
  readonly resync: number | undefined;
  readonly #events: Iterator<ExternalEvent<T>>;
  #ahead: IteratorResult<ExternalEvent<T>> | undefined;

  /** @throws {TypeError} If a source gave something else than events. */
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

  /** Lets a generator run its `finally`. The state of the source stays uncommitted. */
  release(): void {
    this.#events.return?.();
  }
}
