/** The loop behind a group: which sources come and go, who gets the events, and every way to end it. */
import type { ExternalSource } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import type { Handler } from "../_watch/handle_options.ts";
import { Handling, type HandlingLimits } from "../_watch/handler_pool.ts";
import { checkWatch, type WatchOptions } from "../_watch/options.ts";
import { Breath } from "./breath.ts";
import { Conductor } from "./conductor.ts";
import type { GroupHandout, Hands } from "./hands.ts";
import { Member } from "./member.ts";
import {
  checkGroup,
  type GroupEvent,
  type GroupOptions,
  type GroupSetting,
  type RemoveOptions,
} from "./options.ts";
import { Phases } from "./phase.ts";
import { Remover } from "./remover.ts";

/** The underlying source of the group's stream. */
export class GroupLoop<T> implements UnderlyingDefaultSource<GroupEvent<T>> {
  readonly conductor: Conductor<T>;
  readonly remover: Remover<T>;
  readonly #setting: GroupSetting;
  readonly #phases = new Phases();
  readonly #breath = new Breath();
  readonly #onEnd: (() => void)[] = [];
  #controller!: ReadableStreamDefaultController<GroupEvent<T>>;
  /** The source of the event that the reader has. */
  #current: Member<T> | undefined;
  /** Whether handing out waits for a break that lets the runtime process what has arrived. */
  #breathing = false;
  /** Ends the read that is pending. */
  #pulled: (() => void) | undefined;
  #handling: Handling<GroupEvent<T>, GroupHandout<T>> | undefined;
  #isTaking = false;
  #hasBegun = false;

  constructor(options: GroupOptions) {
    this.#setting = checkGroup(options);
    this.conductor = new Conductor(this.#setting, {
      more: () => this.#serve(),
      lost: (member, reason) =>
        this.#handling?.drop((handout) => handout.member === member, reason),
      broke: (error) => this.fail(error),
    });
    this.remover = new Remover(this.conductor);
  }

  get #ended(): boolean {
    return this.conductor.ended;
  }

  /** Calls `callback` at the end, however the group ends. Returns a function that takes that back. */
  atEnd(callback: () => void): () => void {
    this.#onEnd.push(callback);
    return () => {
      const index = this.#onEnd.indexOf(callback);
      if (index >= 0) this.#onEnd.splice(index, 1);
    };
  }

  start(controller: ReadableStreamDefaultController<GroupEvent<T>>): void {
    this.#controller = controller;
    const { signal } = this.#setting.defaults;
    if (signal?.aborted) return void this.fail(signal.reason);
    if (signal === undefined) return;
    const onAbort = () => this.fail(signal.reason);
    signal.addEventListener("abort", onAbort);
    this.#onEnd.push(() => signal.removeEventListener("abort", onAbort));
  }

  /** Puts one event into the stream. Synchronous while there are events: this is the hot path. */
  pull(): void | Promise<void> {
    if (!this.#hasBegun) this.#begin();
    this.#acknowledge();
    const breath = this.conductor.members.size > 1 ? this.#breath.next() : undefined;
    if (breath !== undefined) return breath.then(() => this.#read());
    return this.#read();
  }

  #begin(): void {
    this.#hasBegun = true;
    const { ownership } = this.conductor;
    const stop = ownership.follow((error) => this.fail(error));
    if (stop === undefined) return;
    this.#onEnd.push(stop);
    ownership.reviewAll();
  }

  #acknowledge(): void {
    const current = this.#current;
    this.#current = undefined;
    this.#isTaking = true;
    if (current !== undefined) this.conductor.handled(current);
    this.#isTaking = false;
  }

  #read(): void | Promise<void> {
    if (this.#ended) return;
    this.conductor.wanted = true;
    if (this.#ended || this.#deliver()) return;
    this.#breath.taken();
    return new Promise((resolve) => this.#pulled = resolve);
  }

  /** To be called when there may be an event for a pending read or a handler. */
  #serve(): void {
    if (this.#handling !== undefined) return this.#fill(this.#handling);
    if (this.#pulled === undefined || this.#isTaking || this.#ended) return;
    if (!this.#deliver()) return;
    this.#pulled?.();
    this.#pulled = undefined;
  }

  /** Hands over the next event. Returns false if there is none and the group has not ended. */
  #deliver(): boolean {
    this.#isTaking = true;
    const taken = this.conductor.take();
    this.#isTaking = false;
    if (this.#ended) return true;
    if (taken === undefined) {
      if (!this.conductor.isDrained) return false;
      this.finish();
      return true;
    }
    const { member, event } = taken;
    this.#current = member;
    this.conductor.wanted = false;
    this.#controller.enqueue({ ...event, source: member.name });
    return true;
  }

  /**
   * Hands the events to handlers from now on. The stream must not be read any more; it only shows when the group ends.
   */
  handle(handler: Handler<GroupEvent<T>>, limits: HandlingLimits): void {
    if (this.#ended) return;
    const { conductor } = this;
    const hands = conductor.handOut();
    const handling = this.#handling = new Handling(handler, limits, {
      take: () => this.#takeHandout(hands),
      settle: (handout, failed) => hands.settle(handout, failed),
      hasRoom: () => this.#fill(handling),
    });
    if (!this.#hasBegun) this.#begin();
    this.#fill(handling);
  }

  #takeHandout(hands: Hands<T>): GroupHandout<T> | undefined {
    if (this.#breathing || this.#ended) return undefined;
    const breath = this.conductor.members.size > 1 ? this.#breath.next() : undefined;
    if (breath === undefined) return hands.take();
    this.#breathing = true;
    breath.then(() => {
      this.#breathing = false;
      this.#serve();
    });
    return undefined;
  }

  /** Starts as many handlers as may run at once. Polls begin only while one more may run. */
  #fill(handling: Handling<GroupEvent<T>, GroupHandout<T>>): void {
    if (this.#ended || this.#isTaking) return;
    this.#isTaking = true;
    this.conductor.wanted = true;
    handling.fill();
    this.#isTaking = false;
    const { hasRoom } = handling;
    this.conductor.wanted = hasRoom;
    if (hasRoom && !this.#breathing) this.#breath.taken();
    if (handling.isDrained && this.conductor.isDrained) this.finish();
  }

  // Coming and going

  add(source: ExternalSource<T>, options: Partial<WatchOptions> = {}): void {
    if (typeof options !== "object" || options === null) {
      throw new TypeError("Cannot add a source as the options must be an object");
    }
    const { signal: _, ...defaults } = this.#setting.defaults;
    const merged: WatchOptions = { ...defaults, ...options };
    checkWatch(source, merged);
    const { members } = this.conductor;
    const name = oneLine(source.name);
    if (this.#ended || this.conductor.closing) {
      throw new TypeError(`Cannot add '${name}' as the group has ended`);
    }
    const earlier = members.get(source.name);
    if (earlier !== undefined) {
      throw new TypeError(
        earlier.removal === undefined
          ? `Cannot add '${name}' as the group has a source of this name already: remove that first, or give this one ` +
            "another 'name'"
          : `Cannot add '${name}' as the one of this name is still being removed: wait for its 'remove'`,
      );
    }
    const member = new Member(source, merged, this.#phases.next());
    members.set(source.name, member);
    const { signal } = merged;
    try {
      if (signal?.aborted) return void members.delete(source.name);
      if (this.conductor.ownership.owns(member)) this.conductor.start(member);
    } catch (thrown) {
      members.delete(source.name);
      throw thrown;
    }
    if (signal === undefined) return;
    const onAbort = () => void this.remover.remove(source.name, {}).catch(() => {});
    signal.addEventListener("abort", onAbort);
    member.stopListening = () => signal.removeEventListener("abort", onAbort);
  }

  /** Calls `what` with one source, or with all. Returns whether there was such a source. */
  each(name: string | undefined, what: (member: Member<T>) => void): boolean {
    const { members } = this.conductor;
    if (name === undefined) {
      for (const member of [...members.values()]) what(member);
      return true;
    }
    const member = members.get(name);
    if (member !== undefined) what(member);
    return member !== undefined;
  }

  remove(name: string, how: RemoveOptions): Promise<boolean> {
    return this.remover.remove(name, how);
  }

  /** Reports a failure for an item of a stream that is followed: it has no source that could report it. */
  report(error: ExternalError): void {
    const { onError } = this.#setting.defaults;
    if (onError === undefined) return void console.warn(oneLine(error.message));
    try {
      onError(error, { attempt: 1, wait: Infinity });
    } catch (thrown) {
      this.fail(thrown);
    }
  }

  // Ending

  close(): void {
    if (this.#ended) return;
    this.conductor.close();
    // Events already found can still be read; the next pull after the last of them closes the stream.
    if (this.conductor.isDrained) this.finish();
  }

  cancel(reason: unknown): void {
    this.#end(reason === undefined ? closedError() : reason);
  }

  /** Closes the stream. */
  finish(): void {
    if (this.#end(closedError())) this.#controller.close();
  }

  /** Ends the stream with exactly this error. Returns false if the group had ended before. */
  fail(error: unknown): boolean {
    const ends = this.#end(error);
    if (ends) this.#controller.error(error);
    return ends;
  }

  #end(reason: unknown): boolean {
    if (!this.conductor.end(reason)) return false;
    this.#handling?.abort(reason);
    for (const callback of this.#onEnd.splice(0)) callback();
    this.#pulled?.();
    this.#pulled = undefined;
    return true;
  }
}

function closedError(): DOMException {
  return new DOMException("The group was closed", "AbortError");
}
