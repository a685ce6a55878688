/** One poll: from the load of the state to the events, or the failure. */
import { orAborted } from "../_bounds/abort.ts";
import { startTimer } from "../_bounds/timer.ts";
import type { ExternalEvent, ExternalSource, PollOptions } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { Delivery } from "./delivery.ts";
import { type Failure, pollFailure } from "./failure.ts";
import type { Errand } from "./part_schedule.ts";
import { PollTelemetry } from "./telemetry.ts";

// A poll that ignores its signal goes on after a timeout or a cancel. The next poll of that source, even by a later
// watch, waits for it, so that polls never overlap.
const underWay = new WeakMap<ExternalSource<unknown>, Promise<unknown>>();

/** What to ask the source for, and what to pass on to the delivery. */
interface Request extends Errand {
  readonly each?: boolean;
  readonly resync?: number;
  readonly withdraw: boolean;
  /** Whether the metrics leave out the name of the source. */
  readonly totals: boolean;
}

export class Poll<T> {
  readonly telemetry: PollTelemetry;
  readonly #source: ExternalSource<T>;
  readonly #controller = new AbortController();
  readonly #onWarning: (message: string) => void;
  readonly #each: boolean | undefined;
  readonly #withdraw: boolean;
  readonly #resync: number | undefined;
  readonly #errand: Errand;
  /** Ends the wait for the source. */
  #giveUp: ((reason: unknown) => void) | undefined;

  /** @param options What to ask the source for, and what to pass on to the delivery. */
  constructor(
    source: ExternalSource<T>,
    onWarning: (message: string) => void,
    { each, resync, withdraw, totals, ...errand }: Request,
  ) {
    this.#source = source;
    this.#onWarning = onWarning;
    this.#each = each;
    this.#withdraw = withdraw;
    this.#resync = resync;
    this.#errand = errand;
    this.telemetry = new PollTelemetry(source.name, totals, errand.part);
  }

  /** Ends the poll at once, whatever the source does. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
    this.#giveUp?.(this.#controller.signal.reason);
  }

  /** Polls, after any earlier poll of the source has ended. Never rejects. */
  async run(
    checkpointer: Checkpointer | undefined,
    timeout: number | undefined,
  ): Promise<Delivery<T> | Failure> {
    const stopTimeout = timeout === undefined ? undefined : this.#startTimeout(timeout);
    try {
      if (this.#errand.fault !== undefined) throw this.#errand.fault;
      const failure = await checkpointer?.load(this.#controller.signal);
      if (failure !== undefined) return failure;
      const events = await this.#ask();
      this.telemetry.answered();
      return new Delivery(events, this.telemetry, this.#resync);
    } catch (thrown) {
      const failure = pollFailure(this.#source.name, thrown);
      // A source may find out in a poll that the state it was given is not its own.
      if (!failure.fatal || !checkpointer?.restored) return failure;
      return { error: await checkpointer.located(failure.error), fatal: true };
    } finally {
      stopTimeout?.();
    }
  }

  async #ask(): Promise<Iterable<ExternalEvent<T>>> {
    const source = this.#source;
    const { signal } = this.#controller;
    const earlier = underWay.get(source);
    if (earlier !== undefined) await orAborted(earlier, signal);
    // The watch may have ended since the read that asked for this poll.
    signal.throwIfAborted();
    const { part, onRequest, onCadence } = this.#errand;
    const options: PollOptions = {
      signal,
      onRequest: () => {
        this.telemetry.requests++;
        onRequest?.();
      },
      onWarning: this.#onWarning,
      ...(onCadence && { onCadence }),
      ...(this.#each && { each: true }),
      ...(this.#resync !== undefined && { all: true }),
      ...(part && { part }),
    };
    // In a promise, so that a source that throws synchronously fails like one that rejects.
    const answer = new Promise<Iterable<ExternalEvent<T>>>((resolve) =>
      resolve(this.telemetry.run(() => {
        // A source without `withdraw` has nothing to withdraw.
        if (this.#withdraw) return source.withdraw?.(options) ?? [];
        return source.poll(options);
      }))
    );
    return await new Promise((resolve, reject) => {
      let isOver = false;
      const over = answer.then(resolve, reject).then(() => {
        isOver = true;
        if (signal.aborted) underWay.delete(source);
      });
      // In place of a listener on the signal: every poll would pay for one.
      this.#giveUp = (reason) => {
        reject(reason);
        if (!isOver) underWay.set(source, over);
      };
      if (signal.aborted) this.#giveUp(signal.reason);
    });
  }

  #startTimeout(timeout: number): () => void {
    const source = this.#source.name;
    return startTimer(timeout, () =>
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
