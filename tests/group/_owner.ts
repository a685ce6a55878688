/** An owner in memory: the test says who has which source. */
import type { GroupOwner } from "@koprs/external";
import { settle } from "../watch/_watch.ts";

export class Shares {
  readonly #owners = new Map<string, string>();
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Members that are told nothing, as if they were frozen: they go on with what they knew. */
  readonly frozen: Set<string> = new Set();
  readonly #known = new Map<string, Map<string, string>>();

  /** The owner of one member. */
  ownerFor(member: string): GroupOwner {
    return {
      owns: (name) => this.#seenBy(member).get(name) === member,
      changes: { [Symbol.asyncIterator]: () => this.#iterate(member) },
    };
  }

  /** How many iterate over the changes that a member is told of. */
  listeners(member: string): number {
    return this.#listeners.get(member)?.size ?? 0;
  }

  async give(name: string, member: string): Promise<void> {
    this.#owners.set(name, member);
    await this.tell();
  }

  /** Tells everyone who is not frozen. */
  async tell(): Promise<void> {
    for (const [member, listeners] of this.#listeners) {
      if (!this.frozen.has(member)) { for (const listener of listeners) listener(); }
    }
    await settle();
  }

  #seenBy(member: string): ReadonlyMap<string, string> {
    if (!this.frozen.has(member)) this.#known.set(member, new Map(this.#owners));
    return this.#known.get(member) ?? new Map();
  }

  #iterate(member: string): AsyncIterator<void> {
    let wake: (() => void) | undefined;
    let told = 0, ended = false;
    const listener = () => {
      told++;
      wake?.();
    };
    const listeners = this.#listeners.get(member) ?? new Set();
    this.#listeners.set(member, listeners.add(listener));
    return {
      async next() {
        while (told === 0 && !ended) await new Promise<void>((resolve) => wake = resolve);
        told = 0;
        return { done: ended, value: undefined };
      },
      return: () => {
        ended = true;
        wake?.();
        listeners.delete(listener);
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}
