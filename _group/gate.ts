/** How many polls may be under way at once: of all, of one host, and of those that may hang. */
import { Queue } from "./queue.ts";

/** A number of polls that may be under way at once, and who waits for one of them to end. */
export class Lane<E> {
  readonly limit: number;
  underWay = 0;
  readonly parked: Queue<E> = new Queue();

  constructor(limit: number) {
    this.limit = limit;
  }

  get isFull(): boolean {
    return this.underWay >= this.limit;
  }
}

/** What the gate needs to know of a source. */
export interface Passenger {
  /** What it asks, if it says so. */
  readonly host: string | undefined;
  /** Whether it has yet to show that its polls end soon. */
  readonly isSuspect: boolean;
  /** Whether it is waiting at the gate. */
  isParked: boolean;
}

/**
 * A source for which there is no room is parked, so that it is not in the way of those behind it. As soon as there may be
 * room for it, `putBack` is called with it, to be asked for again.
 */
export class Gate<E extends Passenger> {
  readonly #all: Lane<E>;
  readonly #suspects: Lane<E>;
  readonly #perHost: number;
  readonly #hosts: Map<string, Lane<E>> = new Map();
  readonly #putBack: (source: E) => void;

  constructor(polls: number, perHost: number, putBack: (source: E) => void) {
    this.#all = new Lane(polls);
    // Half of the polls are for sources that are known to answer: those that hang are not in their way.
    this.#suspects = new Lane(Math.ceil(polls / 2));
    this.#perHost = perHost;
    this.#putBack = putBack;
  }

  /** Polls under way. */
  get underWay(): number {
    return this.#all.underWay;
  }

  get isFull(): boolean {
    return this.#all.isFull;
  }

  /** Lets a source in, and returns what is to be called once when its poll has ended; or parks it. */
  enter(source: E): (() => void) | undefined {
    const lanes = this.#lanesOf(source);
    const full = lanes.find((lane) => lane.isFull);
    if (full !== undefined) {
      source.isParked = true;
      full.parked.push(source);
    } else for (const lane of lanes) lane.underWay++;
    // It may have been called for a lane that has room for another still.
    for (const lane of lanes) this.#call(lane);
    if (full !== undefined) return undefined;
    this.#all.underWay++;
    return () => {
      this.#all.underWay--;
      for (const lane of lanes) {
        lane.underWay--;
        this.#call(lane);
      }
      this.#forget(source.host);
    };
  }

  /** To be called for a source that is not to be polled after all, or not before it asks again. */
  leave(source: E): void {
    source.isParked = false;
    for (const lane of this.#lanesOf(source)) this.#call(lane);
    this.#forget(source.host);
  }

  /** Calls the next of a lane that has room. */
  #call(lane: Lane<E>): void {
    while (!lane.isFull) {
      const next = lane.parked.shift();
      if (next === undefined) return;
      if (!next.isParked) continue; // It left.
      next.isParked = false;
      this.#putBack(next);
      return;
    }
  }

  #lanesOf({ host, isSuspect }: E): Lane<E>[] {
    const lanes: Lane<E>[] = [];
    if (isSuspect) lanes.push(this.#suspects);
    if (host !== undefined) lanes.push(this.#laneOf(host));
    return lanes;
  }

  #laneOf(host: string): Lane<E> {
    const lane = this.#hosts.get(host) ?? new Lane(this.#perHost);
    this.#hosts.set(host, lane);
    return lane;
  }

  #forget(host: string | undefined): void {
    if (host === undefined) return;
    const lane = this.#hosts.get(host);
    if (lane?.underWay === 0 && lane.parked.size === 0) this.#hosts.delete(host);
  }
}
