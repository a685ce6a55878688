/**
 * The machine of one source: polls it when told to, hands over its events one by one, and saves its state. It has no
 * timer and no stream: the watch or the group that drives it decides when to poll, and who gets the events.
 */
import type { StartTimer } from "../_bounds/timer.ts";
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Deliveries, Delivery, type DeliveryHost } from "./delivery.ts";
import { closedError, type Failure } from "./failure.ts";
import type { Failed } from "./handler_pool.ts";
import type { Handout } from "./handouts.ts";
import { Health } from "./health.ts";
import { KnownAgain } from "./known_again.ts";
import { checkWatch, type WatchOptions } from "./options.ts";
import { Poll } from "./poll.ts";
import type { Pace } from "./waits.ts";
import { Reporter } from "./reporter.ts";
import { Saver } from "./saver.ts";
import { Schedule } from "./whole_and_parts.ts";
import type { MachineSetting, PollRequest } from "./setting.ts";
import { HandlerResults } from "./handler_results.ts";
import { checkFree, takeSource } from "./one_watch_per_source.ts";
import type { WatchStatus } from "./status.ts";
import type { PollOutcome, PollTelemetry } from "./telemetry.ts";

export class Machine<T> implements DeliveryHost<T> {
  readonly source: string;
  /** Resolves once all events of the first good poll were handled; rejects if the machine ends before. */
  readonly synced: Promise<void>;
  readonly health: Health;
  /** When the next poll is due. */
  readonly schedule: Schedule;
  readonly reporter: Reporter;
  readonly saver: Saver | undefined;

  readonly #source: ExternalSource<T>;
  readonly #pace: Pace;
  readonly #timeout: number | undefined;
  readonly #knownAgain: KnownAgain;
  readonly #deliveries: Deliveries<T>;
  readonly #fail: (error: unknown) => boolean;
  readonly #startTimer: StartTimer | undefined;

  #poll: Poll<T> | undefined;
  /** Whether `poll` is under way, including the save of what it found. */
  #polling = false;
  /** Set if the events go to handlers that run side by side. */
  #results: HandlerResults<T> | undefined;
  #stopped = false;
  #interrupted: Poll<T> | undefined;
  readonly #giveBack: () => void;

  readonly #synced = Promise.withResolvers<void>();

  /**
   * Takes the source, and its name in the checkpoint store, until `end`.
   *
   * @param fail Called with an error that ends the machine. It must call `end`, and return what that returns.
   */
  constructor(
    source: ExternalSource<T>,
    options: WatchOptions,
    fail: (error: unknown) => boolean,
    { broke = fail, claim = false, totals = false, startTimer }: MachineSetting = {},
  ) {
    this.#pace = checkWatch(source, options);
    this.schedule = new Schedule(this.#pace, source, options);
    checkFree(source);
    const { timeout, checkpoint, resync, replay = false } = options;
    const checkpointer = checkpoint && new Checkpointer(source, checkpoint, claim);
    this.#giveBack = takeSource(source);
    this.source = source.name;
    this.health = new Health(source.name, this.schedule, totals);
    this.#source = source;
    this.#timeout = timeout;
    this.#knownAgain = new KnownAgain(resync, replay);
    this.#fail = fail;
    this.#startTimer = startTimer;
    const reporter = this.reporter = new Reporter(source.name, options, broke);
    const { health, schedule } = this;
    const giveUp = (error: ExternalError) => this.#failFor(error);
    this.saver = checkpointer && new Saver(checkpointer, { reporter, health, schedule, giveUp });
    this.#deliveries = new Deliveries(this);
    this.synced = this.#synced.promise;
    // Most users never look at it: its rejection must not end their process.
    this.synced.catch(() => {});
  }

  get status(): WatchStatus {
    return this.health.status(this.saver?.checkpointer.failures ?? 0);
  }

  get ended(): boolean {
    return this.health.ended;
  }

  /** Whether the events of a poll are being handed over. */
  get isDelivering(): boolean {
    return this.#deliveries.current !== undefined;
  }

  /** Whether there is something to save after a delivery. */
  get saveIsDue(): boolean {
    return this.saver?.checkpointer.isDue === true;
  }

  // Polling

  /** The next polls report every known item once more, until one was handled completely. */
  resync(): void {
    this.#knownAgain.ask();
    this.schedule.refresh();
  }

  /** Polls once. After that, `next` returns its events; with `each`, `take` does. Never rejects. */
  async poll({ each, withdraw = false }: PollRequest = {}): Promise<void> {
    if (each) this.handOut();
    if (this.saver?.isUnderWay) await this.saver.saveIfDue();
    if (this.ended || this.#stopped) return;
    this.health.pollBegins();
    const errand = this.schedule.begin(withdraw);
    this.#polling = true;
    const resync = this.schedule.isPart ? undefined : this.#knownAgain.begin();
    const poll = this.#poll = new Poll(this.#source, (message) => this.reporter.warned(message), {
      errand,
      each: each === true && this.#source.acknowledgement !== undefined,
      resync,
      withdraw,
      totals: this.health.totals,
      startTimer: this.#startTimer,
    });
    const result = await poll.run(this.saver?.checkpointer, this.#timeout);
    this.#poll = undefined;
    if (this.ended || this.#stopped || this.#interrupted === poll) {
      poll.telemetry.end("cancelled", 0);
      if (result instanceof Delivery) this.#deliveries.release(result);
    } else if (result instanceof Delivery) {
      this.health.pollSucceeded(this.schedule.isPart);
      this.schedule.afterSuccess();
      await this.#deliveries.begin(result);
    } else this.#pollFailed(result, poll.telemetry, 0);
    this.#polling = false;
  }

  #pollFailed({ error, fatal }: Failure, telemetry: PollTelemetry, events: number): void {
    const attempt = this.health.pollFailed(error, this.schedule.isPart);
    const wait = this.schedule.afterFailure(attempt, error.retryAfter);
    telemetry.end("failed", events, error);
    if (!fatal) this.reporter.failed("poll", error, { attempt, wait });
    if (this.ended) return;
    this.#pollEnded("failed", telemetry, events, error);
    if (fatal) this.#failFor(error);
  }

  #pollEnded(
    outcome: Exclude<PollOutcome, "cancelled">,
    { duration, requests, part }: PollTelemetry,
    events: number,
    error?: ExternalError,
  ): void {
    this.reporter.pollEnded(() => {
      const wait = Math.ceil(this.schedule.left);
      const more = { ...(part && { part }), ...(error && { error }) };
      return { outcome, duration, requests, events, wait, ...more };
    });
  }

  // Delivering

  /**
   * The next event of the last poll. Undefined if there is none, if the events broke off, or if the machine has ended.
   * Asking for it tells the source that the one before was handled. Synchronous: this is the hot path.
   */
  next(): ExternalEvent<T> | undefined {
    return this.#deliveries.next();
  }

  /**
   * To be called before `next`: the event before was handled. Saves how far the delivery has come, if it is time to;
   * then `next` must wait for the promise.
   */
  handled(): Promise<void> | undefined {
    return this.#deliveries.handled();
  }

  /** To be called by its deliveries, when one was committed. */
  committed({ telemetry, count, outcome, resync }: Delivery<T>): void {
    this.#knownAgain.delivered(resync);
    if (!this.schedule.isPart) this.#synced.resolve();
    this.health.phase = "idle";
    this.#pollEnded(outcome, telemetry, count);
  }

  /** To be called by its deliveries, when a good poll has failed after all. */
  failed({ telemetry, count }: Delivery<T>, failure: Failure): void {
    this.#pollFailed(failure, telemetry, count);
  }

  /** Saves the state, if that is due after a delivery. */
  saveIfDue(): Promise<void> {
    return this.saver?.saveIfDue() ?? Promise.resolve();
  }

  // Handing out side by side

  /** From now on events are handed out by `take`, and each is settled separately. */
  handOut(): void {
    if (this.#results !== undefined) return;
    // A reader may have read a part of this delivery: all of it comes again.
    if (this.isDelivering) {
      this.#deliveries.drop();
      this.schedule.refresh();
    }
    this.#results = this.#deliveries.settling = new HandlerResults({
      source: this.#source,
      pace: this.#pace,
      health: this.health,
      schedule: this.schedule,
      reporter: this.reporter,
      saver: this.saver,
      deliveries: this.#deliveries,
      giveUp: (error) => this.#failFor(error),
    });
  }

  /** Whether everything that was handed out is settled. */
  get isDrained(): boolean {
    return this.#results?.isDrained !== false;
  }

  /** Whether all events of the last poll were handed out, and handled or set aside. */
  get mayPoll(): boolean {
    return !this.isDelivering && this.isDrained;
  }

  /** When the next item that was set aside is due, by `performance.now`. Undefined if none is, or a poll goes first. */
  get retryAt(): number | undefined {
    const left = this.#results?.retryLeft;
    return left === undefined ? undefined : performance.now() + left;
  }

  /** What to hand out now: an item that was set aside and is due, or the next event. Each must be settled. */
  take(): Handout<T> | undefined {
    return this.ended || this.#stopped || this.#polling ? undefined : this.#results?.take();
  }

  /**
   * Records that an event from `take` was handled, or that it `failed`. If this begins a save, returns a promise of its
   * end: then there may be more to take.
   */
  settle(handout: Handout<T>, failed?: Failed): Promise<void> | undefined {
    return this.ended ? undefined : this.#results?.settle(handout, failed);
  }

  /** To be called after `stop`, once all handlers have ended: saves the state. The other events come in a later run. */
  async endHandling(): Promise<void> {
    this.#deliveries.drop();
    this.saver?.checkpointer.settled();
    await this.saveIfDue();
  }

  // Ending

  /** Stops polling: a poll under way is aborted, and its events are not handed over. */
  stop(): void {
    this.#stopped = true;
    this.schedule.clear();
    this.#poll?.abort(closedError(this.source));
  }

  /** Breaks off the poll or the delivery under way. The next poll finds the same changes. */
  interrupt(): void {
    this.#interrupted = this.#poll;
    this.#poll?.abort(closedError(this.source));
    this.#deliveries.drop();
    this.health.phase = "idle";
  }

  /** Ends the machine with an error that no callback of the user threw, and logs it. */
  #failFor(error: ExternalError): void {
    this.health.lastError = error;
    if (this.#fail(error)) this.reporter.gaveUp(error.message);
  }

  /** Stops everything that is under way, for good. Returns false if the machine had ended before. */
  end(reason: unknown): boolean {
    if (this.ended) return false;
    this.health.end();
    this.#giveBack();
    this.saver?.checkpointer.release();
    this.#synced.reject(reason);
    this.schedule.clear();
    this.#poll?.abort(reason);
    this.#deliveries.drop();
    return true;
  }
}
