/**
 * Handles the events of one target: fetches contents, prints a line, runs a program. Throws if the
 * event is to be tried again.
 */
import type { ExternalEvent } from "../_diff/source.ts";
import type { HandleContext } from "../_watch/handle_options.ts";
import { type Command, UnfitError } from "./command.ts";
import { Contents } from "./contents.ts";
import { execute } from "./exec.ts";
import type { Options } from "./options.ts";
import { type Done, type Item, type Report, sizeOf } from "./report.ts";
import type { Screen } from "./screen.ts";
import type { Target } from "./targets.ts";

export class EventHandler {
  readonly #target: Target;
  readonly #options: Options;
  readonly #report: Report;
  readonly #screen: Screen;
  readonly #contents: Contents;
  /** By key, the state that was printed for an event that is not handled yet. */
  readonly #printed = new Map<string, string>();
  readonly #onUnfit: () => void;

  /** @param onUnfit Called for an event that no attempt can handle. */
  constructor(
    target: Target,
    { options, report, screen }: {
      readonly options: Options;
      readonly report: Report;
      readonly screen: Screen;
    },
    onUnfit: () => void,
  ) {
    this.#target = target;
    this.#options = options;
    this.#report = report;
    this.#screen = screen;
    this.#contents = new Contents(target, options);
    this.#onUnfit = onUnfit;
  }

  /** Handles an event. May be called again for an event that failed. */
  async handle(event: ExternalEvent<unknown>, { signal }: HandleContext): Promise<void> {
    const key = this.#contents.keyOf(event.item);
    try {
      const done = await this.#contents.take(event, signal);
      await this.#print(key, event, done);
      const { command } = this.#options;
      if (command !== undefined) await this.#execute(command, key, event, done);
    } catch (error) {
      if (!(error instanceof UnfitError)) throw error;
      this.#report.note(`Cannot handle '${key}' as ${error.message}: left out`);
      this.#onUnfit();
    }
    this.#printed.delete(key);
  }

  /** Prints an event once for each state: running its program again is no news. */
  async #print(key: string, event: ExternalEvent<unknown>, done: Done): Promise<void> {
    const { etag, lastModified } = event.item as Item;
    const state = JSON.stringify([event.type, sizeOf(event.item), etag, lastModified]);
    if (this.#printed.get(key) === state) return;
    await this.#report.event(this.#target.source.name, event, done);
    this.#printed.set(key, state);
  }

  async #execute(
    command: Command,
    key: string,
    { type, item }: ExternalEvent<unknown>,
    { file }: Done,
  ): Promise<void> {
    // Changed or gone since it was listed: there is no file, and the next poll reports it.
    if (command.needsFile && file === undefined && type !== "removed") return;
    const { etag = "" } = item as Item;
    const source = this.#target.source.name;
    const facts = { key, type, source, size: String(sizeOf(item)), etag, file: file ?? "" };
    const { json, concurrency } = this.#options;
    await execute(command, facts, this.#screen, { json, lines: concurrency > 1 });
  }
}
