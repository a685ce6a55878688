/** Whose turn it is: each source that has events hands out one of them, and then goes to the end of the row. */
import { Fifo } from "./fifo.ts";
import type { Member } from "./member.ts";

export class Turns<T> {
  readonly #row: Fifo<Member<T>> = new Fifo();

  /** How many sources wait for their turn. */
  get size(): number {
    return this.#row.size;
  }

  /**
   * Puts a source at the end, unless it is in the row already. Always at the end: however many events it has left,
   * every other source has a turn first.
   */
  toEnd(member: Member<T>): void {
    if (member.isInRow) return;
    member.isInRow = true;
    this.#row.push(member);
  }

  /**
   * The first one that still has something to hand out. It is taken out for one event: for the next one, it must go to
   * the end.
   */
  next(): Member<T> | undefined {
    for (;;) {
      const member = this.#row.shift();
      if (member === undefined) return undefined;
      member.isInRow = false;
      if (member.state === "ready" && member.machine !== undefined) return member;
    }
  }
}
