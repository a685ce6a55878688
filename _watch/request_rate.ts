/** Counts the requests of a watch, and estimates how many a day that is. */

const MINUTE = 60_000;
const DAY = 86_400_000;
/** How many of the last minutes of polls of parts, and how many of the last polls of everything, give the rate. */
const MINUTES = 60;
const POLLS = 4;

export class RequestRate {
  /** Requests so far. */
  total = 0;
  /** When the last polls of everything began. Numbers alone: an object for each poll would outlive it. */
  readonly #beganAt: number[] = [];
  /** The requests of each of those. */
  readonly #requests: number[] = [];
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
    if (this.#beganAt.length === POLLS) {
      this.#beganAt.shift();
      this.#requests.shift();
    }
    this.#beganAt.push(now);
    this.#requests.push(0);
  }

  /** The poll under way made one more request. */
  add(): void {
    this.total++;
    if (!this.#isPart) {
      const last = this.#requests.length - 1;
      if (last >= 0) this.#requests[last] = (this.#requests[last] ?? 0) + 1;
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
    const requests = next === undefined ? this.#requests.slice(0, -1) : this.#requests;
    const from = this.#beganAt[0];
    const to = next ?? this.#beganAt.at(-1);
    if (from === undefined || to === undefined || to <= from) return undefined;
    const all = requests.reduce((sum, count) => sum + count, 0) / (to - from);
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
