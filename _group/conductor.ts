/**
 * Drives the machines of a group: polls what is due while somebody wants events, and lets the sources that have events
 * take turns. It has no stream: its caller decides who gets the events.
 */
import type { ExternalPart } from "../_diff/part.ts";
import type { ExternalEvent } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { Machine } from "../_watch/machine.ts";
import { Hands, retryWait } from "./hands.ts";
import type { Member } from "./member.ts";
import type { GroupSetting } from "./options.ts";
import { Ownership } from "./ownership.ts";
import { Planner } from "./planner.ts";
import { isSuspectAfter } from "./suspects.ts";
import { Teller } from "./teller.ts";
import { Turns } from "./turns.ts";

/** What a conductor reports. */
export interface Listener<T> {
  /** Called when there may be more events to take. */
  more(): void;
  /** Called when no event of this source may be handed out or handled any more. */
  lost(member: Member<T>, reason: unknown): void;
  /** Called when a callback of the user has thrown. Ends everything, and returns false if it had ended before. */
  broke(error: unknown): boolean;
}

export class Conductor<T> {
  readonly members: Map<string, Member<T>> = new Map();
  readonly ownership: Ownership<T>;
  readonly #setting: GroupSetting;
  readonly #listener: Listener<T>;
  readonly #planner: Planner<T>;
  readonly #turns: Turns<T> = new Turns();
  readonly #teller: Teller<T>;
  /** Set if events are handed to handlers, to be settled one by one. */
  #hands: Hands<T> | undefined;
  #closing = false;
  #ended = false;

  constructor(setting: GroupSetting, listener: Listener<T>) {
    this.#setting = setting;
    this.#listener = listener;
    this.ownership = new Ownership(setting.owner, this);
    this.#teller = new Teller(setting.onStatus, (error) => void listener.broke(error));
    this.#planner = new Planner(setting, (member) => this.#poll(member), {
      sources: () => this.members.size,
      deliveries: () => this.#turns.size,
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Whether closing is complete: nothing is left to be read or saved. */
  get isDrained(): boolean {
    if (!this.#closing) return false;
    for (const { state } of this.members.values()) {
      if (state === "polling" || state === "ready" || state === "handed" || state === "saving") {
        return false;
      }
    }
    return true;
  }

  // Coming and going

  /**
   * Begins to poll a source.
   *
   * @throws {TypeError} If the source is watched already, or the name of its checkpoint is in use.
   */
  start(member: Member<T>): void {
    const machine: Machine<T> = new Machine(
      member.source,
      member.options,
      (error) => machine.end(error),
      {
        broke: (error) => this.#listener.broke(error),
        claim: this.ownership.isShared,
        totals: this.#setting.totals,
        startTimer: this.#planner.startTimeout,
      },
    );
    const { schedule } = machine;
    schedule.jitterShare = () => this.#planner.jitterShare(member, schedule.pace);
    member.machine = machine;
    member.state = "planned";
    member.out = 0;
    if (this.#hands !== undefined) machine.handOut();
    this.#planner.planFirst(member, schedule.pace);
  }

  /** Stops polling a source at once: whatever is under way is aborted, and nothing is saved any more. */
  stop(member: Member<T>, state: "away" | "gone", reason: unknown): void {
    const { machine } = member;
    member.machine = undefined;
    member.state = state;
    this.#planner.drop(member);
    machine?.end(reason);
    this.#listener.lost(member, reason);
    // Other sources may be waiting for its place.
    this.#planner.begin();
    this.#listener.more();
  }

  /** Asks a source for what it withdraws instead of polling it. What is under way is broken off. */
  withdraw(member: Member<T>): void {
    const { machine, state } = member;
    machine?.interrupt();
    machine?.schedule.refresh();
    this.#planner.begun(member);
    // A poll or a save under way plans the next poll at its end, and so do handlers that are running.
    if (state === "polling" || state === "saving" || machine?.isDrained === false) return;
    this.#plan(member);
  }

  /** Polls a source, or a part of it, as soon as there is room for it. */
  refresh(member: Member<T>, part?: ExternalPart): void {
    const { schedule } = member.machine ?? {};
    schedule?.refresh(part);
    if (member.state !== "planned" || member.isParked) return;
    this.#planner.plan(member, part && schedule ? schedule.left : 0);
  }

  // Polling

  /** Whether somebody waits for events: polls begin only during that time. */
  set wanted(isWanted: boolean) {
    this.#planner.wanted = isWanted;
  }

  #poll(member: Member<T>): void {
    // A source that was stopped is tried again.
    if (member.state === "stopped") return this.ownership.review(member);
    const { machine, state } = member;
    if (machine === undefined || state !== "planned" && state !== "ready") return;
    if (!this.ownership.stillOwns(member)) return;
    // Other sources may have spent what was left of a shared budget.
    const isFree = state === "ready" || member.removal !== undefined;
    if (!isFree && !machine.schedule.isAffordable) return this.#plan(member);
    // No poll is due, only an item that was set aside.
    if (this.#hands !== undefined && (state === "ready" || leftOf(member, machine) > 0)) {
      return this.#queue(member);
    }
    const leave = this.#planner.enter(member);
    if (leave === undefined) return;
    member.state = "polling";
    const startedAt = performance.now();
    member.hasWithdrawn = member.removal !== undefined;
    machine.poll({ each: this.#hands !== undefined, withdraw: member.hasWithdrawn }).then(() => {
      leave();
      if (member.machine === machine) {
        const hasFailed = machine.health.failures > 0;
        member.isSuspect = isSuspectAfter(performance.now() - startedAt, hasFailed);
        this.#afterPoll(member, machine);
      }
      this.#planner.begin();
    });
  }

  #afterPoll(member: Member<T>, machine: Machine<T>): void {
    if (!machine.isDelivering) return this.#goOn(member, machine);
    // The group was closed during the save before the first event: the events found are not handed out any more.
    if (this.#closing && this.#hands !== undefined) return this.#hands.wrapUp(member, machine);
    this.#planner.found(member);
    this.#queue(member);
  }

  #queue(member: Member<T>): void {
    member.state = "ready";
    this.#turns.toEnd(member);
    this.#listener.more();
  }

  /** Plans the next poll after one that failed or was handled, or does what has to be done instead. */
  #goOn(member: Member<T>, machine: Machine<T>): void {
    if (machine.ended) return this.#stopped(member, machine);
    // A source that is being removed may have been interrupted: that is no outcome.
    if (member.removal === undefined) {
      this.#teller.ended(member, machine.health.failures > 0 ? "failed" : "good");
    }
    if (member.machine === machine) this.#plan(member);
  }

  #plan(member: Member<T>): void {
    const { machine } = member;
    if (machine === undefined) return;
    member.state = "planned";
    if (this.#closing) return this.#closed(member, machine);
    machine.health.phase = "waiting";
    this.#planner.plan(member, Math.min(leftOf(member, machine), retryWait(machine)));
  }

  // Handing over

  /** The source whose turn it is. It has a machine. */
  #next(): Member<T> | undefined {
    for (let member; (member = this.#turns.next()) !== undefined;) {
      if (!this.ownership.stillOwns(member)) continue;
      this.#planner.begun(member);
      return member;
    }
    return undefined;
  }

  /** The next event, of the source whose turn it is. */
  take(): { readonly member: Member<T>; readonly event: ExternalEvent<T> } | undefined {
    for (;;) {
      const member = this.#next();
      if (member === undefined) return undefined;
      const machine = member.machine as Machine<T>;
      const event = machine.next();
      // The code of the source has run, and may have changed the group.
      if (member.machine !== machine) continue;
      if (event !== undefined) {
        member.state = "handed";
        return { member, event };
      }
      this.#delivered(member, machine);
    }
  }

  /** Records that the last event of this source was handled. */
  handled(member: Member<T>): void {
    const { machine } = member;
    if (member.state !== "handed" || machine === undefined) return;
    const saving = machine.handled();
    if (saving === undefined) return this.#queue(member);
    member.state = "saving";
    saving.then(() => {
      if (member.machine !== machine) return;
      if (machine.isDelivering) this.#queue(member);
      else this.#delivered(member, machine);
    });
  }

  /** From now on the returned object hands out the events, and each is settled separately. */
  handOut(): Hands<T> {
    const hands = this.#hands = new Hands({
      next: () => this.#next(),
      queue: (member) => this.#queue(member),
      plan: (member, wait) => this.#planner.plan(member, wait),
      delivered: (member, machine) => this.#delivered(member, machine),
      wrappedUp: (member, machine) => {
        if (machine.ended) return this.#stopped(member, machine);
        member.state = "planned";
        this.#listener.more();
      },
    });
    for (const member of this.members.values()) {
      const { machine, state } = member;
      machine?.handOut();
      this.#planner.begun(member);
      // The events that had been found come again.
      if (state === "ready" || state === "handed") this.#plan(member);
    }
    return hands;
  }

  /** Called when all events of a poll were handled, or they broke off. */
  #delivered(member: Member<T>, machine: Machine<T>): void {
    const isGood = !machine.ended && machine.health.failures === 0;
    if (isGood) member.stops = 0;
    if (!isGood || !machine.saveIsDue) return this.#settled(member, machine, isGood);
    member.state = "saving";
    machine.saveIfDue().then(() => {
      if (member.machine === machine) this.#settled(member, machine, isGood);
    });
  }

  #settled(member: Member<T>, machine: Machine<T>, isGood: boolean): void {
    // All that it withdrew was handled.
    if (isGood && member.removal !== undefined && member.hasWithdrawn && !machine.health.aside) {
      return member.removal.resolve();
    }
    this.#goOn(member, machine);
  }

  // Stopping

  /** Called when an error has ended the machine of a source. The source stays in the group, for its status. */
  #stopped(member: Member<T>, machine: Machine<T>): void {
    member.machine = undefined;
    member.state = "stopped";
    member.stops++;
    const error = machine.health.lastError;
    let wait = Infinity;
    if (this.ownership.isShared && !this.#closing) {
      // Another process has claimed it. If it is still ours at the next attempt, it is claimed back.
      wait = machine.schedule.afterFailure(member.stops, undefined);
      this.#planner.plan(member, wait);
    }
    if (error !== undefined) this.#teller.failed(member, error, { attempt: member.stops, wait });
    this.#teller.ended(member, "stopped");
    member.removal?.reject(error);
    this.#listener.more();
  }

  /** Called when a source could not be started, since another watch of this process still uses it. */
  startLater(member: Member<T>, error: ExternalError, wait: number): void {
    member.state = "stopped";
    member.stops++;
    this.#planner.plan(member, wait);
    this.#teller.failed(member, error, { attempt: member.stops, wait });
  }

  // Ending

  /** Stops polling. Events already found can still be taken. */
  close(): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#planner.close();
    for (const member of this.members.values()) {
      const { machine } = member;
      machine?.stop();
      if (machine === undefined) continue;
      if (this.#hands !== undefined) this.#hands.close(member, machine);
      else if (member.state === "planned" && machine.saveIsDue) this.#saveOnce(member, machine);
    }
  }

  /** Tries a save that failed once more, after `close`. */
  #saveOnce(member: Member<T>, machine: Machine<T>): void {
    member.state = "saving";
    machine.saveIfDue().then(() => {
      if (member.machine !== machine) return;
      if (machine.ended) this.#stopped(member, machine);
      else this.#plan(member);
    });
  }

  /** Called after `close`, when a source is not to be polled any more. */
  #closed(member: Member<T>, machine: Machine<T>): void {
    if (this.#hands === undefined) this.#listener.more();
    else this.#hands.wrapUp(member, machine);
  }

  /** Ends everything that is under way. Returns false if the conductor had ended before. */
  end(reason: unknown): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#planner.end();
    for (const member of this.members.values()) {
      member.stopListening?.();
      member.machine?.end(reason);
      member.state = "gone";
      member.removal?.resolve();
    }
    return true;
  }
}

/** Milliseconds until its next poll. No budget puts off what it withdraws, as that takes no request. */
function leftOf<T>({ removal }: Member<T>, { schedule }: Machine<T>): number {
  return removal === undefined ? schedule.left : schedule.planned;
}
