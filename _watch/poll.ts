/** One poll: from the load of the state to the events, or the failure. */
import { orAborted } from "../_bounds/abort.ts";
import { shareTimer, type StartTimer, timerOf } from "../_bounds/timer.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { Delivery } from "./delivery.ts";
import { type Failure, pollFailure } from "./failure.ts";
import type { Errand } from "./part_schedule.ts";
import { PollSignal } from "./poll_signal.ts";
import { PollTelemetry } from "./telemetry.ts";

// A poll that ignores its signal goes on after a timeout or a cancel. The next poll of that source, even by a later
// watch, waits for it, so that polls never overlap.
const underWay = new WeakMap<ExternalSource<unknown>, Promise<unknown>>();

/** What to ask the source for, and what to pass on to the delivery. */
interface Request {
  readonly errand: Errand;
  readonly each: boolean;
  readonly resync: number | undefined;
  readonly withdraw: boolean;
  /** Whether the metrics leave out the name of the source. */
  readonly totals: boolean;
  readonly startTimer: StartTimer | undefined;
}

export class Poll<T> {
  readonly telemetry: PollTelemetry;
  readonly #source: ExternalSource<T>;
  readonly #end = new PollSignal();
  readonly #onWarning: (message: string) => void;
  readonly #request: Request;

  constructor(source: ExternalSource<T>, onWarning: (message: string) => void, request: Request) {
    this.#source = source;
    this.#onWarning = onWarning;
    this.#request = request;
    const { startTimer, totals, errand } = request;
    if (startTimer !== undefined) shareTimer(this.#end.signal, startTimer);
    this.telemetry = new PollTelemetry(source.name, totals, errand.part);
  }

  /** Ends the poll at once, whatever the source does. */
  abort(reason: unknown): void {
    this.#end.abort(reason);
  }

  /** Polls, after any earlier poll of the source has ended. Never rejects. */
  async run(
    checkpointer: Checkpointer | undefined,
    timeout: number | undefined,
  ): Promise<Delivery<T> | Failure> {
    const stopTimeout = timeout === undefined ? undefined : this.#startTimeout(timeout);
    const { signal } = this.#end;
    const { errand, resync } = this.#request;
    try {
      if (errand.fault !== undefined) throw errand.fault;
      const failure = await checkpointer?.load(signal);
      if (failure !== undefined) return failure;
      const earlier = underWay.get(this.#source);
      if (earlier !== undefined) await orAborted(earlier, signal);
      // The watch may have ended since the read that asked for this poll.
      signal.throwIfAborted();
      const events = await this.#ask(signal);
      this.telemetry.answered();
      return new Delivery(events, this.telemetry, resync);
    } catch (thrown) {
      const failure = pollFailure(this.#source.name, thrown);
      // A source may find out in a poll that the state it was given is not its own.
      if (!failure.fatal || !checkpointer?.restored) return failure;
      return { error: await checkpointer.located(failure.error), fatal: true };
    } finally {
      stopTimeout?.();
    }
  }

  #ask(signal: AbortSignal): Promise<Iterable<ExternalEvent<T>>> {
    const answer = this.#answer(this.#options(signal));
    return this.#end.orAborted(answer, () => this.#goesOn(answer));
  }

  /** A promise in any case, so that a source that throws synchronously fails like one that rejects. */
  #answer(options: PollOptions): Promise<Iterable<ExternalEvent<T>>> {
    const source = this.#source;
    const { withdraw } = this.#request;
    try {
      return Promise.resolve(this.telemetry.run(() => {
        // A source without `withdraw` has nothing to withdraw.
        return withdraw ? source.withdraw?.(options) ?? [] : source.poll(options);
      }));
    } catch (thrown) {
      return Promise.reject(thrown);
    }
  }

  #options(signal: AbortSignal): PollOptions {
    const { errand: { part, onRequest, onCadence }, each, resync } = this.#request;
    const options: { -readonly [K in keyof PollOptions]: PollOptions[K] } = {
      signal,
      onRequest: () => {
        this.telemetry.requests++;
        onRequest?.();
      },
      onWarning: this.#onWarning,
    };
    if (onCadence !== undefined) options.onCadence = onCadence;
    if (each) options.each = true;
    if (resync !== undefined) options.all = true;
    if (part !== undefined) options.part = part;
    return options;
  }

  /** Lets the next poll of the source wait for an answer that nobody wants any more. */
  #goesOn(answer: Promise<unknown>): void {
    const source = this.#source;
    const forget = () => void underWay.delete(source);
    underWay.set(source, answer.then(forget, forget));
  }

  #startTimeout(timeout: number): () => void {
    const source = this.#source.name;
    return timerOf(this.#end.signal)(timeout, () =>
      this.abort(
        new ExternalError(
          "timeout",
          `Cannot poll '${source}' within ${timeout} ms: make the watch's 'timeout' longer, ` +
            "or the source faster",
          { source },
        ),
      ));
  }
}
