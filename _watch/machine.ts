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
import { type Failure, handlerFailure, pollFailure } from "./failure.ts";
import type { Failed } from "./handling.ts";
import { type EventSupply, type Handout, Handouts } from "./handouts.ts";
import { Health } from "./health.ts";
import { checkWatch, type WatchOptions } from "./options.ts";
import { Poll } from "./poll.ts";
import type { Pace } from "./pace.ts";
import { Reporter } from "./reporter.ts";
import { Resync } from "./resync.ts";
import { Schedule } from "./schedule.ts";
import type { WatchStatus } from "./status.ts";
import { countHandled, type PollOutcome, type PollTelemetry } from "./telemetry.ts";

/** While the state is saved, so many events may be settled before the next is handed out. */
const MOST_DURING_SAVE = 1_000;

const watched = new WeakSet<ExternalSource<unknown>>();

export class Machine<T> {
  readonly source: string;
  /** Settles once the first good poll was handled whole; rejects if the machine ends before. */
  readonly synced: Promise<void>;
  readonly health: Health;
  /** When the next poll is due. */
  readonly schedule: Schedule;

  readonly #source: ExternalSource<T>;
  readonly #pace: Pace;
  readonly #timeout: number | undefined;
  readonly #resync: Resync;
  readonly #reporter: Reporter;
  readonly #checkpointer: Checkpointer | undefined;
  readonly #fail: (error: unknown) => boolean;

  #poll: Poll<T> | undefined;
  #delivery: Delivery<T> | undefined;
  /** Where events are handed out to be handled side by side. */
  #handouts: Handouts<T> | undefined;
  readonly #supply: EventSupply<T> = {
    next: () => this.#delivery?.isExhausted === false ? this.next() : undefined,
    mayRetry: () => this.mayRetry,
    notAgain: (key, thrown) => {
      if (this.#handouts !== undefined) this.#setAside(this.#handouts, key, thrown);
    },
  };
  /** A save that goes on while events are handed out, and how many were settled since it began. */
  #saving: Promise<void> | undefined;
  #settledSince = 0;
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
    this.#pace = checkWatch(source, options);
    this.schedule = new Schedule(this.#pace);
    if (watched.has(source)) {
      throw new TypeError(
        `Cannot watch '${oneLine(source.name)}' as this source object is being watched already: ` +
          "end that watch first, or make a second source",
      );
    }
    const { timeout, checkpoint, resync, replay = false } = options;
    if (checkpoint !== undefined) this.#checkpointer = new Checkpointer(source, checkpoint);
    watched.add(source);
    this.source = source.name;
    this.health = new Health(source.name);
    this.#source = source;
    this.#timeout = timeout;
    this.#resync = new Resync(resync, replay);
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

  /** The next polls report all that is known once more, until one was handled whole. */
  resync(): void {
    this.#resync.ask();
    this.schedule.refresh();
  }

  /**
   * Polls once. Behind it `next` has the events, if there are any; or `take`, with `each`. Never rejects.
   *
   * @param options With `each`, the events are to be handed out side by side. Not before `mayPoll`.
   */
  async poll({ each }: { readonly each?: true } = {}): Promise<void> {
    if (each) this.handOut();
    if (this.#saving !== undefined) await this.#saving;
    if (this.ended || this.#stopped) return;
    this.health.pollBegins();
    this.schedule.clear();
    const resync = this.#resync.begin();
    const poll = this.#poll = new Poll(
      this.#source,
      (message) => this.#reporter.warned(message),
      {
        ...(each && this.#source.acknowledgement !== undefined && { each }),
        ...(resync !== undefined && { resync }),
      },
    );
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
    if (!fatal) this.#reporter.failed("poll", error, { attempt, wait });
    if (this.ended) return;
    this.#pollEnded("failed", telemetry, events, error);
    if (fatal) this.#failFor(error);
  }

  #pollEnded(
    outcome: Exclude<PollOutcome, "cancelled">,
    { duration, requests }: PollTelemetry,
    events: number,
    error?: ExternalError,
  ): void {
    this.#reporter.pollEnded(() => {
      const wait = Math.ceil(this.schedule.left);
      return { outcome, duration, requests, events, ...(error && { error }), wait };
    });
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
    delivery.isExhausted = true;
    if (this.#handouts === undefined) this.#handled(delivery);
    else this.#endIfHandled(this.#handouts);
    return undefined;
  }

  #handled({ telemetry, count, resync }: Delivery<T>): void {
    this.#delivery = undefined;
    const outcome = count > 0 ? "changed" : "unchanged";
    telemetry.end(outcome, count);
    this.#checkpointer?.delivered();
    this.#resync.delivered(resync);
    this.#resolveSynced();
    this.health.phase = "idle";
    this.#pollEnded(outcome, telemetry, count);
  }

  /** The events threw. The iterator is the source's code, which may have ended the watch before. */
  #brokeOff(delivery: Delivery<T>, thrown: unknown): void {
    if (this.ended) return;
    this.#takeBack(delivery, pollFailure(this.source, thrown));
  }

  /** Takes a good poll for a failed one after all. */
  #takeBack({ telemetry, count }: Delivery<T>, failure: Failure): void {
    this.#delivery = undefined;
    this.#handouts?.release();
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

  // Handing out side by side

  /** From now on events are handed out by `take`, and each is settled by itself. */
  handOut(): void {
    if (this.#handouts !== undefined) return;
    // Half of it was read by somebody else: it comes again.
    if (this.#delivery !== undefined) {
      this.#drop(this.#delivery);
      this.schedule.refresh();
    }
    this.#handouts = new Handouts(this.#source, this.#pace);
    this.health.aside = this.#handouts.aside.size;
  }

  /** Whether nothing that was handed out is still to be settled. */
  get isDrained(): boolean {
    return this.#handouts?.isDrained !== false;
  }

  /** Whether all events of the last poll were handed out, and handled or set aside. */
  get mayPoll(): boolean {
    return this.#delivery === undefined && this.isDrained;
  }

  /** When the next item that was set aside is due, by `performance.now`. Undefined if none is. */
  get retryAt(): number | undefined {
    const left = this.#handouts?.aside.left;
    return left === undefined ? undefined : performance.now() + left;
  }

  /**
   * What to hand out now: an item set aside whose time has come, or the next event of the last poll. Undefined if there is
   * nothing for now. Each that was taken is to be settled.
   */
  take(): Handout<T> | undefined {
    const handouts = this.#handouts;
    if (handouts === undefined || this.ended || this.#stopped || this.#poll !== undefined) {
      return undefined;
    }
    if (this.#saving !== undefined && this.#mustWait) return undefined;
    const delivery = this.#delivery;
    try {
      const handout = handouts.take(this.#supply);
      if (handout !== undefined && handout.attempt > 1) this.health.phase = "delivering";
      return this.ended ? undefined : handout;
    } catch (thrown) {
      // The source could not tell the key of an event.
      if (delivery !== undefined && delivery === this.#delivery) {
        this.#brokeOff(delivery, thrown);
        this.#release(delivery);
      }
      return undefined;
    }
  }

  /** Whether what is aside may come now: a poll that is due goes first, or what always fails could hold it up for good. */
  get mayRetry(): boolean {
    return this.#delivery !== undefined || this.schedule.left > 0;
  }

  /**
   * What was taken is out no more: it was handled, unless `failed` says otherwise.
   *
   * @returns What resolves once a save that this began is done: then there may be more to take.
   */
  settle(handout: Handout<T>, failed?: Failed): Promise<void> | undefined {
    const handouts = this.#handouts;
    if (handouts === undefined || this.ended) return undefined;
    handouts.settled(handout, failed !== undefined);
    countHandled(this.source, failed === undefined ? "handled" : "failed");
    try {
      if (!this.#acknowledge(handouts, handout, failed)) return undefined;
    } catch (thrown) {
      // What the source will report and save is anyone's guess.
      this.#failFor(pollFailure(this.source, thrown).error);
    }
    if (this.ended) return undefined;
    const saving = this.#saveHandled();
    this.#endIfHandled(handouts);
    return saving;
  }

  /** Returns false if a delivery has ended by it. */
  #acknowledge(handouts: Handouts<T>, handout: Handout<T>, failed: Failed | undefined): boolean {
    const { acknowledgement } = this.#source;
    const { key } = handout;
    if (acknowledgement === undefined || key === undefined) {
      if (failed === undefined) return true;
      this.#handedBack(handout, failed);
      return false;
    }
    if (failed !== undefined) {
      acknowledgement.setAside(key);
      this.#setAside(handouts, key, failed.thrown);
      return true;
    }
    acknowledgement.handled(key);
    if (handouts.aside.handled(key)) {
      this.health.aside = handouts.aside.size;
      if (handouts.aside.size === 0) this.#reporter.handledAll();
    }
    return true;
  }

  #setAside({ aside, isFull }: Handouts<T>, key: string, thrown: unknown): void {
    const info = aside.failed(key);
    const error = handlerFailure(this.source, key, info.attempt, thrown);
    this.health.lastError = error;
    this.health.aside = aside.size;
    this.#reporter.failed("handle", error, info);
    if (isFull || this.#handouts?.isFull !== true) return;
    this.#reporter.warned(
      `Holding back new events of '${this.source}' as ${aside.size} items were set aside: some must be handled first`,
    );
  }

  /** A plain source takes no single event back: all from the one that failed on comes again with the next poll. */
  #handedBack({ key, attempt }: Handout<T>, { thrown }: Failed): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    this.#takeBack(delivery, {
      error: handlerFailure(this.source, key, attempt, thrown),
      fatal: false,
    });
    this.#release(delivery);
  }

  #endIfHandled({ isDrained }: Handouts<T>): void {
    if (!isDrained) return;
    if (this.#delivery?.isExhausted) return this.#handled(this.#delivery);
    if (this.#delivery !== undefined) return;
    this.#checkpointer?.settled();
    this.health.phase = "idle";
  }

  /** Behind `stop`, once all that was out is settled: saves that. What was not handed out comes again some day. */
  async endHandling(): Promise<void> {
    const delivery = this.#delivery;
    if (delivery !== undefined) this.#drop(delivery);
    this.#checkpointer?.settled();
    await this.saveIfDue();
  }

  /** Gives up a delivery whose events are not to be handed over any more. */
  #drop(delivery: Delivery<T>): void {
    this.#delivery = undefined;
    this.#handouts?.release();
    delivery.telemetry.end("cancelled", delivery.count);
    this.#release(delivery);
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

  /** Whether a save that goes on must come to its end first: a crash should not repeat more and more. */
  get #mustWait(): boolean {
    // A plain source knows what was handled by what it is asked for: that must not change meanwhile.
    return this.#source.acknowledgement === undefined || this.#settledSince >= MOST_DURING_SAVE;
  }

  /** The same as `handled`, while events are handed out: that goes on while the state is saved. */
  #saveHandled(): Promise<void> | undefined {
    const checkpointer = this.#checkpointer;
    const delivery = this.#delivery;
    if (checkpointer === undefined) return undefined;
    checkpointer.handled();
    this.#settledSince++;
    if (this.#saving !== undefined || !checkpointer.stepIsDue) return undefined;
    this.#settledSince = 0;
    const save = this.#source.acknowledgement !== undefined
      ? this.#save(checkpointer)
      : delivery && this.#saveAhead(checkpointer, delivery);
    return this.#saving = save?.then((failure) => {
      this.#saving = undefined;
      this.#reportSave(checkpointer, failure);
    });
  }

  /** Saves what is due behind a delivery. */
  async saveIfDue(): Promise<void> {
    const checkpointer = this.#checkpointer;
    if (this.#saving !== undefined) await this.#saving;
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
    if (this.#fail(error)) this.#reporter.gaveUp(error.message);
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
