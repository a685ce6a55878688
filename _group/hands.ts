/**
 * The part of a group for handlers that run side by side: hands out events of all sources in turns, and settles them.
 */
import type { Failed } from "../_watch/handler_pool.ts";
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
  /** The source whose turn it is. It has a machine. */
  next(): Member<T> | undefined;
  /** Puts a source in line, as it may have more to hand out. */
  queue(member: Member<T>): void;
  /** Asks a source again in `wait` milliseconds. */
  plan(member: Member<T>, wait: number): void;
  /** Called when the events of a poll were all handled or set aside, or they broke off. */
  delivered(member: Member<T>, machine: Machine<T>): void;
  /** Called after `close`, when what was handled was saved. */
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
      if (member.machine !== machine) continue; // The code of the source has run, and has changed the group.
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

  /** To be called when a handler has ended. */
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

  /** Decides what a source with nothing to hand out waits for. */
  #look(member: Member<T>, machine: Machine<T>): void {
    if (machine.ended || machine.mayPoll) return this.#host.delivered(member, machine);
    // All its other events are with handlers. Items that were set aside may come again meanwhile.
    const wait = retryWait(machine);
    if (wait < Infinity) this.#host.plan(member, wait);
  }

  /** Stops handing out events of a source, and saves what was handled. */
  close(member: Member<T>, machine: Machine<T>): void {
    this.#closing = true;
    // The end of a poll, or of a save, does the same.
    if (member.state !== "polling" && member.state !== "saving") this.wrapUp(member, machine);
  }

  /** After `close`: saves what was handled, once no event of the source is with a handler. */
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
 * Milliseconds until an item that was set aside is due. Never 0: an item that cannot be handed out now would be asked
 * for in an endless loop.
 */
export function retryWait<T>({ retryAt }: Machine<T>): number {
  return retryAt === undefined ? Infinity : Math.max(Math.ceil(retryAt - performance.now()), 1);
}
