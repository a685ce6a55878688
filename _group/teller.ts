/** What a group tells its user of its sources. */
import type { ExternalError } from "../_errors/external_error.ts";
import type { FailureInfo } from "../_watch/options.ts";
import type { Member, MemberOutcome } from "./member.ts";
import type { GroupOptions } from "./options.ts";

/** Calls the user's callbacks. What they throw, or reject with, goes to `broke`. */
export class Teller<T> {
  readonly #onStatus: GroupOptions["onStatus"];
  readonly #broke: (error: unknown) => void;

  constructor(onStatus: GroupOptions["onStatus"], broke: (error: unknown) => void) {
    this.#onStatus = onStatus;
    this.#broke = broke;
  }

  /** Something failed of a source that its machine cannot tell of. */
  failed({ options }: Member<T>, error: ExternalError, info: FailureInfo): void {
    this.#call(() => options.onError?.(error, info));
  }

  /** A poll has ended so: tells of it if the one before ended otherwise. */
  ended(member: Member<T>, outcome: MemberOutcome): void {
    if (member.outcome === outcome) return;
    member.outcome = outcome;
    this.#call(() => this.#onStatus?.(member.name, member.status));
  }

  #call(callback: () => unknown): void {
    try {
      const result = callback();
      if (isPromiseLike(result)) result.then(undefined, this.#broke);
    } catch (thrown) {
      this.#broke(thrown);
    }
  }
}

function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";
}
