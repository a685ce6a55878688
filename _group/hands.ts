/** What a group does for handlers that run side by side: hands out in turns, and takes what became of each event. */
import type { Failed } from "../_watch/handling.ts";
import type { Handout } from "../_watch/handouts.ts";
import type { Machine } from "../_watch/machine.ts";
import type { Member } from "./member.ts";
import type { GroupEvent } from "./options.ts";

/** An event of a group that was handed to a handler. */
export interface GroupHandout<T> {
  readonly event: GroupEvent<T>;
  readonly attempt: number;
  readonly member: Member<T>;
  readonly machine: Machine<T>;
  readonly handout: Handout<T>;
}

/** The conductor, as far as it is needed here. */
export interface HandsHost<T> {
  /** The source whose turn it is. Its machine is there. */
  next(): Member<T> | undefined;
  /** There may be more to hand out of a source. */
  queue(member: Member<T>): void;
  /** Has a source asked again in so many milliseconds. */
  plan(member: Member<T>, wait: number): void;
  /** The events of a poll were all handled or set aside, or they broke off. */
  delivered(member: Member<T>, machine: Machine<T>): void;
  /** What was handled was saved, behind `close`. */
  wrappedUp(member: Member<T>, machine: Machine<T>): void;
}

export class Hands<T> {
  readonly #host: HandsHost<T>;
  #closing = false;

  constructor(host: HandsHost<T>) {
    this.#host = host;
  }

  /** What to hand out now. */
  take(): GroupHandout<T> | undefined {
    for (;;) {
      const member = this.#host.next();
      if (member === undefined) return undefined;
      const machine = member.machine as Machine<T>;
      const handout = machine.take();
      if (member.machine !== machine) continue; // Its source's own code has run, and did something to the group.
      if (handout === undefined) {
        this.#look(member, machine);
        continue;
      }
      member.out++;
      this.#host.queue(member);
      const event = { ...handout.event, source: member.name };
      return { event, attempt: handout.attempt, member, machine, handout };
    }
  }

  /** A handler has ended. */
  settle({ member, machine, handout }: GroupHandout<T>, failed: Failed | undefined): void {
    if (member.machine !== machine) return;
    member.out--;
    machine.settle(handout, failed)?.then(() => this.#mayHaveMore(member, machine));
    if (this.#closing) this.wrapUp(member, machine);
    else this.#mayHaveMore(member, machine);
  }

  #mayHaveMore(member: Member<T>, machine: Machine<T>): void {
    if (member.machine === machine && member.state === "ready") this.#host.queue(member);
  }

  /** There is nothing to hand out of a source for now. */
  #look(member: Member<T>, machine: Machine<T>): void {
    if (machine.ended || machine.mayPoll) return this.#host.delivered(member, machine);
    // The rest of its events are out. What was set aside may come again meanwhile.
    const wait = retryWait(machine);
    if (wait < Infinity) this.#host.plan(member, wait);
  }

  /** Nothing more is handed out. */
  close(member: Member<T>, machine: Machine<T>): void {
    this.#closing = true;
    // The end of a poll, or of a save, does the same.
    if (member.state !== "polling" && member.state !== "saving") this.wrapUp(member, machine);
  }

  /** Behind `close`: saves what was handled, once all that was out of a source is settled. */
  wrapUp(member: Member<T>, machine: Machine<T>): void {
    if (member.out > 0 || member.isWrappedUp || member.machine !== machine) return;
    member.isWrappedUp = true;
    member.state = "saving";
    machine.endHandling().then(() => {
      if (member.machine === machine) this.#host.wrappedUp(member, machine);
    });
  }
}

/**
 * Milliseconds until an item that was set aside is due. Never none: what cannot be handed out now would be asked for
 * without end.
 */
export function retryWait<T>({ retryAt }: Machine<T>): number {
  return retryAt === undefined ? Infinity : Math.max(Math.ceil(retryAt - performance.now()), 1);
}
