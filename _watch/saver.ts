/** Saves the state of a machine, and reports the result to its user. */
import type { Checkpointer } from "./checkpointer.ts";
import type { Failure } from "./failure.ts";
import type { Health } from "./health.ts";
import type { Reporter } from "./reporter.ts";
import type { Schedule } from "./whole_and_parts.ts";

/** While a save is under way, events are handed out until this many were settled. */
const MOST_DURING_SAVE = 1_000;

/** What a saver reports to. */
export interface SaverHost {
  readonly reporter: Reporter;
  readonly health: Health;
  readonly schedule: Schedule;
  /** Ends the machine. */
  readonly giveUp: (error: Failure["error"]) => void;
}

export class Saver {
  readonly checkpointer: Checkpointer;
  readonly #host: SaverHost;
  /** The save that goes on while events are handed out, and how many events were settled since it began. */
  #underWay: Promise<void> | undefined;
  #settledSince = 0;

  constructor(checkpointer: Checkpointer, host: SaverHost) {
    this.checkpointer = checkpointer;
    this.#host = host;
  }

  /** Whether a save goes on while events are handed out. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Whether that save must end before more is handed out: otherwise a crash would repeat more and more events. */
  get isBehind(): boolean {
    return this.#underWay !== undefined && this.#settledSince >= MOST_DURING_SAVE;
  }

  async save(): Promise<Failure | undefined> {
    const { failures } = this.checkpointer;
    const failure = await this.checkpointer.save();
    if (failure === undefined) this.#host.reporter.saved(failures);
    return failure;
  }

  /** Saves the state, if that is due after a delivery. */
  async saveIfDue(): Promise<void> {
    if (this.#underWay !== undefined) await this.#underWay;
    if (this.checkpointer.isDue) this.report(await this.save());
  }

  /** To be called for every settled event. If it is time to, calls `save`, and returns a promise of its end. */
  settled(save: () => Promise<Failure | undefined>): Promise<void> | undefined {
    const { checkpointer } = this;
    checkpointer.handled();
    this.#settledSince++;
    if (this.#underWay !== undefined || !checkpointer.stepIsDue) return undefined;
    this.#settledSince = 0;
    return this.#underWay = save().then((failure) => {
      this.#underWay = undefined;
      this.report(failure);
    });
  }

  /** Reports a save that failed after events were handled. It is tried again after the next ones. */
  report(failure: Failure | undefined): void {
    const { reporter, health, schedule, giveUp } = this.#host;
    if (failure === undefined || health.ended) return;
    const { error, fatal } = failure;
    if (fatal) return giveUp(error);
    health.lastError = error;
    const wait = Math.ceil(schedule.left);
    reporter.failed("save", error, { attempt: this.checkpointer.failures, wait });
  }
}
