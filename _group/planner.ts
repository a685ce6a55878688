/** Decides when polls begin: when they are due, there is room for them, and somebody waits for events. */
import type { StartTimer } from "../_bounds/timer.ts";
import type { Pace } from "../_watch/waits.ts";
import { Gate } from "./poll_limits.ts";
import type { Member } from "./member.ts";
import { shareTowards, waitFor } from "./phase.ts";
import { GroupTelemetry } from "./telemetry.ts";
import { Timetable } from "./timetable.ts";

/** What a planner works with. */
export interface PlannerSetting {
  readonly name: string;
  readonly polls: number;
  readonly pollsPerHost: number;
}

export class Planner<T> {
  readonly #polls: number;
  readonly #timetable: Timetable<Member<T>>;
  readonly #gate: Gate<Member<T>>;
  readonly #telemetry: GroupTelemetry;
  readonly #onDue: (member: Member<T>) => void;
  /** How many polls have events that wait for their first turn. */
  #fresh = 0;
  /** How many sources wait for their first poll. */
  #newcomers = 0;
  #isWanted = false;
  #ended = false;

  /**
   * @param onDue Called with a source that is due. It must call `enter` before it polls.
   * @param counts Further counts for the metrics.
   */
  constructor(
    { name, polls, pollsPerHost }: PlannerSetting,
    onDue: (member: Member<T>) => void,
    counts: { readonly sources: () => number; readonly deliveries: () => number },
  ) {
    this.#polls = polls;
    this.#onDue = onDue;
    this.#timetable = new Timetable(() => this.begin());
    this.#gate = new Gate(polls, pollsPerHost, (member) => this.#timetable.putBack(member));
    this.#telemetry = new GroupTelemetry(name, { ...counts, polls: () => this.#gate.underWay });
  }

  /** Whether somebody waits for events. */
  set wanted(isWanted: boolean) {
    this.#isWanted = isWanted;
    if (isWanted) this.begin();
  }

  /**
   * Begins the polls that are due, while there is room. To be called whenever more may be due or there may be more
   * room.
   */
  begin(): void {
    if (!this.#isWanted || this.#ended) return;
    while (!this.#gate.isFull && this.#gate.underWay + this.#fresh < this.#polls) {
      const member = this.#timetable.takeDue();
      if (member === undefined) return this.#timetable.sleep();
      this.#onDue(member);
    }
    // No timer is needed: the end of a poll, or the first turn of its events, makes room.
    this.#timetable.wake();
  }

  /**
   * Plans the first poll. If no other source waits for its first poll, it is due at once. Sources that come together
   * are spread over the interval.
   */
  planFirst(member: Member<T>, { interval, jitter }: Pace): void {
    const isAlone = this.#newcomers++ === 0;
    member.isNew = true;
    const { now } = this.#timetable;
    this.plan(member, isAlone ? 0 : waitFor(member.phase, now, interval, jitter));
  }

  /** Plans a poll in `wait` milliseconds. */
  plan(member: Member<T>, wait: number): void {
    if (member.isParked) this.#gate.leave(member);
    this.#timetable.plan(member, wait);
    this.begin();
  }

  /** Ends a request after its timeout, by the timer of all sources. */
  readonly startTimeout: StartTimer = (ms, end) => this.#timetable.startTimeout(ms, end);

  /** The share of the jitter that leads a source to its phase. */
  jitterShare(member: Member<T>, { interval, jitter }: Pace): number {
    return shareTowards(member.phase, this.#timetable.now, interval, jitter);
  }

  /**
   * Lets a poll begin. Returns a function to call at its end; undefined if there is no room, and the poll is due again
   * once there is.
   */
  enter(member: Member<T>): (() => void) | undefined {
    const leave = this.#gate.enter(member);
    if (leave === undefined) return undefined;
    this.#noLongerNew(member);
    this.#telemetry.begun(Math.max(this.#timetable.now - member.due, 0));
    return leave;
  }

  /** To be called when a poll has found events, which wait for their first turn. */
  found(member: Member<T>): void {
    member.isFresh = true;
    this.#fresh++;
  }

  /** To be called when its events have had their first turn, or are gone. */
  begun(member: Member<T>): void {
    if (member.isFresh) this.#fresh--;
    member.isFresh = false;
  }

  /** Removes all plans for a source. */
  drop(member: Member<T>): void {
    this.#timetable.delete(member);
    this.#noLongerNew(member);
    this.begun(member);
    this.#gate.leave(member);
  }

  #noLongerNew(member: Member<T>): void {
    if (member.isNew) this.#newcomers--;
    member.isNew = false;
  }

  /** Begins no more polls. */
  close(): void {
    this.#ended = true;
    this.#timetable.wake();
  }

  end(): void {
    this.close();
    this.#telemetry.end();
  }
}
