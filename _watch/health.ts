/** The health of a watch: its phase, its counts, its last success and failure. */
import type { ExternalError } from "../_errors/external_error.ts";
import type { Schedule } from "./whole_and_parts.ts";
import type { WatchPhase, WatchStatus } from "./status.ts";
import { observe, type Observed } from "./telemetry.ts";

/** The values from before the poll whose events are being delivered. They are put back if the events break off. */
interface Before {
  failures: number;
  partFailures: number;
  lastSuccess: number | undefined;
}

export class Health implements Observed {
  readonly source: string;
  readonly totals: boolean;
  phase: WatchPhase = "idle";
  /** Why the last poll or save failed, or the stream ended. */
  lastError: ExternalError | undefined;
  /** Events handed over. */
  events = 0;
  /** How many items are set aside; undefined without handlers. */
  aside: number | undefined;
  readonly #schedule: Schedule;
  #polls = 0;
  #failures = 0;
  /** Failed polls of parts in a row. */
  #partFailures = 0;
  #recovered = 0;
  #lastSuccess: number | undefined;
  readonly #before: Before = { failures: 0, partFailures: 0, lastSuccess: undefined };
  #startedAt = 0;
  #stopObserving: (() => void) | undefined;

  /** @param totals Whether metrics leave out the name of the source: then the gauges do not report this watch. */
  constructor(source: string, schedule: Schedule, totals = false) {
    this.source = source;
    this.#schedule = schedule;
    this.totals = totals;
  }

  get putOff(): number | undefined {
    return this.#schedule.putOff;
  }

  /** Failed polls in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Polls that failed in a row before the good one whose events are being delivered. */
  get failuresBefore(): number {
    return this.#recovered;
  }

  get healthyAt(): number {
    return this.#lastSuccess ?? this.#startedAt;
  }

  get ended(): boolean {
    return this.phase === "closed";
  }

  status(failedSaves: number): WatchStatus {
    const { phase, events, aside, lastError, putOff } = this;
    const { nextPoll, rate } = this.#schedule;
    const requestsPerDay = rate.perDay(nextPoll);
    const lastSuccess = this.#lastSuccess;
    return {
      phase,
      polls: this.#polls,
      events,
      failures: this.#failures,
      ...(failedSaves > 0 && { failedSaves }),
      ...(aside !== undefined && aside > 0 && { aside }),
      ...(lastSuccess !== undefined && { lastSuccess }),
      ...(lastError !== undefined && { lastError }),
      ...(nextPoll !== undefined && { nextPoll }),
      ...(rate.total > 0 && { requests: rate.total }),
      ...(rate.total > 0 && requestsPerDay !== undefined && { requestsPerDay }),
      ...(putOff !== undefined && putOff > 0 && { putOff }),
    };
  }

  pollBegins(): void {
    // Here and not in the constructor: otherwise the gauges would keep a watch in memory that nobody reads.
    if (this.#stopObserving === undefined) {
      this.#startedAt = Date.now();
      this.#stopObserving = this.totals ? () => {} : observe(this);
    }
    this.phase = "polling";
    this.#polls++;
  }

  /** A good poll of a part changes neither the failures of polls of everything nor the time of the last success. */
  pollSucceeded(isPart: boolean): void {
    this.phase = "delivering";
    this.#before.failures = this.#failures;
    this.#before.partFailures = this.#partFailures;
    this.#before.lastSuccess = this.#lastSuccess;
    this.#recovered = isPart ? this.#partFailures : this.#failures;
    this.#partFailures = 0;
    if (isPart) return;
    this.#lastSuccess = Date.now();
    this.#failures = 0;
  }

  /** Undoes `pollSucceeded`. Otherwise there would be no growing back-off if the events of every poll break off. */
  takeBack(): void {
    this.#failures = this.#before.failures;
    this.#partFailures = this.#before.partFailures;
    this.#lastSuccess = this.#before.lastSuccess;
  }

  /** Returns how many polls of this kind, of everything or of parts, have failed in a row now. */
  pollFailed(error: ExternalError, isPart: boolean): number {
    this.phase = "idle";
    this.lastError = error;
    return isPart ? ++this.#partFailures : ++this.#failures;
  }

  end(): void {
    this.phase = "closed";
    this.#stopObserving?.();
  }
}
