/** Removes sources from a group: at once, or when all known items of them were reported as removed. */
import { oneLine } from "../_errors/one_line.ts";
import { forgetState } from "../_watch/checkpointer.ts";
import type { Conductor } from "./conductor.ts";
import type { Member, Removal } from "./member.ts";
import type { RemoveOptions } from "./options.ts";

export class Remover<T> {
  readonly #conductor: Conductor<T>;

  constructor(conductor: Conductor<T>) {
    this.#conductor = conductor;
  }

  /** Resolves with false if there is no such source. Settles when no event of it can come any more. */
  async remove(name: string, how: RemoveOptions): Promise<boolean> {
    const member = this.#conductor.members.get(name);
    if (member === undefined || this.#conductor.ended) return false;
    const { report = false, forget = false } = how;
    check(member, report, forget);
    const earlier = member.removal;
    if (earlier !== undefined) {
      earlier.forget ||= forget;
      if (!report) earlier.resolve();
      await earlier.done;
      return true;
    }
    const removal: Removal = member.removal = newRemoval(forget);
    removal.done = this.#remove(member, removal, report);
    await removal.done;
    return true;
  }

  async #remove(member: Member<T>, removal: Removal, report: boolean): Promise<void> {
    const conductor = this.#conductor;
    try {
      // A source that another process polls is reported there.
      if (report && member.machine !== undefined) {
        conductor.withdraw(member);
        await removal.settled;
      }
    } finally {
      const isOurs = conductor.ownership.owns(member);
      conductor.stop(member, "gone", removedError(member.name));
      member.stopListening?.();
      const { checkpoint } = member.options;
      try {
        // If another process owns the source, that process deletes its state.
        if (removal.forget && checkpoint !== undefined && isOurs) {
          await forgetState(checkpoint, member.name);
        }
      } finally {
        conductor.members.delete(member.name);
      }
    }
  }
}

function check<T>({ source, options }: Member<T>, report: boolean, forget: boolean): void {
  const name = oneLine(source.name);
  if (typeof report !== "boolean" || typeof forget !== "boolean") {
    throw new TypeError(`Cannot remove '${name}' as 'report' and 'forget' must be true or false`);
  }
  if (report && typeof source.withdraw !== "function") {
    throw new TypeError(
      `Cannot report what is known of '${name}' as the source has no 'withdraw' method`,
    );
  }
  if (forget && options.checkpoint !== undefined && options.checkpoint.delete === undefined) {
    throw new TypeError(`Cannot forget '${name}' as its checkpoint store has no 'delete' method`);
  }
}

function newRemoval(forget: boolean): Removal {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // Nobody may be waiting for this one: the caller waits for `done`.
  return { forget, settled: promise, resolve, reject, done: promise };
}

function removedError(name: string): DOMException {
  return new DOMException(`'${oneLine(name)}' was removed from its group`, "AbortError");
}
