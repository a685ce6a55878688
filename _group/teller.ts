/** Reports to the user what happens to the sources of a group. */
import { callBack } from "../_bounds/user_callback.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { FailureInfo } from "../_watch/options.ts";
import type { Member, MemberOutcome } from "./member.ts";
import type { GroupOptions } from "./options.ts";

/** Calls the user's callbacks. `broke` gets what they throw or reject with. */
export class Teller<T> {
  readonly #onStatus: GroupOptions["onStatus"];
  readonly #broke: (error: unknown) => void;

  constructor(onStatus: GroupOptions["onStatus"], broke: (error: unknown) => void) {
    this.#onStatus = onStatus;
    this.#broke = broke;
  }

  /** Reports a failure of a source that has no machine to report it. */
  failed({ options }: Member<T>, error: ExternalError, info: FailureInfo): void {
    callBack(() => options.onError?.(error, info), this.#broke);
  }

  /** To be called when a poll has ended. Reports it if the poll before had another outcome. */
  ended(member: Member<T>, outcome: MemberOutcome): void {
    if (member.outcome === outcome) return;
    member.outcome = outcome;
    callBack(() => this.#onStatus?.(member.name, member.status), this.#broke);
  }
}
