/**
 * The machine of one source: polls it when told to, hands over its events one by one, and saves its state. It has no
 * timer and no stream: when to poll, and whom the events go to, is for whoever drives it.
 */
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

export class Machine<T> {
  readonly source: string;
  /** Settles once the first good poll was handled whole; rejects if the machine ends before. */
  readonly synced: Promise<void>;
  readonly health: Health;
  /** When the next poll is due. */
  readonly schedule: Schedule;

  readonly #source: ExternalSource<T>;
  readonly #timeout: number | undefined;
  readonly #reporter: Reporter;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #fail: (error: unknown) => boolean;

  #poll: Poll<T> | undefined;
  #delivery: Delivery<T> | undefined;
  #stopped = false;

  #resolveSynced!: () => void;
  #rejectSynced!: (reason: unknown) => void;

  /**
   * Takes the source, and its name in the checkpoint store, until `end`.
   *
   * @param fail Is called with an error that nothing can be done about. It must call `end`, and return what that does.
   */
  constructor(
    source: ExternalSource<T>,
    options: WatchOptions,
    fail: (error: unknown) => boolean,
  ) {
    this.schedule = new Schedule(checkWatch(source, options));
    if (watched.has(source)) {
      throw new TypeError(
        `Cannot watch '${oneLine(source.name)}' as this source object is being watched already: ` +
          "end that watch first, or make a second source",
      );
    }
    const { timeout, checkpoint } = options;
    if (checkpoint !== undefined) this.#checkpointer = new Checkpointer(source, checkpoint);
    watched.add(source);
    this.source = source.name;
    this.health = new Health(source.name);
    this.#source = source;
    this.#timeout = timeout;
    this.#fail = fail;
    this.#reporter = new Reporter(source.name, options, fail);
    this.synced = new Promise((resolve, reject) => {
      this.#resolveSynced = resolve;
      this.#rejectSynced = reject;
    });
    // Most users never look at it: its rejection must not end their process.
    this.synced.catch(() => {});
  }

  get status(): WatchStatus {
    return this.health.status(this.schedule.nextPoll, this.#checkpointer?.failures ?? 0);
  }

  get ended(): boolean {
    return this.health.ended;
  }

  /** Whether the events of a poll are being handed over. */
  get isDelivering(): boolean {
    return this.#delivery !== undefined;
  }

  /** Whether there is something to save behind a delivery. */
  get saveIsDue(): boolean {
    return this.#checkpointer?.isDue === true;
  }

  // Polling

  /** Polls once. Behind it `next` has the events, if there are any. Never rejects. */
  async poll(): Promise<void> {
    this.health.pollBegins();
    this.schedule.clear();
    const poll = this.#poll = new Poll(this.#source, (message) => this.#reporter.warned(message));
    const result = await poll.run(this.#checkpointer, this.#timeout);
    this.#poll = undefined;
    if (this.ended || this.#stopped) {
      poll.telemetry.end("cancelled", 0);
      if (result instanceof Delivery) this.#release(result);
    } else if (result instanceof Delivery) {
      this.#pollSucceeded(result);
      await this.#beginDelivery(result);
    } else this.#pollFailed(result, poll.telemetry, 0);
  }

  #pollSucceeded(delivery: Delivery<T>): void {
    this.#delivery = delivery;
    this.health.pollSucceeded();
    this.schedule.afterSuccess();
  }

  #pollFailed({ error, fatal }: Failure, telemetry: PollTelemetry, events: number): void {
    const attempt = this.health.pollFailed(error);
    const wait = this.schedule.afterFailure(attempt, error.retryAfter);
    telemetry.end("failed", events, error);
    if (fatal) this.#failFor(error);
    else this.#reporter.failed("poll", error, { attempt, wait });
  }

  // Delivering

  async #beginDelivery(delivery: Delivery<T>): Promise<void> {
    const checkpointer = this.#checkpointer;
    if (checkpointer !== undefined && !await this.#announce(checkpointer, delivery)) return;
    // Not sooner: a poll whose events cannot be announced has failed after all.
    this.#reporter.polled(this.health.failuresBefore);
  }

  /**
   * The next event of the last poll; commits behind the last. Undefined if there is none, or they broke off, or the
   * machine has ended. Asking for it says that the one before was handled. Synchronous: this is the hot path.
   */
  next(): ExternalEvent<T> | undefined {
    const delivery = this.#delivery;
    if (delivery === undefined) return undefined;
    let next: IteratorResult<ExternalEvent<T>>;
    try {
      next = delivery.next();
    } catch (thrown) {
      this.#brokeOff(delivery, thrown);
      return undefined;
    }
    if (this.ended) return undefined;
    if (!next.done) {
      delivery.count++;
      this.health.events++;
      return next.value;
    }
    this.#delivery = undefined;
    this.#handled(delivery);
    return undefined;
  }

  #handled({ telemetry, count }: Delivery<T>): void {
    telemetry.end(count > 0 ? "changed" : "unchanged", count);
    this.#checkpointer?.delivered();
    this.#resolveSynced();
    this.health.phase = "idle";
  }

  /** The events threw. The iterator is the source's code, which may have ended the watch before. */
  #brokeOff(delivery: Delivery<T>, thrown: unknown): void {
    if (this.ended) return;
    this.#takeBack(delivery, pollFailure(this.source, thrown));
  }

  /** Takes a good poll for a failed one after all. */
  #takeBack({ telemetry, count }: Delivery<T>, failure: Failure): void {
    this.#delivery = undefined;
    this.health.takeBack();
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
   * To be called before `next`: says that the event before was handled. Saves how far the delivery has come, if it is
   * time to; then `next` waits for the promise.
   */
  handled(): Promise<void> | undefined {
    const checkpointer = this.#checkpointer;
    const delivery = this.#delivery;
    if (checkpointer === undefined || delivery === undefined) return undefined;
    checkpointer.handled();
    return checkpointer.stepIsDue ? this.#saveStep(checkpointer, delivery) : undefined;
  }

  /**
   * Saves the state before the first event of a poll is handed over: it says what is going to be reported.
   * Without that, an object reported as new just before a crash, and gone before the next start, would never
   * be reported as removed. So a poll whose events cannot be announced has failed: then it returns false.
   */
  async #announce(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<boolean> {
    const failure = await this.#saveAhead(checkpointer, delivery);
    if (this.ended || this.#delivery !== delivery) return false;
    if (failure !== undefined) {
      this.#takeBack(delivery, failure);
      this.#release(delivery);
      return false;
    }
    checkpointer.announced();
    return true;
  }

  async #saveStep(checkpointer: Checkpointer, delivery: Delivery<T>): Promise<void> {
    this.#reportSave(checkpointer, await this.#saveAhead(checkpointer, delivery));
  }

  /** Saves what is due behind a delivery. */
  async saveIfDue(): Promise<void> {
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
      if (!delivery.lookAhead() || this.ended) return undefined;
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
    if (failure === undefined || this.ended) return;
    const { error, fatal } = failure;
    if (fatal) return this.#failFor(error);
    this.health.lastError = error;
    const wait = Math.ceil(this.schedule.left);
    this.#reporter.failed("save", error, { attempt: checkpointer.failures, wait });
  }

  // Ending

  /** Polls no more: a poll under way is aborted, and its events are not handed over. */
  stop(): void {
    this.#stopped = true;
    this.schedule.clear();
    this.#poll?.abort(this.closedError());
  }

  closedError(): DOMException {
    return new DOMException(`The watch of '${oneLine(this.source)}' was closed`, "AbortError");
  }

  /** Ends with an error that is no failure of a user's callback, and says so. */
  #failFor(error: ExternalError): void {
    this.health.lastError = error;
    if (this.#fail(error)) this.#reporter.ended(error.message);
  }

  /** Stops everything that is under way, for good. Returns false if it had ended before. */
  end(reason: unknown): boolean {
    if (this.ended) return false;
    this.health.end();
    watched.delete(this.#source);
    this.#checkpointer?.release();
    this.#rejectSynced(reason);
    this.schedule.clear();
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
