/** Limits how many polls are under way at once: of all sources, of one host, and of suspects. */
import { Fifo } from "./fifo.ts";
import { pollsForSuspects } from "./suspects.ts";

/** A limit of polls under way, and the sources that wait for one of them to end. */
export class Lane<E> {
  readonly limit: number;
  underWay = 0;
  readonly parked: Fifo<E> = new Fifo();

  constructor(limit: number) {
    this.limit = limit;
  }

  get isFull(): boolean {
    return this.underWay >= this.limit;
  }
}

/** What the gate needs to know of a source. */
export interface Passenger {
  /** The host that it polls, if the source tells it. */
  readonly host: string | undefined;
  /** Whether its polls may hang: it has not shown yet that they end soon. */
  readonly isSuspect: boolean;
  /** Whether it is waiting at the gate. */
  isParked: boolean;
}

/**
 * Lets polls begin while there is room. A source for which there is none is parked, so that it does not block those
 * after it. As soon as there may be room, `putBack` is called with it, so that it asks again.
 */
export class Gate<E extends Passenger> {
  readonly #all: Lane<E>;
  readonly #suspects: Lane<E>;
  readonly #perHost: number;
  readonly #hosts: Map<string, Lane<E>> = new Map();
  readonly #putBack: (source: E) => void;

  constructor(polls: number, perHost: number, putBack: (source: E) => void) {
    this.#all = new Lane(polls);
    this.#suspects = new Lane(pollsForSuspects(polls));
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

  /** Lets a source in, and returns a function to call once when its poll has ended; or parks it. */
  enter(source: E): (() => void) | undefined {
    const lanes = this.#lanesOf(source);
    const full = lanes.find((lane) => lane.isFull);
    if (full !== undefined) {
      source.isParked = true;
      full.parked.push(source);
    } else for (const lane of lanes) lane.underWay++;
    // The source may have been put back for a lane that still has room for another one.
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

  /** To be called for a source that is not to be polled after all, or that will ask again later. */
  leave(source: E): void {
    source.isParked = false;
    for (const lane of this.#lanesOf(source)) this.#call(lane);
    this.#forget(source.host);
  }

  /** Puts back the next source of a lane that has room. */
  #call(lane: Lane<E>): void {
    while (!lane.isFull) {
      const next = lane.parked.shift();
      if (next === undefined) return;
      if (!next.isParked) continue; // It has left meanwhile.
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
