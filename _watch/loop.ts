/** The loop behind a watch: wait, poll, deliver, commit; and every way to end it. */
import { orAborted } from "../_bounds/abort.ts";
import { type Pace, waitAfterFailure, waitAfterSuccess } from "./pace.ts";
import { Checkpointer, checkpointError } from "./checkpointer.ts";
import { checkWatch, type FailureInfo, type WatchOptions } from "./options.ts";
import { reasonOf, withoutSecrets } from "../_errors/redact.ts";
import { observe, type Observed, PollTelemetry } from "./telemetry.ts";
import { startTimer } from "../_bounds/timer.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { Logger } from "../_errors/logger.ts";
import type { WatchPhase, WatchStatus } from "./status.ts";

const watched = new WeakSet<ExternalSource<unknown>>();

// A poll that ignores its signal goes on after a timeout or a cancel. Whoever polls that source next,
// be it a later watch, waits for it, so that polls never overlap.
const underWay = new WeakMap<ExternalSource<unknown>, Promise<unknown>>();

/** The events of one good poll, and where they are going. */
interface Delivery<T> {
  readonly events: Iterator<ExternalEvent<T>>;
  readonly telemetry: PollTelemetry;
  /** What the watch knew before, should the events break off half-way: then the poll has failed. */
  readonly before: { readonly failures: number; readonly lastSuccess: number | undefined };
  count: number;
  /** The event asked for before a step was saved, which is yet to be handed over. */
  ahead?: IteratorResult<ExternalEvent<T>> | undefined;
}

export class PollLoop<T> implements Observed {
  readonly source: string;
  readonly synced: Promise<void>;

  readonly #source: ExternalSource<T>;
  readonly #options: WatchOptions;
  readonly #pace: Pace;
  #stopObserving: (() => void) | undefined;
  #startedAt = 0;
  #controller!: ReadableStreamDefaultController<ExternalEvent<T>>;

  #phase: WatchPhase = "idle";
  #polls = 0;
  #events = 0;
  #failures = 0;
  #lastSuccess: number | undefined;
  #lastError: ExternalError | undefined;

  #delivery: Delivery<T> | undefined;
  #poll: AbortController | undefined;
  #wakeUp: (() => void) | undefined;
  #wait = 0;
  #nextPoll: number | undefined;
  #refresh = false;
  #closing = false;

  readonly #checkpointer: Checkpointer | undefined;
  #saving = false;
  #failedSaves = 0;

  #resolveSynced!: () => void;
  #rejectSynced!: (reason: unknown) => void;

  constructor(source: ExternalSource<T>, options: WatchOptions) {
    this.#pace = checkWatch(source, options);
    if (watched.has(source)) {
      throw new TypeError(
        `Cannot watch '${source.name}' as this source object is being watched already: ` +
          "end that watch first, or make a second source",
      );
    }
    if (options.checkpoint !== undefined) {
      this.#checkpointer = new Checkpointer(source, options.checkpoint);
    }
    watched.add(source);
    this.source = source.name;
    this.#source = source;
    this.#options = { ...options };
    this.synced = new Promise((resolve, reject) => {
      this.#resolveSynced = resolve;
      this.#rejectSynced = reject;
    });
    // Most users never look at it: its rejection must not end their process.
    this.synced.catch(() => {});
  }

  get status(): WatchStatus {
    return {
      phase: this.#phase,
      polls: this.#polls,
      events: this.#events,
      failures: this.#failures,
      ...(this.#lastSuccess !== undefined && { lastSuccess: this.#lastSuccess }),
      ...(this.#lastError !== undefined && { lastError: this.#lastError }),
      ...(this.#nextPoll !== undefined && { nextPoll: this.#nextPoll }),
    };
  }

  get failures(): number {
    return this.#failures;
  }

  get healthyAt(): number {
    return this.#lastSuccess ?? this.#startedAt;
  }

  get #ended(): boolean {
    return this.#phase === "closed";
  }

  start(controller: ReadableStreamDefaultController<ExternalEvent<T>>): void {
    this.#controller = controller;
    const { signal } = this.#options;
    if (signal?.aborted) this.#fail(signal.reason);
    else signal?.addEventListener("abort", this.#onAbort);
  }

  /** Gets the stream one event. Synchronous while there are events: this is the hot path. */
  pull(): void | Promise<void> {
    const checkpointer = this.#checkpointer;
    const delivery = this.#delivery;
    if (checkpointer !== undefined && delivery !== undefined) {
      checkpointer.handled();
      if (checkpointer.stepIsDue) return this.#saveStep(checkpointer, delivery);
    }
    if (!this.#deliver()) return this.#advance();
  }

  refresh(): void {
    this.#refresh = true;
    this.#wakeUp?.();
  }

  close(): void {
    if (this.#ended) return;
    this.#closing = true;
    this.#nextPoll = undefined;
    // Events found are still to be read; the next pull after the last of them closes the stream.
    // The same holds for a state that is being saved, or whose save failed: it is tried once more.
    if (this.#delivery !== undefined || this.#saving) return;
    if (!this.#checkpointer?.isDue) return this.#finish();
    this.#wakeUp?.();
    this.#poll?.abort(this.#closedError());
  }

  cancel(reason: unknown): void {
    this.#end(reason === undefined ? this.#closedError() : reason);
  }

  dispose(): Promise<void> {
    this.#finish();
    return Promise.resolve();
  }

  readonly #onAbort = (): void => this.#fail(this.#options.signal?.reason);

  /** Polls until there is an event to deliver, or the watch ends. */
  async #advance(): Promise<void> {
    while (!this.#ended) {
      if (this.#checkpointer?.isDue) this.#reportSave(await this.#save(this.#checkpointer));
      if (this.#ended) return;
      if (this.#closing) return this.#finish();
      await this.#sleep();
      if (this.#ended) return;
      if (this.#closing) continue;
      await this.#pollOnce();
      if (this.#checkpointer !== undefined && this.#delivery !== undefined) {
        await this.#announce(this.#checkpointer, this.#delivery);
      }
      if (this.#ended || this.#deliver()) return;
    }
  }

  /**
   * Saves the state before the first event of a poll is handed over: it says what is going to be reported.
   * Without that, an object reported as new just before a crash, and gone before the next start, would never
   * be reported as removed. So a poll whose events cannot be announced has failed.
   */
  async #announce(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<void> {
    const error = await this.#saveAhead(checkpointer, delivery);
    if (error === undefined || this.#ended) return;
    this.#breakOff(delivery, error, false);
    this.#release(delivery);
  }

  /** Saves how far a delivery has come, and goes on with it. */
  async #saveStep(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<void> {
    this.#reportSave(await this.#saveAhead(checkpointer, delivery));
    if (!this.#ended && !this.#deliver()) await this.#advance();
  }

  /** Saves the state with the next event asked for: that tells the source that the one before was handled. */
  async #saveAhead(
    checkpointer: Checkpointer,
    delivery: Delivery<T>,
  ): Promise<ExternalError | undefined> {
    delivery.ahead = this.#ask(delivery);
    // Behind the last event all is saved anyway.
    if (delivery.ahead?.done !== false || this.#ended) return undefined;
    return await this.#save(checkpointer);
  }

  /** Saves the state. Returns a failure that may pass; any other ends the watch. */
  async #save(checkpointer: Checkpointer): Promise<ExternalError | undefined> {
    this.#saving = true;
    try {
      await checkpointer.save();
      this.#failedSaves = 0;
    } catch (thrown) {
      if (this.#ended) return undefined;
      const error = checkpointError(`save the checkpoint of '${this.source}'`, thrown);
      if (error !== thrown) return error;
      this.#fail(error);
    } finally {
      this.#saving = false;
    }
    return undefined;
  }

  /** Reports a save that failed behind handled events. It is tried again behind the next ones. */
  #reportSave(error: ExternalError | undefined): void {
    if (error === undefined || this.#ended) return;
    const wait = Math.max((this.#nextPoll ?? 0) - Date.now(), 0);
    this.#failed(error, { attempt: ++this.#failedSaves, wait });
  }

  /** Hands over the next event of the last poll, if there is one; commits behind the last. */
  #deliver(): boolean {
    const delivery = this.#delivery;
    if (delivery === undefined) return false;
    const next = delivery.ahead ?? this.#ask(delivery);
    delivery.ahead = undefined;
    if (this.#ended) return true;
    if (next === undefined) return false;
    if (!next.done) {
      delivery.count++;
      this.#events++;
      this.#controller.enqueue(next.value);
      return true;
    }
    this.#delivery = undefined;
    this.#handled(delivery);
    return false;
  }

  /** Asks the source for the next event. Undefined if it broke off. */
  #ask(delivery: Delivery<T>): IteratorResult<ExternalEvent<T>> | undefined {
    try {
      return delivery.events.next();
    } catch (thrown) {
      // The iterator is the source's code, which may have ended the watch before it threw.
      if (!this.#ended) this.#breakOff(delivery, thrown, isFatal(thrown));
      return undefined;
    }
  }

  /** Takes a delivery for a failed poll after all. */
  #breakOff(delivery: Delivery<T>, thrown: unknown, fatal: boolean): void {
    this.#delivery = undefined;
    this.#takeBack(delivery);
    this.#pollFailed(thrown, delivery, fatal);
  }

  #handled({ telemetry, count }: Delivery<T>): void {
    telemetry.end(count > 0 ? "changed" : "unchanged", count);
    this.#checkpointer?.delivered();
    this.#resolveSynced();
    this.#phase = "idle";
  }

  /** Waits until the next poll is due. A refresh, a close, a cancel or an abort ends the wait. */
  async #sleep(): Promise<void> {
    if (this.#nextPoll === undefined || this.#refresh) return;
    // Never longer than the wait that was chosen, whatever became of the wall clock meanwhile.
    const left = Math.min(this.#nextPoll - Date.now(), this.#wait);
    if (left <= 0) return;
    this.#phase = "waiting";
    await new Promise<void>((resolve) => {
      const stop = startTimer(left, resolve);
      this.#wakeUp = () => {
        stop();
        resolve();
      };
    });
    this.#wakeUp = undefined;
  }

  async #pollOnce(): Promise<void> {
    // From here and not from the start: a watch nobody reads must not be held by the gauges.
    if (this.#stopObserving === undefined) {
      this.#startedAt = Date.now();
      this.#stopObserving = observe(this);
    }
    this.#phase = "polling";
    this.#refresh = false;
    this.#nextPoll = undefined;
    this.#polls++;
    const poll = this.#poll = new AbortController();
    const telemetry = new PollTelemetry(this.source);
    const stopTimeout = this.#startTimeout(poll);
    try {
      await this.#checkpointer?.load(poll.signal);
      const events = await this.#askSource(poll.signal, telemetry);
      telemetry.answered();
      // Ended between the source's answer and now.
      if (this.#ended || this.#closing) telemetry.end("cancelled", 0);
      else this.#pollSucceeded(iteratorOf(events), telemetry);
    } catch (thrown) {
      // Closing: aborted to save the last state.
      if (this.#ended || this.#closing) telemetry.end("cancelled", 0);
      else this.#pollFailed(thrown, { telemetry, count: 0 }, isFatal(thrown));
    } finally {
      stopTimeout?.();
      this.#poll = undefined;
    }
  }

  async #askSource(
    signal: AbortSignal,
    telemetry: PollTelemetry,
  ): Promise<Iterable<ExternalEvent<T>>> {
    const source = this.#source;
    const earlier = underWay.get(source);
    if (earlier !== undefined) await orAborted(earlier, signal);
    // Ended since the read that asked for this poll.
    signal.throwIfAborted();
    const onRequest = () => void telemetry.requests++;
    // Behind a promise, so that a source that throws synchronously fails like one that rejects.
    const answer = new Promise<Iterable<ExternalEvent<T>>>((resolve) =>
      resolve(telemetry.run(() => source.poll({ signal, onRequest })))
    );
    const settled = answer.then(() => {}, () => {}).finally(() => underWay.delete(source));
    underWay.set(source, settled);
    return await orAborted(answer, signal);
  }

  #startTimeout(poll: AbortController): (() => void) | undefined {
    const { timeout } = this.#options;
    if (timeout === undefined) return undefined;
    return startTimer(timeout, () =>
      poll.abort(
        new ExternalError(
          "timeout",
          `Cannot poll '${this.source}' within ${timeout} ms: make the watch's 'timeout' longer, ` +
            "or the source faster",
          { source: this.source },
        ),
      ));
  }

  #pollSucceeded(events: Iterator<ExternalEvent<T>>, telemetry: PollTelemetry): void {
    const failures = this.#failures;
    const before = { failures, lastSuccess: this.#lastSuccess };
    this.#delivery = { events, telemetry, before, count: 0 };
    this.#phase = "delivering";
    this.#lastSuccess = Date.now();
    this.#failures = 0;
    this.#plan(waitAfterSuccess(this.#pace));
    if (failures > 0) {
      this.#log("info", `Polled '${this.source}' again after ${failures} failed polls in a row`);
    } else this.#log("debug", `Polled '${this.source}'`);
  }

  /** Forgets that a poll was good: else one that always breaks off would never be backed off from. */
  #takeBack({ before }: Delivery<T>): void {
    this.#failures = before.failures;
    this.#lastSuccess = before.lastSuccess;
  }

  #pollFailed(
    thrown: unknown,
    { telemetry, count }: Pick<Delivery<T>, "telemetry" | "count">,
    fatal: boolean,
  ): void {
    const error = toExternalError(thrown, this.source);
    const attempt = ++this.#failures;
    const wait = waitAfterFailure(attempt, error.retryAfter, this.#pace);
    this.#phase = "idle";
    this.#plan(wait);
    telemetry.end("failed", count, error);
    if (fatal) this.#fail(error);
    else this.#failed(error, { attempt, wait });
  }

  #failed(error: ExternalError, info: FailureInfo): void {
    this.#lastError = error;
    const { onError } = this.#options;
    const next = `attempt ${info.attempt}, next in ${Math.round(info.wait)} ms`;
    this.#log("warn", `${error.message} (${next})`);
    if (onError !== undefined) this.#callUser(() => onError(error, info));
  }

  #plan(wait: number): void {
    this.#wait = wait;
    this.#nextPoll = Date.now() + wait;
  }

  #log(level: keyof Logger, message: string): void {
    const { logger } = this.#options;
    if (logger !== undefined) this.#callUser(() => logger[level](message));
  }

  /** Runs a callback of the user. What it throws, or rejects with, ends the stream. */
  #callUser(callback: () => unknown): void {
    try {
      const result = callback();
      if (result instanceof Promise) result.catch((error) => this.#fail(error));
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Closes the stream: whoever reads it sees its end. */
  #finish(): void {
    if (this.#end(this.#closedError())) this.#controller.close();
  }

  #closedError(): DOMException {
    return new DOMException(`The watch of '${this.source}' was closed`, "AbortError");
  }

  /** Ends the stream with an error, untouched. */
  #fail(error: unknown): void {
    if (this.#end(error)) this.#controller.error(error);
  }

  /** Lets a generator run its `finally`. The state stays uncommitted. */
  #release({ events }: Delivery<T>): void {
    try {
      events.return?.();
    } catch (error) {
      this.#log("error", `Cannot end the poll of '${this.source}' cleanly: ${reasonOf(error)}`);
    }
  }

  /** Stops everything that is under way. Returns false if the watch had ended before. */
  #end(reason: unknown): boolean {
    if (this.#ended) return false;
    this.#phase = "closed";
    this.#nextPoll = undefined;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#stopObserving?.();
    watched.delete(this.#source);
    this.#checkpointer?.release();
    this.#rejectSynced(reason);
    this.#wakeUp?.();
    this.#poll?.abort(reason);
    const delivery = this.#delivery;
    this.#delivery = undefined;
    if (delivery !== undefined) {
      delivery.telemetry.end("cancelled", delivery.count);
      this.#release(delivery);
    }
    return true;
  }
}

/** State that cannot be trusted, or is not ours any more: going on would lose changes. */
function isFatal(thrown: unknown): boolean {
  return thrown instanceof ExternalError && thrown.code === "checkpoint";
}

function iteratorOf<T>(events: Iterable<T>): Iterator<T> {
  if (typeof events?.[Symbol.iterator] !== "function") {
    throw new TypeError("'poll' must resolve with an iterable of events");
  }
  return events[Symbol.iterator]();
}

function toExternalError(thrown: unknown, source: string): ExternalError {
  if (thrown instanceof ExternalError) return thrown;
  return new ExternalError("internal", `Cannot poll '${source}': ${reasonOf(thrown)}`, {
    source,
    cause: withoutSecrets(thrown),
  });
}
