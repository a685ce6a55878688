/** Counts the requests of a watch, and estimates how many a day that is. */

const MINUTE = 60_000;
const DAY = 86_400_000;
/** How many of the last minutes of polls of parts, and how many of the last polls of everything, give the rate. */
const MINUTES = 60;
const POLLS = 4;

export class RequestRate {
  /** Requests so far. */
  total = 0;
  /** The last polls of everything: when each began, and its requests. */
  readonly #polls: { readonly at: number; requests: number }[] = [];
  /** Requests of polls of parts, by minute. */
  readonly #minutes: { readonly minute: number; requests: number }[] = [];
  #startedAt: number | undefined;
  #isPart = false;

  /** A poll begins. */
  begin(isPart: boolean): void {
    const now = Date.now();
    this.#startedAt ??= now;
    this.#isPart = isPart;
    if (isPart) return;
    this.#polls.push({ at: now, requests: 0 });
    if (this.#polls.length > POLLS) this.#polls.shift();
  }

  /** The poll under way made one more request. */
  add(): void {
    this.total++;
    if (!this.#isPart) {
      const poll = this.#polls.at(-1);
      if (poll !== undefined) poll.requests++;
      return;
    }
    const minute = Math.floor(Date.now() / MINUTE);
    if (this.#minutes.at(-1)?.minute !== minute) this.#minutes.push({ minute, requests: 0 });
    if (this.#minutes.length > MINUTES) this.#minutes.shift();
    const last = this.#minutes.at(-1);
    if (last !== undefined) last.requests++;
  }

  /**
   * Requests a day: those of the last polls of everything, at the rate at which these came, and those for parts in the
   * last hour.
   *
   * @param next When the next poll of everything is due. Undefined while one is under way.
   * @returns Undefined until enough polls were made to tell how often they come.
   */
  perDay(next: number | undefined): number | undefined {
    const now = Date.now();
    const polls = next === undefined ? this.#polls.slice(0, -1) : this.#polls;
    const from = polls[0]?.at;
    const to = next ?? this.#polls.at(-1)?.at;
    if (from === undefined || to === undefined || to <= from) return undefined;
    const all = polls.reduce((sum, { requests }) => sum + requests, 0) / (to - from);
    return Math.round((all + this.#partsRate(now)) * DAY);
  }

  #partsRate(now: number): number {
    const since = Math.max(this.#startedAt ?? now, now - MINUTES * MINUTE);
    const first = Math.floor(since / MINUTE);
    let requests = 0;
    for (const slot of this.#minutes) if (slot.minute >= first) requests += slot.requests;
    return requests === 0 ? 0 : requests / Math.max(now - since, MINUTE);
  }
}
