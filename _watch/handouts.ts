/**
 * Decides which events of one source are handed to handlers, and in which order. What follows when a handler has ended is
 * decided in handler_results.ts.
 */
import type { ExternalEvent, ExternalSource } from "../_diff/source.ts";
import type { Aside } from "./aside.ts";

/**
 * An event that was handed out. Its key is undefined if the source has no `acknowledgement` and the item has no
 * usable key.
 */
export interface Handout<T> {
  readonly event: ExternalEvent<T>;
  readonly key: string | undefined;
  /** 1 for the first time, 2 for the second … since the item was last handled. */
  readonly attempt: number;
}

/** Where new events come from, and whether items that were set aside may come now. */
export interface EventSupply<T> {
  next(): ExternalEvent<T> | undefined;
  mayRetry(): boolean;
}

export class Handouts<T> {
  readonly #aside: Aside;
  readonly #source: ExternalSource<T>;
  /** The keys of the events that are with handlers. */
  readonly #out = new Set<string | undefined>();
  /** The next event, if another one of the same key is still with a handler. */
  #held: Handout<T> | undefined;
  /** Whether the last handout was an item tried again: then a new event is next. */
  #retried = false;
  /** The handout that failed last; only for a source without `acknowledgement`. */
  #failed: Handout<T> | undefined;

  constructor(source: ExternalSource<T>, aside: Aside) {
    this.#source = source;
    this.#aside = aside;
  }

  /** Whether everything that was handed out is settled. */
  get isDrained(): boolean {
    return this.#out.size === 0 && this.#held === undefined;
  }

  /**
   * What to hand out now: in turn an item that was set aside and is due, and a new event.
   *
   * Asking a source without `acknowledgement` for an event tells it that the one before was handled. So only one of
   * its events is handed out at a time.
   */
  take(supply: EventSupply<T>): Handout<T> | undefined {
    if (this.#source.acknowledgement === undefined && this.#out.size > 0) return undefined;
    const handout = this.#retried
      ? this.#takeNew(supply) ?? this.#takeAside(supply)
      : this.#takeAside(supply) ?? this.#takeNew(supply);
    if (handout !== undefined) this.#out.add(handout.key);
    return handout;
  }

  /** Records that a handler has ended. */
  settled(handout: Handout<T>, failed: boolean): void {
    this.#out.delete(handout.key);
    if (this.#source.acknowledgement !== undefined) return;
    if (failed) this.#failed = handout;
    else if (this.#failed?.key === handout.key) this.#failed = undefined;
  }

  /** Forgets the event that was held, since its delivery has ended. */
  release(): void {
    this.#held = undefined;
  }

  #takeNew(supply: EventSupply<T>): Handout<T> | undefined {
    if (this.#held === undefined) {
      if (this.#aside.isFull) return undefined;
      const event = supply.next();
      if (event === undefined) return undefined;
      this.#held = this.#handout(event);
    }
    const held = this.#held;
    // A source may report a key twice. There must never be two handlers for one key.
    if (this.#out.has(held.key)) return undefined;
    this.#held = undefined;
    this.#retried = false;
    return held;
  }

  #takeAside(supply: EventSupply<T>): Handout<T> | undefined {
    const { acknowledgement } = this.#source;
    if (this.#aside.left !== 0 || !supply.mayRetry()) return undefined;
    for (let key = this.#aside.take(); key !== undefined; key = this.#aside.take()) {
      let event: ExternalEvent<T> | undefined;
      try {
        event = acknowledgement?.again(key);
      } catch (thrown) {
        acknowledgement?.setAside(key);
        this.#aside.failed(key, thrown);
      }
      if (event === undefined) continue; // The next poll reports it, or it is tried again later.
      this.#retried = true;
      return { event, key, attempt: this.#aside.failures(key) + 1 };
    }
    return undefined;
  }

  #handout(event: ExternalEvent<T>): Handout<T> {
    const { acknowledgement } = this.#source;
    if (acknowledgement !== undefined) {
      const key = acknowledgement.keyOf(event);
      return { event, key, attempt: this.#aside.failures(key) + 1 };
    }
    const key = shownKey(event.item);
    const failed = this.#failed;
    return { event, key, attempt: failed?.key === key ? (failed?.attempt ?? 0) + 1 : 1 };
  }
}

/** The name for an item in errors, if the source has no `acknowledgement`. */
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
