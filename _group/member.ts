/** One source of a group: what it is doing, and the machine that polls it while this process owns it. */
import type { ExternalSource } from "../_diff/source.ts";
import type { Machine } from "../_watch/machine.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import type { Passenger } from "./poll_limits.ts";
import type { Placed } from "./heap.ts";

/**
 * What a source is doing: `away` while this process does not poll it, `planned` until its next poll is due and there is
 * room for it, `polling`, `ready` with events that wait for their turn, `handed` while the consumer has an event,
 * `saving`, `stopped` by an error that ended its machine, and `gone` from the group.
 */
export type MemberState =
  | "away"
  | "planned"
  | "polling"
  | "ready"
  | "handed"
  | "saving"
  | "stopped"
  | "gone";

/** How the last poll ended. */
export type MemberOutcome = "good" | "failed" | "stopped";

/** How a source is being removed. */
export interface Removal {
  forget: boolean;
  /** Settles when the events that it withdraws were handled, or can never be handled. */
  readonly settled: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Settles when the source has left the group, and its state was deleted, if it is to be. */
  done: Promise<void>;
}

const NEVER_POLLED: WatchStatus = { phase: "idle", polls: 0, events: 0, failures: 0 };

export class Member<T> implements Placed, Passenger {
  // Its place in the timetable.
  due = 0;
  slot = -1;
  // What the gate needs to know.
  readonly host: string | undefined;
  isParked = false;
  /** True until its first good poll, and after one that failed or took long, until the next good and fast one. */
  isSuspect = true;

  readonly source: ExternalSource<T>;
  readonly options: WatchOptions;
  readonly phase: number;
  state: MemberState = "away";
  /** Whether it is in the row of sources that wait for their turn. */
  isInRow = false;
  /** Whether its poll has found events, and none of them was handed over yet. */
  isFresh = false;
  /** Whether it has not been polled yet since it was added, or since this process got it. */
  isNew = false;
  outcome: MemberOutcome | undefined;
  /** How many times in a row an error has stopped it while this process owned it. */
  stops = 0;
  removal: Removal | undefined;
  /** How many of its events are with handlers. */
  out = 0;
  /** Whether what was handled is saved, or being saved, after `close`. */
  isWrappedUp = false;
  /** Whether the last poll asked the source for what it withdraws. */
  hasWithdrawn = false;
  stopListening: (() => void) | undefined;
  #machine: Machine<T> | undefined;
  /** The last machine, for its status. */
  #shown: Machine<T> | undefined;

  constructor(source: ExternalSource<T>, options: WatchOptions, phase: number) {
    this.source = source;
    this.options = options;
    this.phase = phase;
    const { host } = source;
    this.host = typeof host === "string" ? host : undefined;
  }

  get name(): string {
    return this.source.name;
  }

  /** The machine that polls it; undefined while none does. */
  get machine(): Machine<T> | undefined {
    return this.#machine;
  }

  set machine(machine: Machine<T> | undefined) {
    this.#machine = machine;
    if (machine !== undefined) this.#shown = machine;
  }

  get status(): WatchStatus {
    const status = this.#shown?.status ?? NEVER_POLLED;
    // The machine ended when the source was lost, but the source may come back.
    return this.state === "away" ? { ...status, phase: "idle" } : { ...status };
  }
}
