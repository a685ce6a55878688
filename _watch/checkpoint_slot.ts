/**
 * The state of one watch in a checkpoint store. Only one watch at a time holds the name, and each load and save has a
 * time limit.
 */
import { Limits } from "../_bounds/limits.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { MAX_STATE_BYTES } from "../_state/sealed_state.ts";

/** How long a load or a save may take, in milliseconds. */
const TIMEOUT = 60_000;
/** After each load that timed out, the next one may take twice as long, up to 32 times: a large state may need it. */
const MOST_DOUBLINGS = 5;
/** A save gets more time for a larger state: one millisecond for this many bytes, so a second for each megabyte. */
const SLOWEST = 1_000;

// Two watches under one name would overwrite each other's state.
const inUse = new WeakMap<CheckpointStore, Set<string>>();

// A save that timed out, or whose watch has ended, still goes on. No other save under its name begins before it has
// settled: the late one would overwrite a newer state. The next watch of that name waits for it before it loads:
// otherwise it would load the older state, and its own saves could be overwritten.
const underWay = new WeakMap<CheckpointStore, Map<string, Promise<unknown>>>();

export class CheckpointSlot {
  readonly #store: CheckpointStore;
  readonly #name: string;
  readonly #released = new AbortController();
  #lateLoads = 0;

  /** Takes this name in the store, until `release`. */
  constructor(store: CheckpointStore, name: string) {
    const names = inUse.get(store) ?? new Set();
    if (names.has(name)) {
      throw new TypeError(
        `Cannot watch '${oneLine(name)}' as another watch keeps its checkpoint under this name: ` +
          "give one of the sources another 'name'",
      );
    }
    inUse.set(store, names.add(name));
    this.#store = store;
    this.#name = name;
  }

  /** Gives the name back, and no longer waits for a save or a delete under way. A load ends by its own signal. */
  release(): void {
    inUse.get(this.#store)?.delete(this.#name);
    this.#released.abort();
  }

  /** Whether a save is under way, even one that timed out. */
  get isSaving(): boolean {
    return underWay.get(this.#store)?.has(this.#name) === true;
  }

  /** Loads the state, or claims it if the store can. Rejects with the signal's reason as soon as the signal aborts. */
  async load(signal: AbortSignal, claim: boolean): Promise<Uint8Array | undefined> {
    const timeout = TIMEOUT * 2 ** Math.min(this.#lateLoads, MOST_DOUBLINGS);
    const limits = new Limits(signal, timeout, () => {
      this.#lateLoads++;
      return unanswered(timeout);
    });
    try {
      const earlier = underWay.get(this.#store)?.get(this.#name);
      if (earlier !== undefined) await limits.orAborted(earlier);
      limits.signal.throwIfAborted();
      const store = this.#store;
      const isClaimed = claim && store.claim !== undefined;
      return await limits.orAborted(
        call(() => isClaimed ? store.claim?.(this.#name) : store.load(this.#name)),
      );
    } finally {
      limits.release();
    }
  }

  /**
   * Waits until no save under this name is under way. The state must be taken from the source only after that: then
   * it is the newest, and may use the memory of the one before.
   */
  async turn(): Promise<void> {
    const earlier = underWay.get(this.#store)?.get(this.#name);
    if (earlier !== undefined) await this.#within(TIMEOUT, earlier);
  }

  /** Saves the state. To be called directly after `turn`. */
  async save(state: Uint8Array): Promise<void> {
    // If the name was given back meanwhile, the next watch of this name may be loading by now.
    this.#released.signal.throwIfAborted();
    await this.#within(TIMEOUT + Math.round(state.length / SLOWEST), this.#begin(state));
  }

  /** Deletes the state. To be called directly after `turn`. */
  async delete(): Promise<void> {
    this.#released.signal.throwIfAborted();
    await this.#within(TIMEOUT, call(() => this.#store.delete?.(this.#name)));
  }

  /** Where the state is kept, if the store can tell. */
  async locate(): Promise<string | undefined> {
    try {
      return await this.#within(TIMEOUT, call(() => this.#store.locate?.(this.#name)));
    } catch {
      return undefined; // The place is only a detail of another error, which must still be reported.
    }
  }

  #begin(state: Uint8Array): Promise<void> {
    const saves = underWay.get(this.#store) ?? new Map<string, Promise<unknown>>();
    underWay.set(this.#store, saves);
    const save = call(() => this.#store.save(this.#name, state));
    const forget = () => void saves.delete(this.#name);
    saves.set(this.#name, save.then(forget, forget));
    return save;
  }

  async #within<T>(timeout: number, work: Promise<T>): Promise<T> {
    const limits = new Limits(this.#released.signal, timeout, () => unanswered(timeout));
    try {
      return await limits.orAborted(work);
    } finally {
      limits.release();
    }
  }
}

function unanswered(timeout: number): ExternalError {
  return new ExternalError("timeout", `its store did not answer within ${timeout} ms`);
}

/** Throws if the state could not be loaded again. */
export function checkState(state: Uint8Array): void {
  if (!(state instanceof Uint8Array)) {
    throw new TypeError("'save' of the source must return a Uint8Array");
  }
  if (state.length > MAX_STATE_BYTES) {
    throw new RangeError(
      `its state has ${state.length} bytes, and no more than ${MAX_STATE_BYTES} can be loaded again: ` +
        "watch less with one source, such as by a prefix",
    );
  }
}

/** Calls a function, and turns what it throws into a rejection. */
function call<T>(method: () => T | PromiseLike<T>): Promise<T> {
  return new Promise((resolve) => resolve(method()));
}
