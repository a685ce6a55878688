/** One source of a group: what it is doing, and the machine that polls it while it is this process's own. */
import type { ExternalSource } from "../_diff/source.ts";
import type { Machine } from "../_watch/machine.ts";
import type { WatchOptions } from "../_watch/options.ts";
import type { WatchStatus } from "../_watch/status.ts";
import type { Passenger } from "./gate.ts";
import type { Placed } from "./heap.ts";

/**
 * What a source is doing: `away` while it is not polled here, `planned` until its next poll is due and there is room for it,
 * `polling`, `ready` with events that wait for their turn, `handed` with an event at the consumer, `saving`, `stopped` by an
 * error that nothing can be done about, and `gone` from the group.
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

/** Why and how a source is taken out. */
export interface Removal {
  forget: boolean;
  /** Settles when what it withdraws was handled, or never will be. */
  readonly settled: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Settles when the source is out of the group, and forgotten if it is to be. */
  done: Promise<void>;
}

const NEVER_POLLED: WatchStatus = { phase: "idle", polls: 0, events: 0, failures: 0 };

export class Member<T> implements Placed, Passenger {
  // Its place in the timetable.
  due = 0;
  place = -1;
  order = 0;
  // What the gate needs to know.
  readonly host: string | undefined;
  isParked = false;
  /** Until its first good poll, and from one that failed or took long to the next that did not. */
  isSuspect = true;

  readonly source: ExternalSource<T>;
  readonly options: WatchOptions;
  readonly phase: number;
  state: MemberState = "away";
  /** Whether it stands in the row of those that wait for their turn. */
  isInRow = false;
  /** Whether its poll has events of which none was handed over yet. */
  isFresh = false;
  /** Whether it has not been polled since it was added or gained. */
  isNew = false;
  outcome: MemberOutcome | undefined;
  /** How often in a row it was stopped by an error while it was this process's own. */
  stops = 0;
  removal: Removal | undefined;
  /** Handlers that have an event of it. */
  out = 0;
  /** Whether what was handled of it is saved, or being saved, behind `close`. */
  isWrappedUp = false;
  /** Whether the last poll asked for what it withdraws. */
  hasWithdrawn = false;
  stopListening: (() => void) | undefined;
  #machine: Machine<T> | undefined;
  /** The last machine, of which there is a status to show. */
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

  /** What polls it; undefined while nothing does. */
  get machine(): Machine<T> | undefined {
    return this.#machine;
  }

  set machine(machine: Machine<T> | undefined) {
    this.#machine = machine;
    if (machine !== undefined) this.#shown = machine;
  }

  get status(): WatchStatus {
    const status = this.#shown?.status ?? NEVER_POLLED;
    // Its machine has ended with the loss of the source, which may come back.
    return this.state === "away" ? { ...status, phase: "idle" } : { ...status };
  }
}
