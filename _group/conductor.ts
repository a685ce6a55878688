/**
 * What drives the machines of a group: polls what is due while somebody wants events, and lets the sources that have some take turns.
 * It has no stream: whom the events go to is for whoever asks for them.
 */
import type { ExternalEvent } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { pollFailure } from "../_watch/failure.ts";
import type { Failed } from "../_watch/handling.ts";
import type { Handout } from "../_watch/handouts.ts";
import { Machine } from "../_watch/machine.ts";
import { Gate } from "./gate.ts";
import type { Member } from "./member.ts";
import type { GroupEvent, GroupSetting } from "./options.ts";
import { shareTowards, waitFor } from "./phase.ts";
import { Queue } from "./queue.ts";
import { GroupTelemetry } from "./telemetry.ts";
import { Timetable } from "./timetable.ts";

/** A poll that takes longer makes its source a suspect, in milliseconds. */
const SLOW = 1_000;

/** An event of a group that was handed to a handler. */
export interface GroupHandout<T> {
  readonly event: GroupEvent<T>;
  readonly attempt: number;
  readonly member: Member<T>;
  readonly machine: Machine<T>;
  readonly handout: Handout<T>;
}

/** What a conductor tells. */
export interface Listener<T> {
  /** There may be more to take. */
  more(): void;
  /** Nothing of this source is to be handed out or handled any more. */
  lost(member: Member<T>, reason: unknown): void;
  /** A callback of the user has thrown. Ends everything, and returns false if it had ended before. */
  broke(error: unknown): boolean;
}

export class Conductor<T> {
  readonly members: Map<string, Member<T>> = new Map();
  readonly #setting: GroupSetting;
  readonly #listener: Listener<T>;
  readonly #timetable: Timetable<Member<T>> = new Timetable(() => this.#begin());
  readonly #gate: Gate<Member<T>>;
  readonly #row: Queue<Member<T>> = new Queue();
  readonly #telemetry: GroupTelemetry;
  /** Polls whose events wait for their first turn. */
  #fresh = 0;
  /** Sources that wait for their first poll. */
  #newcomers = 0;
  /** Whether somebody waits for events. No poll begins otherwise. */
  #isWanted = false;
  /** Whether events are handed to handlers, to be settled one by one. */
  #handsOut = false;
  #closing = false;
  #ended = false;

  constructor(setting: GroupSetting, listener: Listener<T>) {
    this.#setting = setting;
    this.#listener = listener;
    const { polls, pollsPerHost, name } = setting;
    this.#gate = new Gate(polls, pollsPerHost, (member) => this.#timetable.putBack(member));
    this.#telemetry = new GroupTelemetry(name, {
      sources: () => this.members.size,
      polls: () => this.#gate.underWay,
      deliveries: () => this.#row.size,
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  get closing(): boolean {
    return this.#closing;
  }

  /** Whether closing has come to its end: nothing is left to be read or saved. */
  get isDrained(): boolean {
    if (!this.#closing) return false;
    for (const { state } of this.members.values()) {
      if (state === "polling" || state === "ready" || state === "handed" || state === "saving") {
        return false;
      }
    }
    return true;
  }

  owns(member: Member<T>): boolean {
    return this.#setting.owner?.owns(member.name) ?? true;
  }

  // Coming and going

  /**
   * Begins to poll a source.
   *
   * @throws {TypeError} If it cannot be: it is watched already, or its checkpoint's name is taken.
   */
  start(member: Member<T>): void {
    const { owner, totals } = this.#setting;
    const machine: Machine<T> = new Machine(
      member.source,
      member.options,
      (error) => machine.end(error),
      {
        broke: (error) => this.#listener.broke(error),
        claim: owner !== undefined,
        totals,
      },
    );
    const { schedule } = machine;
    schedule.jitterShare = () => {
      const { interval, jitter } = schedule.pace;
      return shareTowards(member.phase, this.#timetable.now, interval, jitter);
    };
    member.machine = machine;
    member.state = "planned";
    member.out = 0;
    if (this.#handsOut) machine.handOut();
    // One alone need not wait. Those that come together are spread over the interval.
    const { interval, jitter } = schedule.pace;
    const wait = this.#newcomers === 0
      ? 0
      : waitFor(member.phase, this.#timetable.now, interval, jitter);
    member.isNew = true;
    this.#newcomers++;
    this.#timetable.plan(member, wait);
    this.#begin();
  }

  /** Polls a source no more, here and now: whatever is under way is aborted, and nothing is saved any more. */
  stop(member: Member<T>, state: "away" | "gone", reason: unknown): void {
    const { machine } = member;
    member.machine = undefined;
    member.state = state;
    this.#timetable.delete(member);
    this.#noLongerNew(member);
    this.#noLongerFresh(member);
    machine?.end(reason);
    this.#gate.leave(member);
    this.#listener.lost(member, reason);
    // It may have held what others wait for.
    this.#begin();
    this.#listener.more();
  }

  /** Asks for what a source withdraws, instead of polling it: what is under way is broken off. */
  withdraw(member: Member<T>): void {
    const { machine, state } = member;
    machine?.interrupt();
    machine?.schedule.refresh();
    this.#noLongerFresh(member);
    // A poll or a save under way plans the next poll at its end, and so do the handlers that have something of it.
    if (state === "polling" || state === "saving" || machine?.isDrained === false) return;
    this.#plan(member);
  }

  /** Polls a source as soon as there is room for it. */
  refresh(member: Member<T>): void {
    member.machine?.schedule.refresh();
    if (member.state !== "planned" || member.isParked) return;
    this.#timetable.plan(member, 0);
    this.#begin();
  }

  // Polling

  /** Somebody waits for events, or does so no more: polls begin only in between. */
  set wanted(isWanted: boolean) {
    this.#isWanted = isWanted;
    if (isWanted) this.#begin();
  }

  /** Begins what is due, as far as there is room. */
  #begin(): void {
    if (!this.#isWanted || this.#closing || this.#ended) return;
    while (this.#hasRoom) {
      const member = this.#timetable.takeDue();
      if (member === undefined) return this.#timetable.sleep();
      this.#poll(member);
    }
    // The end of a poll, or the first turn of its events, makes room.
    this.#timetable.wake();
  }

  get #hasRoom(): boolean {
    const { polls } = this.#setting;
    return !this.#gate.isFull && this.#gate.underWay + this.#fresh < polls;
  }

  #poll(member: Member<T>): void {
    // One that was stopped, and comes back.
    if (member.state === "stopped") return this.review(member);
    const { machine, state } = member;
    if (machine === undefined || state !== "planned" && state !== "ready") return;
    if (!this.owns(member)) return this.review(member);
    // It is only time for an item that was set aside.
    if (this.#handsOut && (member.state === "ready" || machine.schedule.left > 0)) {
      return this.#queue(member);
    }
    const leave = this.#gate.enter(member);
    if (leave === undefined) return;
    this.#noLongerNew(member);
    member.state = "polling";
    this.#telemetry.begun(Math.max(this.#timetable.now - member.due, 0));
    const startedAt = performance.now();
    member.hasWithdrawn = member.removal !== undefined;
    machine.poll({ each: this.#handsOut, withdraw: member.hasWithdrawn }).then(() => {
      leave();
      if (member.machine === machine) {
        const isSlow = performance.now() - startedAt > SLOW;
        member.isSuspect = isSlow || machine.health.failures > 0;
        this.#afterPoll(member, machine);
      }
      this.#begin();
    });
  }

  #afterPoll(member: Member<T>, machine: Machine<T>): void {
    if (!machine.isDelivering) return this.#goOn(member, machine);
    member.isFresh = true;
    this.#fresh++;
    this.#queue(member);
  }

  #queue(member: Member<T>): void {
    member.state = "ready";
    if (!member.isInRow) {
      member.isInRow = true;
      this.#row.push(member);
    }
    this.#listener.more();
  }

  /** Plans the next poll, behind one that has failed or whose events were all handled; or what comes instead. */
  #goOn(member: Member<T>, machine: Machine<T>): void {
    if (machine.ended) return this.#stopped(member, machine);
    // One that is being removed may have been interrupted: that is no outcome.
    if (member.removal === undefined) {
      this.#tellOutcome(member, machine.health.failures > 0 ? "failed" : "good");
    }
    if (member.machine === machine) this.#plan(member);
  }

  #plan(member: Member<T>): void {
    const { machine } = member;
    if (machine === undefined) return;
    member.state = "planned";
    if (this.#closing) return this.#wrapUp(member, machine);
    if (member.isParked) this.#gate.leave(member);
    machine.health.phase = "waiting";
    this.#timetable.plan(member, Math.min(machine.schedule.left, retryWait(machine)));
    this.#begin();
  }

  #noLongerNew(member: Member<T>): void {
    if (member.isNew) this.#newcomers--;
    member.isNew = false;
  }

  #noLongerFresh(member: Member<T>): void {
    if (member.isFresh) this.#fresh--;
    member.isFresh = false;
  }

  // Handing over

  /** The source whose turn it is. Its machine is there. */
  #nextInRow(): Member<T> | undefined {
    for (;;) {
      const member = this.#row.shift();
      if (member === undefined) return undefined;
      member.isInRow = false;
      if (member.state !== "ready" || member.machine === undefined) continue;
      if (this.owns(member)) {
        this.#noLongerFresh(member);
        return member;
      }
      this.review(member);
    }
  }

  /** The next event, of the source whose turn it is. */
  take(): { readonly member: Member<T>; readonly event: ExternalEvent<T> } | undefined {
    for (;;) {
      const member = this.#nextInRow();
      if (member === undefined) return undefined;
      const machine = member.machine as Machine<T>;
      const event = machine.next();
      // Its source's own code has run: whatever it did to the group counts.
      if (member.machine !== machine) continue;
      if (event !== undefined) {
        member.state = "handed";
        return { member, event };
      }
      this.#delivered(member, machine);
    }
  }

  /** The event handed over last of this source was handled. */
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

  // Handing out side by side

  /** From now on events are handed out by `takeHandout`, and each is settled by itself. */
  handOut(): void {
    this.#handsOut = true;
    for (const member of this.members.values()) {
      const { machine, state } = member;
      machine?.handOut();
      this.#noLongerFresh(member);
      // What had been found comes again.
      if (state === "ready" || state === "handed") this.#plan(member);
    }
  }

  /** What to hand out now, of the source whose turn it is. */
  takeHandout(): GroupHandout<T> | undefined {
    for (;;) {
      const member = this.#nextInRow();
      if (member === undefined) return undefined;
      const machine = member.machine as Machine<T>;
      const handout = machine.take();
      if (member.machine !== machine) continue;
      if (handout === undefined) {
        this.#look(member, machine);
        continue;
      }
      member.out++;
      this.#queue(member);
      const event = { ...handout.event, source: member.name };
      return { event, attempt: handout.attempt, member, machine, handout };
    }
  }

  /** A handler has ended. */
  settle({ member, machine, handout }: GroupHandout<T>, failed: Failed | undefined): void {
    if (member.machine !== machine) return;
    member.out--;
    machine.settle(handout, failed)?.then(() => {
      if (member.machine === machine && member.state === "ready") this.#queue(member);
    });
    if (member.machine !== machine) return;
    if (this.#closing) return this.#wrapUp(member, machine);
    if (member.state === "ready") this.#queue(member);
  }

  /** There is nothing to hand out of a source for now. */
  #look(member: Member<T>, machine: Machine<T>): void {
    if (machine.ended || machine.mayPoll) return this.#delivered(member, machine);
    // The rest of its events are out. What was set aside may come again meanwhile.
    const wait = machine.mayRetry ? retryWait(machine) : Infinity;
    if (wait < Infinity) this.#timetable.plan(member, wait);
  }

  /** Behind `close`: saves what was handled, once all that was out of a source is settled. */
  #wrapUp(member: Member<T>, machine: Machine<T>): void {
    if (!this.#handsOut) return this.#listener.more();
    if (member.out > 0 || member.isWrappedUp) return;
    member.isWrappedUp = true;
    member.state = "saving";
    machine.endHandling().then(() => {
      if (member.machine !== machine) return;
      if (machine.ended) return this.#stopped(member, machine);
      member.state = "planned";
      this.#listener.more();
    });
  }

  /** All events of a poll were handled, or they broke off. */
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
    // What it withdrew was handled.
    if (isGood && member.removal !== undefined && member.hasWithdrawn && !machine.health.aside) {
      return member.removal.resolve();
    }
    this.#goOn(member, machine);
  }

  // Stopping

  /** An error that nothing can be done about has stopped a source. It stays in the group, for its status. */
  #stopped(member: Member<T>, machine: Machine<T>): void {
    member.machine = undefined;
    member.state = "stopped";
    member.stops++;
    const error = machine.health.lastError;
    let wait = Infinity;
    if (this.#setting.owner !== undefined && !this.#closing) {
      // Somebody else has claimed it. If it is still ours by then, it is claimed back.
      wait = machine.schedule.afterFailure(member.stops, undefined);
      this.#timetable.plan(member, wait);
    }
    this.report(member, error, { attempt: member.stops, wait });
    this.#tellOutcome(member, "stopped");
    member.removal?.reject(error);
    this.#listener.more();
  }

  report(
    { options }: Member<T>,
    error: ExternalError | undefined,
    info: { attempt: number; wait: number },
  ): void {
    if (error === undefined) return;
    this.#call(() => options.onError?.(error, info));
  }

  #tellOutcome(member: Member<T>, outcome: "good" | "failed" | "stopped"): void {
    if (member.outcome === outcome) return;
    member.outcome = outcome;
    this.#call(() => this.#setting.onStatus?.(member.name, member.status));
  }

  #call(callback: () => unknown): void {
    const broke = (thrown: unknown) => void this.#listener.broke(thrown);
    try {
      const result = callback();
      if (result instanceof Promise) result.catch(broke);
    } catch (thrown) {
      broke(thrown);
    }
  }

  /** A source has left the group. */
  left(): void {
    this.#begin();
    this.#listener.more();
  }

  // Ownership

  /** Does what the owner says now. */
  reviewAll(): void {
    for (const member of this.members.values()) this.review(member);
  }

  /** Does what the owner says about a source now. */
  review(member: Member<T>): void {
    if (this.#ended || this.#closing || member.state === "gone") return;
    const isOurs = this.owns(member);
    if (!isOurs && member.state !== "away") {
      this.stop(member, "away", lostError(member.name));
      member.removal?.resolve();
    } else if (isOurs && (member.state === "away" || member.state === "stopped")) {
      this.#regain(member);
    }
  }

  #regain(member: Member<T>): void {
    this.#timetable.delete(member);
    try {
      this.start(member);
    } catch (thrown) {
      // Another watch of this process has not let go of it yet.
      member.state = "stopped";
      member.stops++;
      const wait = member.options.interval;
      this.#timetable.plan(member, wait);
      const { error } = pollFailure(member.name, thrown);
      this.report(member, error, { attempt: member.stops, wait });
    }
  }

  // Ending

  /** Polls no more. Events already found can still be taken. */
  close(): void {
    if (this.#closing || this.#ended) return;
    this.#closing = true;
    this.#timetable.wake();
    for (const member of this.members.values()) {
      const { machine } = member;
      machine?.stop();
      if (this.#handsOut) {
        // The end of a poll, or of a save, does the same.
        const isBusy = member.state === "polling" || member.state === "saving";
        if (machine !== undefined && !isBusy) this.#wrapUp(member, machine);
        continue;
      }
      if (member.state !== "planned" || machine?.saveIsDue !== true) continue;
      // A save that failed is tried once more.
      member.state = "saving";
      machine.saveIfDue().then(() => {
        if (member.machine !== machine) return;
        if (machine.ended) this.#stopped(member, machine);
        else this.#plan(member);
      });
    }
  }

  /** Ends everything that is under way. Returns false if it had ended before. */
  end(reason: unknown): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#timetable.wake();
    this.#telemetry.end();
    for (const member of this.members.values()) {
      member.stopListening?.();
      member.machine?.end(reason);
      member.state = "gone";
      member.removal?.resolve();
    }
    return true;
  }
}

/** Milliseconds until an item that was set aside is due; never none, or what cannot be handed out would be asked for without end. */
function retryWait<T>({ retryAt }: Machine<T>): number {
  return retryAt === undefined ? Infinity : Math.max(Math.ceil(retryAt - performance.now()), 1);
}

function lostError(name: string): DOMException {
  return new DOMException(`'${oneLine(name)}' was given to another process`, "AbortError");
}
