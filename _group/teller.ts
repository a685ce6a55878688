/** What a group tells its user of its sources. */
import { callBack } from "../_bounds/promise_like.ts";
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
    callBack(() => options.onError?.(error, info), this.#broke);
  }

  /** A poll has ended so: tells of it if the one before ended otherwise. */
  ended(member: Member<T>, outcome: MemberOutcome): void {
    if (member.outcome === outcome) return;
    member.outcome = outcome;
    callBack(() => this.#onStatus?.(member.name, member.status), this.#broke);
  }
}
