/** Reads a folder and all folders in it, as tasks of a walk. */
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { type Step, type Task, walk } from "../_listing/walk.ts";
import { entriesOf, type Entry, type Folder, type Named, pathOf, readNames } from "./entries.ts";
import { type Failures, isVanished } from "./failure.ts";
import { lookAt, readAll } from "./stat.ts";
import { currentFolder, DATA, isInternal, showsData } from "./volume.ts";

/** How many files are looked at in one task. */
const BATCH = 128;
/** Attempts to read a volume that changes meanwhile. */
const TRIES = 3;

export interface FolderListingOptions {
  readonly prefix: string;
  /** Whether a file's inode number is part of its ETag. */
  readonly inode: boolean;
  readonly failures: Failures;
}

/** One listing. */
export class FolderListing {
  readonly #options: FolderListingOptions;

  constructor(options: FolderListingOptions) {
    this.#options = options;
  }

  /**
   * The task that reads the folder to be listed.
   *
   * @param volume Whether the ETags of its files are made from their contents.
   */
  root(folder: Folder, volume: boolean): Task {
    return this.#folder(folder, volume, true);
  }

  #folder(folder: Folder, volume: boolean, isRoot = false): Task {
    return async (signal) => {
      const { prefix, failures } = this.#options;
      const names = await this.#names(folder, isRoot);
      if (!volume && names.some(({ name }) => name === DATA)) {
        if (await this.#current(folder) !== undefined) return this.#volume(folder, names, signal);
      }
      return this.#steps(folder, await entriesOf(folder, names, prefix, failures), volume);
    };
  }

  #steps(folder: Folder, entries: readonly Entry[], volume: boolean): Step[] {
    const steps: Step[] = [];
    let files: Entry[] = [];
    for (const entry of entries) {
      if (!entry.folder && files.push(entry) < BATCH) continue;
      if (files.length > 0) steps.push(this.#files(folder, files, volume));
      files = [];
      if (entry.folder) steps.push(this.#folder(within(folder, entry), volume));
    }
    if (files.length > 0) steps.push(this.#files(folder, files, volume));
    return steps;
  }

  /** Looks at files whose keys follow one another. */
  #files(folder: Folder, files: readonly Entry[], volume: boolean): Task {
    return async (signal) => {
      const objects = volume
        ? await readAll(folder, files, this.#options)
        : await lookAt(folder, files, signal, this.#options);
      return [objects.filter((object) => object !== undefined)];
    };
  }

  async #names(folder: Folder, isRoot: boolean): Promise<Named[]> {
    try {
      return await readNames(folder.path);
    } catch (thrown) {
      // A missing root is an error, not an empty listing.
      if (!isRoot && isVanished(thrown)) return [];
      throw this.#options.failures.list(folder.path, thrown);
    }
  }

  async #current(folder: Folder): Promise<string | undefined> {
    try {
      return await currentFolder(folder.path);
    } catch (thrown) {
      throw this.#options.failures.list(folder.path, thrown);
    }
  }

  /** Reads a volume as of one moment: its current folder, and anything else that lies beside it. */
  async #volume(folder: Folder, names: readonly Named[], signal: AbortSignal): Promise<Step[]> {
    const { prefix, failures } = this.#options;
    const beside: Named[] = [];
    for (const named of names) {
      if (isInternal(named.name)) continue;
      if (named.isFile() || !await showsData(folder.path, named.name)) beside.push(named);
    }
    const steps: { key: string; step: Step }[] = [];
    for (const entry of await entriesOf(folder, beside, prefix, failures)) {
      const step = entry.folder
        ? this.#folder(within(folder, entry), false)
        : this.#files(folder, [entry], false);
      steps.push({ key: entry.key, step });
    }
    for (const object of await this.#volumeObjects(folder, signal)) {
      steps.push({ key: object.key, step: [object] });
    }
    return steps.sort((a, b) => compareKeys(a.key, b.key)).map(({ step }) => step);
  }

  async #volumeObjects(folder: Folder, signal: AbortSignal): Promise<ObjectMeta[]> {
    let failure: unknown;
    for (let tries = 0; tries < TRIES; tries++) {
      const current = await this.#current(folder);
      if (current === undefined) break;
      const task = this.root({ key: folder.key, path: `${folder.path}/${current}` }, true);
      try {
        const pages = await Array.fromAsync(walk(task, { ahead: 1, signal }));
        if (await this.#current(folder) === current) return pages.flat();
      } catch (thrown) {
        if (signal.aborted || await this.#current(folder) === current) throw thrown;
        failure = thrown;
      }
      // The folder was swapped meanwhile, so files of the old one may have been missing.
    }
    throw this.#options.failures.of(
      "list",
      `'${folder.path}' is a volume that was changed again and again while it was listed`,
      failure,
    );
  }
}

function within(folder: Folder, { key }: Entry): Folder {
  return { key, path: pathOf(folder, key.slice(0, -1)) };
}
