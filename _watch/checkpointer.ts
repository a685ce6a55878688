/** When a watch loads and saves its state. */
import { orAborted } from "../_bounds/abort.ts";
import { reasonOf, withoutSecrets } from "../_errors/redact.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ExternalSource } from "../_diff/source.ts";

// In the middle of a large delivery the state is saved after so many events or so long, whichever comes
// first, so that a crash does not start it over …
const STEP_EVENTS = 10_000;
const STEP_TIME = 5_000;
// … but never spending more than about a tenth of the time on saving: a large state takes long to write.
const SAVING_SHARE = 10;

// A state up to this size is compared byte by byte: it may change without an event, such as when a server
// answers the same content with a new ETag.
const SMALL = 4_096;

/** A source that has both `save` and `restore`. */
type Restorable = Required<Pick<ExternalSource<unknown>, "name" | "save" | "restore">>;

// Two watches under one name would overwrite each other's state.
const inUse = new WeakMap<CheckpointStore, Set<string>>();

// A save goes on when its watch ends. The next watch of that name waits for it: else it would load what was
// before, and find its own state overwritten.
const underWay = new WeakMap<CheckpointStore, Map<string, Promise<unknown>>>();

export class Checkpointer {
  readonly #source: Restorable;
  readonly #store: CheckpointStore;
  #loaded = false;
  /** Events handled since the last save, be it a step or not. */
  #sinceStep = 0;
  /** Whether there were events since the state was last saved behind a delivery. */
  #changed = false;
  /** The state saved or loaded last: "large" if it is too large to be compared. */
  #last: Uint8Array | "large" | undefined;
  #due = false;
  #savedAt = 0;
  #notBefore = 0;

  /** Takes the source's name in this store, until `release`. */
  constructor(source: ExternalSource<unknown>, store: CheckpointStore) {
    if (typeof store?.load !== "function" || typeof store.save !== "function") {
      throw new TypeError("Cannot watch as 'checkpoint' has no 'load' or no 'save' method");
    }
    if (!isRestorable(source)) {
      throw new TypeError(
        `Cannot watch '${source.name}' with a checkpoint as the source has no 'save' or no 'restore' method`,
      );
    }
    const names = inUse.get(store) ?? new Set();
    if (names.has(source.name)) {
      throw new TypeError(
        `Cannot watch '${source.name}' as another watch keeps its checkpoint under this name: ` +
          "give one of the sources another 'name'",
      );
    }
    inUse.set(store, names.add(source.name));
    this.#source = source;
    this.#store = store;
  }

  release(): void {
    inUse.get(this.#store)?.delete(this.#source.name);
  }

  /** Loads the state, once, before the first poll. */
  async load(signal: AbortSignal): Promise<void> {
    if (this.#loaded) return;
    const state = await this.#read(signal);
    if (state !== undefined) {
      try {
        this.#source.restore(state);
      } catch (thrown) {
        throw await this.#notRestored(thrown);
      }
      this.#remember(state);
    }
    this.#loaded = true;
    this.#savedAt = now();
  }

  async #read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { name } = this.#source;
    const load = async () => {
      await underWay.get(this.#store)?.get(name);
      return await this.#store.load(name);
    };
    try {
      return await orAborted(load(), signal);
    } catch (thrown) {
      if (signal.aborted || thrown instanceof ExternalError) throw thrown;
      throw new ExternalError(
        "internal",
        `Cannot load the checkpoint of '${name}': ${reasonOf(thrown)}`,
        { source: name, cause: withoutSecrets(thrown) },
      );
    }
  }

  /** To be called for every event handled. */
  handled(): void {
    this.#sinceStep++;
    this.#changed = true;
  }

  /** Whether it is time to save in the middle of a delivery. */
  get stepIsDue(): boolean {
    if (this.#sinceStep === 0) return false;
    const time = now();
    return time >= this.#notBefore &&
      (this.#sinceStep >= STEP_EVENTS || time - this.#savedAt >= STEP_TIME);
  }

  /** To be called when a poll was handled whole. */
  delivered(): void {
    this.#due = this.#changed || this.#last === undefined ||
      this.#last !== "large" && this.#isOther(this.#last);
  }

  #isOther(last: Uint8Array): boolean {
    try {
      return !equal(last, this.#source.save());
    } catch {
      return true; // `save` will say why.
    }
  }

  /** Whether there is something to save behind a delivery. */
  get isDue(): boolean {
    return this.#due;
  }

  /** Saves the state. What it rejects with other than code `checkpoint` passes: it is tried again. */
  async save(): Promise<void> {
    const startedAt = now();
    const behindDelivery = this.#due;
    const events = this.#sinceStep;
    try {
      const state = this.#source.save();
      // Nothing new, such as before the first event of a source that does not remember what is in doubt.
      const known = this.#last instanceof Uint8Array && equal(this.#last, state);
      if (!known) await this.#write(state);
      this.#remember(state);
      if (behindDelivery) this.#due = this.#changed = false;
    } finally {
      // Also after a failure: a disk that is full is not tried again behind every event.
      this.#sinceStep -= events;
      this.#savedAt = now();
      this.#notBefore = this.#savedAt + SAVING_SHARE * (this.#savedAt - startedAt);
    }
  }

  async #write(state: Uint8Array): Promise<void> {
    const { name } = this.#source;
    const saves = underWay.get(this.#store) ?? new Map<string, Promise<unknown>>();
    underWay.set(this.#store, saves);
    const save = this.#store.save(name, state);
    const settled = Promise.resolve(save).then(() => {}, () => {});
    saves.set(name, settled);
    try {
      await save;
    } finally {
      if (saves.get(name) === settled) saves.delete(name);
    }
  }

  #remember(state: Uint8Array): void {
    this.#last = state.length > SMALL ? "large" : state.slice();
  }

  async #notRestored(thrown: unknown): Promise<ExternalError> {
    const { name } = this.#source;
    const error = checkpointError(`restore '${name}' from its checkpoint`, thrown);
    // Whoever is told to delete it, or to put back a copy, must know what.
    const place = await Promise.resolve(this.#store.locate?.(name)).catch(() => undefined);
    if (place === undefined) return error;
    return new ExternalError("checkpoint", `${error.message} (it is kept in '${place}')`, {
      source: name,
      ...("cause" in error && { cause: error.cause }),
    });
  }
}

/** Milliseconds of a clock that never jumps. */
function now(): number {
  return performance.now();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** An error of a checkpoint, with the message of what was thrown. */
export function checkpointError(doing: string, thrown: unknown): ExternalError {
  if (thrown instanceof ExternalError && thrown.code === "checkpoint") return thrown;
  return new ExternalError("checkpoint", `Cannot ${doing}: ${reasonOf(thrown)}`, {
    cause: withoutSecrets(thrown),
  });
}

function isRestorable(
  source: ExternalSource<unknown>,
): source is ExternalSource<unknown> & Restorable {
  return typeof source.save === "function" && typeof source.restore === "function";
}
