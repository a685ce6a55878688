/** Loads and saves the state of a source, and decides when a save is due. */
import type { ExternalSource } from "../_diff/source.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { CheckpointSlot, checkState } from "./checkpoint_slot.ts";
import { checkpointFailure, type Failure, restoreFailure, withPlace } from "./failure.ts";
import { SaveSteps } from "./save_steps.ts";

// A state up to this size is compared byte by byte: it may change without an event, such as when a server
// answers the same content with a new ETag.
const SMALL = 4_096;

/** A source that has both `save` and `restore`. */
type Restorable = Required<Pick<ExternalSource<unknown>, "name" | "save" | "restore">>;

export class Checkpointer {
  readonly #source: Restorable;
  readonly #slot: CheckpointSlot;
  readonly #claim: boolean;
  readonly #steps = new SaveSteps();
  #loaded = false;
  #restored = false;
  /** Whether there were events since the state was last saved. */
  #changed = false;
  /** The state saved or loaded last: "large" if it is too large to be compared. */
  #last: Uint8Array | "large" | undefined;
  #due = false;
  /** Whether another save has become due since the state that is being saved was taken. */
  #dueAgain = false;
  #failures = 0;

  /**
   * Takes the source's name in this store, until `release`.
   *
   * @param claim Whether to claim the state, if the store can, so that earlier claimants cannot overwrite it.
   */
  constructor(source: ExternalSource<unknown>, store: CheckpointStore, claim: boolean) {
    if (!isRestorable(source)) {
      throw new TypeError(
        `Cannot watch '${
          oneLine(source.name)
        }' with a checkpoint as the source has no 'save' or no ` +
          "'restore' method",
      );
    }
    this.#source = source;
    this.#claim = claim;
    this.#slot = new CheckpointSlot(store, source.name);
  }

  release(): void {
    this.#slot.release();
  }

  /** How many saves in a row have failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Loads the state, once, before the first poll. Rejects with the signal's reason as soon as the signal aborts. */
  async load(signal: AbortSignal): Promise<Failure | undefined> {
    if (this.#loaded) return undefined;
    const { name } = this.#source;
    let state: Uint8Array | undefined;
    try {
      state = await this.#slot.load(signal, this.#claim);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      return checkpointFailure(name, "load", thrown);
    }
    const error = state === undefined ? undefined : await this.#restore(state);
    this.#loaded = true;
    return error && { error, fatal: true };
  }

  async #restore(state: Uint8Array): Promise<ExternalError | undefined> {
    try {
      if (!(state instanceof Uint8Array)) {
        throw new TypeError("'load' of its store must resolve with a Uint8Array or undefined");
      }
      this.#source.restore(state);
    } catch (thrown) {
      return await this.located(restoreFailure(this.#source.name, thrown));
    }
    this.#restored = true;
    this.#remember(state);
    return undefined;
  }

  /** Whether the source was restored from a state that was loaded. */
  get restored(): boolean {
    return this.#restored;
  }

  /** The error about a state that cannot be trusted, with the place where the state is kept. */
  async located(error: ExternalError): Promise<ExternalError> {
    const place = await this.#slot.locate();
    return place === undefined ? error : withPlace(error, place);
  }

  /** To be called after the save that comes before the first event of a delivery. */
  announced(): void {
    this.#steps.restart();
  }

  /** To be called for every event handled. */
  handled(): void {
    this.#steps.handled();
    this.#changed = true;
  }

  /** To be called when no event is with a handler: then what was handled is saved without delay. */
  settled(): void {
    if (this.#changed) this.#due = this.#dueAgain = true;
  }

  /** Whether it is time to save in the middle of a delivery. */
  get stepIsDue(): boolean {
    return this.#steps.isDue;
  }

  /** To be called when all events of a poll were handled. */
  delivered(): void {
    this.#due = this.#changed || this.#last === undefined ||
      this.#last !== "large" && this.#isOther(this.#last);
    this.#dueAgain = this.#due;
  }

  #isOther(last: Uint8Array): boolean {
    // `save` may write into the memory that is being saved.
    if (this.#slot.isSaving) return true;
    try {
      return !equal(last, this.#source.save());
    } catch {
      return true; // Saving reports the reason.
    }
  }

  /** Whether there is something to save after a delivery. */
  get isDue(): boolean {
    return this.#due;
  }

  /** Saves the state. Resolves with the failure, if it failed. One that is not fatal is to be tried again. */
  async save(): Promise<Failure | undefined> {
    const ended = this.#steps.begin();
    const changed = this.#changed;
    try {
      await this.#slot.turn();
      // Events that are handled from here on, while the state is being written, belong to the next save.
      this.#dueAgain = this.#changed = false;
      const state = this.#source.save();
      checkState(state);
      // The state may be unchanged, such as before the first event of a source that does not save what it is about to
      // report.
      const isKnown = this.#last instanceof Uint8Array && equal(this.#last, state);
      if (!isKnown) await this.#slot.save(state);
      this.#remember(state);
    } catch (thrown) {
      this.#failures++;
      this.#changed ||= changed;
      return checkpointFailure(this.#source.name, "save", thrown);
    } finally {
      ended();
    }
    this.#due = this.#dueAgain;
    this.#failures = 0;
    return undefined;
  }

  #remember(state: Uint8Array): void {
    // A copy, since a source may use its memory again.
    this.#last = state.length > SMALL ? "large" : state.slice();
  }
}

/** Deletes the state that is kept under a name, after any save under way. Rejects if a watch uses the name. */
export async function forgetState(store: CheckpointStore, name: string): Promise<void> {
  const slot = new CheckpointSlot(store, name);
  try {
    await slot.turn();
    await slot.delete();
  } catch (thrown) {
    throw checkpointFailure(name, "delete", thrown).error;
  } finally {
    slot.release();
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function isRestorable(
  source: ExternalSource<unknown>,
): source is ExternalSource<unknown> & Restorable {
  return typeof source.save === "function" && typeof source.restore === "function";
}
