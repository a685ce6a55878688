/** What a watch tells its user: in the log, and by `onError` and `onPoll`. */
import { callBack } from "../_bounds/user_callback.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";
import type { FailureInfo, PollInfo, WatchOptions } from "./options.ts";

/** What can fail several times in a row. Each is counted separately. */
type Row = "poll" | "save" | "handle";

/**
 * Calls the user's `onError`, `onPoll` and logger. `fail` gets what they throw or reject with, and returns whether
 * that ended the watch.
 */
export class Reporter {
  readonly #source: string;
  readonly #logger: Logger | false | undefined;
  readonly #onError: WatchOptions["onError"];
  readonly #onPoll: WatchOptions["onPoll"];
  readonly #fail: (thrown: unknown) => boolean;
  /** If no logger was given: the rows whose first failure was printed. */
  readonly #printed = new Set<Row>();

  constructor(
    source: string,
    { logger, onError, onPoll }: Pick<WatchOptions, "logger" | "onError" | "onPoll">,
    fail: (thrown: unknown) => boolean,
  ) {
    this.#source = source;
    this.#logger = logger;
    this.#onError = onError;
    this.#onPoll = onPoll;
    this.#fail = fail;
  }

  /** Reports a good poll, and after how many failed ones in a row it came. */
  polled(failures: number): void {
    if (failures === 0) return this.#log("debug", `Polled '${this.#source}'`);
    this.#recovered(
      "poll",
      `Polled '${this.#source}' again after ${failures} failed polls in a row`,
    );
  }

  /** Reports a good save if it came after failed ones. */
  saved(failures: number): void {
    if (failures === 0) return;
    this.#recovered(
      "save",
      `Saved the checkpoint of '${this.#source}' again after ${failures} failed saves in a row`,
    );
  }

  /** Reports the end of a poll. `info` is only called if there is an `onPoll`. */
  pollEnded(info: () => PollInfo): void {
    const onPoll = this.#onPoll;
    if (onPoll === undefined) return;
    callBack(() => onPoll(info()), (thrown) => this.#broke("onPoll", thrown));
  }

  /** Reports that no item is set aside any more. */
  handledAll(): void {
    this.#recovered("handle", `Handled all of '${this.#source}' that had been set aside`);
  }

  /** Reports a poll, a save or a handler that failed and will be tried again. */
  failed(row: Row, error: ExternalError, info: FailureInfo): void {
    const message = this.#named(error.message, "poll");
    const line = `${message} (attempt ${info.attempt}, next in ${info.wait} ms)`;
    if (this.#logger !== undefined) this.#log("warn", line);
    else if (!this.#printed.has(row)) {
      this.#printed.add(row);
      console.warn(oneLine(line));
    }
    const onError = this.#onError;
    if (onError !== undefined) {
      callBack(() => onError(error, info), (thrown) => this.#broke("onError", thrown));
    }
  }

  /** Logs the error that ended the stream. */
  gaveUp(message: string): void {
    const line = `${this.#named(message, "go on watching")} (this ends the watch)`;
    if (this.#logger !== undefined) this.#log("error", line);
    else console.error(oneLine(line));
  }

  /** Logs a warning of the source: something is wrong, but nothing has failed. */
  warned(message: string): void {
    if (this.#logger === undefined) console.warn(oneLine(message));
    else this.#log("warn", message);
  }

  /** Logs a failure that has no effect on the watch, but should be known. */
  noted(message: string): void {
    this.#log("error", message);
  }

  /**
   * The message with the name of the source added, unless it has it: the message of a store may name only the store.
   */
  #named(message: string, verb: string): string {
    const name = `'${oneLine(this.#source)}'`;
    return message.includes(name) ? message : `Cannot ${verb} ${name}: ${message}`;
  }

  #recovered(row: Row, line: string): void {
    if (this.#logger !== undefined) this.#log("info", line);
    else if (this.#printed.delete(row)) console.warn(oneLine(line));
  }

  #log(level: keyof Logger, line: string): void {
    const logger = this.#logger;
    // What a logger threw is not logged with that same logger.
    if (logger) callBack(() => logger[level](oneLine(line)), this.#fail);
  }

  #broke(callback: "onError" | "onPoll", thrown: unknown): void {
    if (!this.#fail(thrown)) return;
    this.gaveUp(
      `Cannot go on watching '${this.#source}' as '${callback}' failed: ${reasonOf(thrown)}`,
    );
  }
}
