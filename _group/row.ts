/** The sources that have events, in a row: the first one has its turn, and then goes to the end. */
import type { Member } from "./member.ts";
import { Queue } from "./queue.ts";

export class Row<T> {
  readonly #queue: Queue<Member<T>> = new Queue();

  get size(): number {
    return this.#queue.size;
  }

  /** Puts a source at the end, unless it is in the row already. */
  push(member: Member<T>): void {
    if (member.isInRow) return;
    member.isInRow = true;
    this.#queue.push(member);
  }

  /** Takes out the first one that still has something to hand out. */
  next(): Member<T> | undefined {
    for (;;) {
      const member = this.#queue.shift();
      if (member === undefined) return undefined;
      member.isInRow = false;
      if (member.state === "ready" && member.machine !== undefined) return member;
    }
  }
}
