/** What the rules W1 to W8 say a watch does, as a model that knows nothing but the rules. */

/** How the source answers the poll under way. */
export type Answer =
  | { readonly kind: "good" }
  | { readonly kind: "breaks off" }
  | { readonly kind: "fails"; readonly retryAfter: number | undefined };

export interface Pace {
  readonly interval: number;
  readonly maxBackoff: number;
  readonly jitter: number;
  readonly timeout: number | undefined;
}

/** What the rules say a watch does. */
export class Model {
  alive = true;
  reading = false;
  polling = false;
  /** Whether the source is answering a call, be it for the poll under way or for one given up. */
  busy = false;
  awaited = false;
  pollBegan = 0;
  /** Events of the last good poll that are still to be delivered. */
  queue: number | undefined;
  breaksOff = false;
  closing = false;
  refresh = false;
  failures = 0;
  failuresBefore = 0;
  polls = 0;
  calls = 0;
  events = 0;
  commits = 0;
  /** The wait that the rules name, before jitter, set when a poll has ended; checked, then cleared. */
  wait: { readonly least: number; readonly most: number } | undefined;
  due: number | undefined;
  readonly pace: Pace;

  constructor(pace: Pace) {
    this.pace = pace;
  }

  get phase(): string {
    if (!this.alive) return "closed";
    if (this.polling) return "polling";
    if (this.queue !== undefined) return "delivering";
    return this.reading ? "waiting" : "idle";
  }

  /** When something will happen by itself. */
  get nextTime(): number {
    if (!this.alive) return Infinity;
    if (this.polling) return this.pollBegan + (this.pace.timeout ?? Infinity);
    return this.reading ? this.due ?? Infinity : Infinity;
  }

  failed(retryAfter?: number): void {
    const { interval, maxBackoff, jitter } = this.pace;
    this.polling = false;
    this.failures++;
    const asked = retryAfter !== undefined && retryAfter > 0 ? retryAfter : 0;
    const least = Math.min(Math.max(interval * 2 ** this.failures, asked), maxBackoff);
    this.wait = { least, most: Math.min(least * (1 + jitter), maxBackoff) };
  }

  answered(answer: Answer, changes: number): void {
    this.busy = false;
    if (!this.awaited) {
      // One that was given up on: now the poll that waited for it can ask.
      if (this.polling) this.ask();
      return;
    }
    this.awaited = false;
    if (answer.kind === "fails") return this.failed(answer.retryAfter);
    this.polling = false;
    this.breaksOff = answer.kind === "breaks off";
    this.queue = this.breaksOff ? changes >> 1 : changes;
    this.failuresBefore = this.failures;
    this.failures = 0;
    const { interval, jitter } = this.pace;
    this.wait = { least: interval, most: interval * (1 + jitter) };
  }

  /** Does what is to be done now. Returns true if it must be called again, once the wait is known. */
  run(now: number): boolean {
    if (!this.alive || !this.reading || this.polling) return false;
    if (this.queue !== undefined) {
      if (this.queue > 0) {
        this.queue--;
        this.events++;
        this.reading = false;
        return false;
      }
      this.queue = undefined;
      if (this.breaksOff) {
        this.failures = this.failuresBefore;
        this.failed();
      } else this.commits++;
      return true;
    }
    if (this.closing) {
      this.end();
      return false;
    }
    if (this.due === undefined || this.refresh || now >= this.due) {
      this.polling = true;
      this.polls++;
      this.pollBegan = now;
      this.refresh = false;
      this.due = undefined;
      if (!this.busy) this.ask();
    }
    return false;
  }

  ask(): void {
    this.calls++;
    this.busy = true;
    this.awaited = true;
  }

  close(): void {
    if (this.queue === undefined) this.end();
    else this.closing = true;
  }

  end(): void {
    this.alive = false;
    this.reading = false;
    this.polling = false;
    this.awaited = false;
    this.queue = undefined;
    this.due = undefined;
  }
}
