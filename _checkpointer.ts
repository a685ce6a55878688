/** When a watch loads and saves its state. */
import { orAborted } from "./_abort.ts";
import { reasonOf, withoutSecrets } from "./_redact.ts";
import type { CheckpointStore } from "./checkpoint.ts";
import { ExternalError } from "./error.ts";
import type { ExternalSource } from "./watcher.ts";

// In the middle of a large delivery the state is saved after so many events or so long, whichever comes
// first, so that a crash does not start it over …
const STEP_EVENTS = 10_000;
const STEP_TIME = 5_000;
// … but never spending more than about a tenth of the time on saving: a large state takes long to write.
const SAVING_SHARE = 10;

/** A source that has both `save` and `restore`. */
type Restorable = Required<Pick<ExternalSource<unknown>, "name" | "save" | "restore">>;

// Two watches under one name would overwrite each other's state.
const inUse = new WeakMap<CheckpointStore, Set<string>>();

export class Checkpointer {
  readonly #source: Restorable;
  readonly #store: CheckpointStore;
  #loaded = false;
  /** Events handled since the last save; also those of a save that failed. */
  #unsaved = 0;
  /** Whether anything was ever loaded or saved: the first state is saved even if it holds nothing. */
  #known = false;
  #due = false;
  #savedAt = Date.now();
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
        throw checkpointError(`restore '${this.#source.name}' from its checkpoint`, thrown);
      }
      this.#known = true;
    }
    this.#loaded = true;
    this.#savedAt = Date.now();
  }

  async #read(signal: AbortSignal): Promise<Uint8Array | undefined> {
    const { name } = this.#source;
    try {
      return await orAborted(this.#store.load(name), signal);
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
    this.#unsaved++;
  }

  /** Whether it is time to save in the middle of a delivery. */
  get stepIsDue(): boolean {
    if (this.#unsaved === 0) return false;
    const now = Date.now();
    return now >= this.#notBefore &&
      (this.#unsaved >= STEP_EVENTS || now - this.#savedAt >= STEP_TIME);
  }

  /** To be called when a poll was handled whole. */
  delivered(): void {
    this.#due = this.#unsaved > 0 || !this.#known;
  }

  /** Whether there is something to save behind a delivery. */
  get isDue(): boolean {
    return this.#due;
  }

  /** Saves the state. What it rejects with other than code `checkpoint` passes: it is tried again. */
  async save(): Promise<void> {
    const startedAt = Date.now();
    const events = this.#unsaved;
    try {
      await this.#store.save(this.#source.name, this.#source.save());
      this.#unsaved -= events;
      this.#known = true;
      this.#due = false;
    } finally {
      this.#savedAt = Date.now();
      this.#notBefore = this.#savedAt + SAVING_SHARE * (this.#savedAt - startedAt);
    }
  }
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
