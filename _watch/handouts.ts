/** What is handed out of one source to be handled side by side, and in which order. */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import { Aside } from "./aside.ts";
import type { Pace } from "./pace.ts";

/** Of so many items aside, no new event is handed out until some are handled. */
const MOST_ASIDE = 10_000;

/** An event that was handed out. Its key is undefined where the item of a plain source has none that could be shown. */
export interface Handout<T> {
  readonly event: ExternalEvent<T>;
  readonly key: string | undefined;
  /** 1 for the first time, 2 for the second … since the item was last handled. */
  readonly attempt: number;
}

/** Where new events come from, and whether what is aside may come now. */
export interface EventSupply<T> {
  next(): ExternalEvent<T> | undefined;
  mayRetry(): boolean;
  /** The source could not give an item that was aside. */
  notAgain(key: string, thrown: unknown): void;
}

export class Handouts<T> {
  readonly aside: Aside;
  readonly #source: ExternalSource<T>;
  /** The keys of what is out. */
  readonly #out = new Set<string | undefined>();
  /** The next event, if its key is out. */
  #held: Handout<T> | undefined;
  /** Whether the last one was tried again: then it is the turn of a new one. */
  #retried = false;
  /** Of a plain source: what failed last. */
  #failed: Handout<T> | undefined;

  constructor(source: ExternalSource<T>, pace: Pace) {
    this.#source = source;
    this.aside = new Aside(pace);
    for (const key of source.acknowledgement?.asideKeys() ?? []) this.aside.add(key);
  }

  /** Whether nothing that was handed out is still to be settled. */
  get isDrained(): boolean {
    return this.#out.size === 0 && this.#held === undefined;
  }

  /** Whether so much is aside that new events have to wait. */
  get isFull(): boolean {
    return this.aside.size >= MOST_ASIDE;
  }

  /**
   * What to hand out now: in turn what is aside and due, and what is new.
   *
   * Without an acknowledgement, asking for an event tells the source that the one before was handled. So there is only
   * ever one out.
   */
  take(supply: EventSupply<T>): Handout<T> | undefined {
    if (this.#source.acknowledgement === undefined && this.#out.size > 0) return undefined;
    const handout = this.#retried
      ? this.#takeNew(supply) ?? this.#takeAside(supply)
      : this.#takeAside(supply) ?? this.#takeNew(supply);
    if (handout !== undefined) this.#out.add(handout.key);
    return handout;
  }

  /** An item is out no more. */
  settled(handout: Handout<T>, failed: boolean): void {
    this.#out.delete(handout.key);
    if (this.#source.acknowledgement !== undefined) return;
    if (failed) this.#failed = handout;
    else if (this.#failed?.key === handout.key) this.#failed = undefined;
  }

  /** Forgets the event that was held: its delivery has ended. */
  release(): void {
    this.#held = undefined;
  }

  #takeNew(supply: EventSupply<T>): Handout<T> | undefined {
    if (this.#held === undefined) {
      if (this.isFull) return undefined;
      const event = supply.next();
      if (event === undefined) return undefined;
      this.#held = this.#handout(event);
    }
    const held = this.#held;
    // A source that reports a key twice: never two handlers for one key.
    if (this.#out.has(held.key)) return undefined;
    this.#held = undefined;
    this.#retried = false;
    return held;
  }

  #takeAside(supply: EventSupply<T>): Handout<T> | undefined {
    const { acknowledgement } = this.#source;
    if (this.aside.left !== 0 || !supply.mayRetry()) return undefined;
    for (let key = this.aside.take(); key !== undefined; key = this.aside.take()) {
      let event: ExternalEvent<T> | undefined;
      try {
        event = acknowledgement?.again(key);
      } catch (thrown) {
        acknowledgement?.setAside(key);
        supply.notAgain(key, thrown);
      }
      if (event === undefined) continue; // The next poll has it, or it comes later.
      this.#retried = true;
      return { event, key, attempt: this.aside.failures(key) + 1 };
    }
    return undefined;
  }

  #handout(event: ExternalEvent<T>): Handout<T> {
    const { acknowledgement } = this.#source;
    if (acknowledgement !== undefined) {
      const key = acknowledgement.keyOf(event);
      return { event, key, attempt: this.aside.failures(key) + 1 };
    }
    const key = shownKey(event.item);
    const failed = this.#failed;
    return { event, key, attempt: failed?.key === key ? (failed?.attempt ?? 0) + 1 : 1 };
  }
}

/** What errors may call an item of a plain source. */
function shownKey(item: unknown): string | undefined {
  if (typeof item !== "object" || item === null) {
    return typeof item === "string" || typeof item === "number" ? String(item) : undefined;
  }
  const { key, id, name } = item as Record<string, unknown>;
  for (const value of [key, id, name]) {
    if (typeof value === "string" || typeof value === "number") return String(value);
  }
  return undefined;
}
