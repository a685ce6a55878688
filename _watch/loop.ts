/** The loop behind a watch: wait, poll, deliver, commit; and every way to end it. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Delivery } from "./delivery.ts";
import { type Failure, pollFailure } from "./failure.ts";
import { Health } from "./health.ts";
import { checkWatch, type WatchOptions } from "./options.ts";
import { Poll } from "./poll.ts";
import { Reporter } from "./reporter.ts";
import { Schedule } from "./schedule.ts";
import type { WatchStatus } from "./status.ts";
import type { PollTelemetry } from "./telemetry.ts";

const watched = new WeakSet<ExternalSource<unknown>>();

export class PollLoop<T> {
  readonly source: string;
  readonly synced: Promise<void>;

  readonly #source: ExternalSource<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #timeout: number | undefined;
  readonly #health: Health;
  readonly #schedule: Schedule;
  readonly #reporter: Reporter;
  readonly #checkpointer: Checkpointer | undefined;
  #controller!: ReadableStreamDefaultController<ExternalEvent<T>>;

  #poll: Poll<T> | undefined;
  #delivery: Delivery<T> | undefined;
  #closing = false;

  #resolveSynced!: () => void;
  #rejectSynced!: (reason: unknown) => void;

  constructor(source: ExternalSource<T>, options: WatchOptions) {
    this.#schedule = new Schedule(checkWatch(source, options));
    if (watched.has(source)) {
      throw new TypeError(
        `Cannot watch '${oneLine(source.name)}' as this source object is being watched already: ` +
          "end that watch first, or make a second source",
      );
    }
    const { signal, timeout, checkpoint } = options;
    if (checkpoint !== undefined) this.#checkpointer = new Checkpointer(source, checkpoint);
    watched.add(source);
    this.source = source.name;
    this.#health = new Health(source.name);
    this.#source = source;
    this.#signal = signal;
    this.#timeout = timeout;
    this.#reporter = new Reporter(source.name, options, (thrown) => this.#fail(thrown));
    this.synced = new Promise((resolve, reject) => {
      this.#resolveSynced = resolve;
      this.#rejectSynced = reject;
    });
    // Most users never look at it: its rejection must not end their process.
    this.synced.catch(() => {});
  }

  get status(): WatchStatus {
    return this.#health.status(this.#schedule.nextPoll, this.#checkpointer?.failures ?? 0);
  }

  get #ended(): boolean {
    return this.#health.ended;
  }

  start(controller: ReadableStreamDefaultController<ExternalEvent<T>>): void {
    this.#controller = controller;
    const signal = this.#signal;
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
    this.#schedule.refresh();
  }

  close(): void {
    if (this.#ended) return;
    this.#closing = true;
    this.#schedule.clear();
    // Events found are still to be read; the next pull after the last of them closes the stream.
    if (this.#delivery !== undefined) return;
    if (!this.#checkpointer?.isDue) return this.#finish();
    // A save under way closes the stream at its end. One that failed is tried once more first.
    this.#schedule.wakeUp();
    this.#poll?.abort(this.#closedError());
  }

  cancel(reason: unknown): void {
    this.#end(reason === undefined ? this.#closedError() : reason);
  }

  dispose(): Promise<void> {
    this.#finish();
    return Promise.resolve();
  }

  readonly #onAbort = (): void => void this.#fail(this.#signal?.reason);

  /** Polls until there is an event to deliver, or the watch ends. */
  async #advance(): Promise<void> {
    while (!this.#ended) {
      await this.#saveIfDue();
      if (this.#ended) return;
      if (this.#closing) return this.#finish();
      await this.#sleep();
      if (this.#ended) return;
      if (this.#closing) continue;
      await this.#pollOnce();
      if (this.#delivery !== undefined) await this.#beginDelivery(this.#delivery);
      if (this.#ended || this.#deliver()) return;
    }
  }

  // Polling

  /** Waits until the next poll is due. A refresh, a close, a cancel or an abort ends the wait. */
  async #sleep(): Promise<void> {
    if (this.#schedule.left === 0) return;
    this.#health.phase = "waiting";
    await this.#schedule.sleep();
  }

  async #pollOnce(): Promise<void> {
    this.#health.pollBegins();
    this.#schedule.clear();
    const poll = this.#poll = new Poll(this.#source);
    const result = await poll.run(this.#checkpointer, this.#timeout);
    this.#poll = undefined;
    // Closing: aborted to save the last state.
    if (this.#ended || this.#closing) {
      poll.telemetry.end("cancelled", 0);
      if (result instanceof Delivery) this.#release(result);
    } else if (result instanceof Delivery) this.#pollSucceeded(result);
    else this.#pollFailed(result, poll.telemetry, 0);
  }

  #pollSucceeded(delivery: Delivery<T>): void {
    this.#delivery = delivery;
    this.#health.pollSucceeded();
    this.#schedule.afterSuccess();
  }

  #pollFailed({ error, fatal }: Failure, telemetry: PollTelemetry, events: number): void {
    const attempt = this.#health.pollFailed(error);
    const wait = this.#schedule.afterFailure(attempt, error.retryAfter);
    telemetry.end("failed", events, error);
    if (fatal) this.#failFor(error);
    else this.#reporter.failed("poll", error, { attempt, wait });
  }

  // Delivering

  async #beginDelivery(delivery: Delivery<T>): Promise<void> {
    const checkpointer = this.#checkpointer;
    if (checkpointer !== undefined && !await this.#announce(checkpointer, delivery)) return;
    // Not sooner: a poll whose events cannot be announced has failed after all.
    this.#reporter.polled(this.#health.failuresBefore);
  }

  /** Hands over the next event of the last poll, if there is one; commits behind the last. */
  #deliver(): boolean {
    const delivery = this.#delivery;
    if (delivery === undefined) return false;
    let next: IteratorResult<ExternalEvent<T>>;
    try {
      next = delivery.next();
    } catch (thrown) {
      this.#brokeOff(delivery, thrown);
      return this.#ended;
    }
    if (this.#ended) return true;
    if (!next.done) {
      delivery.count++;
      this.#health.events++;
      this.#controller.enqueue(next.value);
      return true;
    }
    this.#delivery = undefined;
    this.#handled(delivery);
    return false;
  }

  #handled({ telemetry, count }: Delivery<T>): void {
    telemetry.end(count > 0 ? "changed" : "unchanged", count);
    this.#checkpointer?.delivered();
    this.#resolveSynced();
    this.#health.phase = "idle";
  }

  /** The events threw. The iterator is the source's code, which may have ended the watch before. */
  #brokeOff(delivery: Delivery<T>, thrown: unknown): void {
    if (this.#ended) return;
    this.#takeBack(delivery, pollFailure(this.source, thrown));
  }

  /** Takes a good poll for a failed one after all. */
  #takeBack({ telemetry, count }: Delivery<T>, failure: Failure): void {
    this.#delivery = undefined;
    this.#health.takeBack();
    this.#pollFailed(failure, telemetry, count);
  }

  /** Lets a generator run its `finally`. */
  #release(delivery: Delivery<T>): void {
    try {
      delivery.release();
    } catch (thrown) {
      this.#reporter.noted(
        `Cannot end the poll of '${this.source}' cleanly: ${reasonOf(thrown)}`,
      );
    }
  }

  // Saving

  /**
   * Saves the state before the first event of a poll is handed over: it says what is going to be reported.
   * Without that, an object reported as new just before a crash, and gone before the next start, would never
   * be reported as removed. So a poll whose events cannot be announced has failed: then it returns false.
   */
  async #announce(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<boolean> {
    const failure = await this.#saveAhead(checkpointer, delivery);
    if (this.#ended || this.#delivery !== delivery) return false;
    if (failure !== undefined) {
      this.#takeBack(delivery, failure);
      this.#release(delivery);
      return false;
    }
    checkpointer.announced();
    return true;
  }

  /** Saves how far a delivery has come, and goes on with it. */
  async #saveStep(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<void> {
    this.#reportSave(checkpointer, await this.#saveAhead(checkpointer, delivery));
    if (!this.#ended && !this.#deliver()) await this.#advance();
  }

  async #saveIfDue(): Promise<void> {
    const checkpointer = this.#checkpointer;
    if (checkpointer?.isDue) this.#reportSave(checkpointer, await this.#save(checkpointer));
  }

  /** Saves the state with the next event asked for: that tells the source that the one before was handled. */
  async #saveAhead(
    checkpointer: Checkpointer,
    delivery: Delivery<T>,
  ): Promise<Failure | undefined> {
    try {
      // Behind the last event all is saved anyway.
      if (!delivery.lookAhead() || this.#ended) return undefined;
    } catch (thrown) {
      this.#brokeOff(delivery, thrown);
      return undefined;
    }
    return await this.#save(checkpointer);
  }

  async #save(checkpointer: Checkpointer): Promise<Failure | undefined> {
    const { failures } = checkpointer;
    const failure = await checkpointer.save();
    if (failure === undefined) this.#reporter.saved(failures);
    return failure;
  }

  /** Reports a save that failed behind handled events. It is tried again behind the next ones. */
  #reportSave(checkpointer: Checkpointer, failure: Failure | undefined): void {
    if (failure === undefined || this.#ended) return;
    const { error, fatal } = failure;
    if (fatal) return this.#failFor(error);
    this.#health.lastError = error;
    const wait = Math.ceil(this.#schedule.left);
    this.#reporter.failed("save", error, { attempt: checkpointer.failures, wait });
  }

  // Ending

  /** Closes the stream: whoever reads it sees its end. */
  #finish(): void {
    if (this.#end(this.#closedError())) this.#controller.close();
  }

  #closedError(): DOMException {
    return new DOMException(`The watch of '${oneLine(this.source)}' was closed`, "AbortError");
  }

  /** Ends the stream with an error that is no failure of a user's callback, and says so. */
  #failFor(error: ExternalError): void {
    this.#health.lastError = error;
    if (this.#fail(error)) this.#reporter.ended(error.message);
  }

  /** Ends the stream with an error, untouched. Returns false if the watch had ended before. */
  #fail(error: unknown): boolean {
    const ends = this.#end(error);
    if (ends) this.#controller.error(error);
    return ends;
  }

  /** Stops everything that is under way. Returns false if the watch had ended before. */
  #end(reason: unknown): boolean {
    if (this.#ended) return false;
    this.#health.end();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    watched.delete(this.#source);
    this.#checkpointer?.release();
    this.#rejectSynced(reason);
    this.#schedule.clear();
    this.#schedule.wakeUp();
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
