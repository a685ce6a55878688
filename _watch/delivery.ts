/** The events of one good poll, on their way to the consumer. */
import type { ExternalEvent } from "../_diff/source.ts";
import { eventFault, isEvent } from "./check_event.ts";
import type { PollTelemetry } from "./telemetry.ts";

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
