/**
 * States that several processes may write. Each write is conditional on what its writer read or
 * wrote last, so a stale, frozen or late writer is refused and never overwrites newer state.
 *
 * Every write carries a mark of its own: its writer, and the number of the write. A claim writes
 * the existing state again with a new mark. By the mark, a writer recognizes its own write if the
 * answer was lost.
 */
import { ExternalError } from "../_errors/external_error.ts";

/** Attempts at a write that is refused though nobody else has written, or at a claim that meets other writes. */
const TRIES = 5;
/**
 * Milliseconds after its call in which a claim that meets other writes is tried again. A claim that
 * takes longer, such as in a process that was frozen, must not take the key from another process
 * that has rightly claimed it meanwhile.
 */
const CLAIM_TIME = 10_000;

/** A record that was read. */
export interface Found {
  /** What the condition of a write names, such as an ETag. */
  readonly version?: string;
  /** Distinguishes this write from every other. */
  readonly mark: string;
  /** Missing if the key was claimed before the first save, or deleted. */
  readonly state?: Uint8Array;
}

/** The place where such states are kept, as records. */
export interface Records {
  /**
   * The record that is there now.
   *
   * @param toWrite True: throws if the record has no version, which a write needs.
   */
  read(key: string, toWrite?: boolean): Promise<Found | undefined>;
  /**
   * Replaces the record if it still has this version, or creates it if no version is given.
   * Resolves to the new version; to undefined if the write was refused or no version was reported,
   * so that only reading tells what happened.
   */
  write(
    key: string,
    record: Omit<Found, "version">,
    version: string | undefined,
  ): Promise<string | undefined>;
  /**
   * Removes the record if it still has this version, and resolves to whether it did. A store
   * without this method keeps a record without a state instead.
   */
  remove?(key: string, version: string): Promise<boolean>;
  /** Where the record is kept, for errors. */
  locate(key: string): Promise<string>;
}

/** What this store knows of one record. */
interface Known {
  /** Its version when it was read or written last; undefined if there was none. */
  version: string | undefined;
  /** Its mark then. */
  mark: string | undefined;
  /** The number of the newest write that is known to be done. */
  written: number;
}

export class FencedStates {
  readonly #records: Records;
  /** Identifies this store object among all that ever existed. */
  readonly #owner = crypto.randomUUID();
  readonly #known = new Map<string, Known>();
  #writes = 0;

  constructor(records: Records) {
    this.#records = records;
  }

  async load(key: string): Promise<Uint8Array | undefined> {
    const found = await this.#records.read(key);
    see(this.#knownOf(key), found);
    return found?.state;
  }

  async save(key: string, state: Uint8Array): Promise<void> {
    const number = ++this.#writes;
    const mark = this.#mark(number);
    const known = this.#knownOf(key);
    for (let tries = 0; tries < TRIES && known.written <= number; tries++) {
      const version = await this.#records.write(key, { mark, state }, known.version);
      if (version !== undefined) return written(known, number, { mark, version });
      // Somebody else has written; or this process has, as clients repeat a write whose answer was
      // lost, and meet their own first attempt; or nobody has, and the store was busy.
      const found = await this.#records.read(key, true);
      if (found?.mark === mark) return written(known, number, found);
      const own = this.#numberOf(found);
      if (own !== undefined && own > number) return;
      await this.#look("save", key, known, found);
    }
    if (known.written <= number) throw await this.#refused("save", key);
  }

  async claim(key: string): Promise<Uint8Array | undefined> {
    const number = ++this.#writes;
    const mark = this.#mark(number);
    const known = this.#knownOf(key);
    const end = performance.now() + CLAIM_TIME;
    for (let tries = 0; tries < TRIES; tries++) {
      const found = await this.#records.read(key, true);
      const state = found?.state;
      if (found?.mark === mark) {
        written(known, number, found);
        return state;
      }
      // A newer write of this store object is done: nobody waits for this claim any more.
      if (known.written > number || tries > 0 && performance.now() > end) break;
      const record = { mark, ...(state !== undefined && { state }) };
      const version = await this.#records.write(key, record, found?.version);
      if (version === undefined) continue;
      written(known, number, { mark, version });
      return state;
    }
    throw await this.#refused("claim", key);
  }

  async delete(key: string): Promise<void> {
    const number = ++this.#writes;
    const mark = this.#mark(number);
    if (!this.#known.has(key)) await this.load(key);
    const known = this.#knownOf(key);
    for (let tries = 0; tries < TRIES; tries++) {
      const gone = known.mark !== undefined && await this.#remove(key, mark, known.version);
      const found = gone ? undefined : await this.#records.read(key, true);
      if (found === undefined || found.mark === mark) {
        see(known, found);
        known.written = number; // A save that still hangs gives up.
        if (this.#known.get(key) === known) this.#known.delete(key);
        return;
      }
      await this.#look("delete", key, known, found);
    }
    throw await this.#refused("delete", key);
  }

  async #remove(key: string, mark: string, version: string | undefined): Promise<boolean> {
    const { remove } = this.#records;
    if (remove === undefined || version === undefined) {
      return await this.#records.write(key, { mark }, version) !== undefined;
    }
    return await remove.call(this.#records, key, version);
  }

  #mark(number: number): string {
    return `${this.#owner}/${number}`;
  }

  /** The number of the write that made this record, if this store object made it. */
  #numberOf(found: Found | undefined): number | undefined {
    const own = `${this.#owner}/`;
    return found?.mark.startsWith(own) ? Number(found.mark.slice(own.length)) : undefined;
  }

  #knownOf(key: string): Known {
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { version: undefined, mark: undefined, written: 0 };
      this.#known.set(key, known);
    }
    return known;
  }

  /** Notes what is there as known. Throws if another store object has written or deleted it. */
  async #look(
    verb: "save" | "delete",
    key: string,
    known: Known,
    found: Found | undefined,
  ): Promise<void> {
    if (this.#numberOf(found) === undefined && found?.mark !== known.mark) {
      const what = found === undefined
        ? "somebody has deleted it since: this watch ends; start it again to begin afresh"
        : found.state === undefined
        ? "another process has taken it over or deleted it since: this watch ends"
        : "another process has written it since: its state is newer, and this watch ends; let one " +
          "process alone watch under this name, and start again";
      throw new ExternalError(
        "checkpoint",
        `Cannot ${verb} the checkpoint of '${key}' as ${await this.#records.locate(key)} ` +
          `because ${what}`,
        { source: key, status: 412 },
      );
    }
    see(known, found);
  }

  async #refused(verb: string, key: string): Promise<ExternalError> {
    const why = verb === "claim"
      ? "others write it at the same time"
      : "the store refuses the write again and again, though nobody else has written it";
    return new ExternalError(
      "store",
      `Cannot ${verb} the checkpoint of '${key}' as ${await this.#records.locate(key)} ` +
        `because ${why}`,
      { source: key, status: 412 },
    );
  }
}

function see(known: Known, found: Found | undefined): void {
  known.version = found?.version;
  known.mark = found?.mark;
}

function written(known: Known, number: number, found: Found): void {
  if (number < known.written) return; // A newer one is done by now: this answer came late.
  see(known, found);
  known.written = number;
}
