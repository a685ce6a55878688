/**
 * Volumes whose files all change at once, as Kubernetes makes them from ConfigMaps, Secrets and
 * projected sources, and the Secrets Store CSI driver from its secrets:
 *
 * ```
 * ..2026_01_31_12_00_00.123456789/    the current files, in folders if their paths have them
 * ..data -> ..2026_01_31_12_00_00.123456789
 * config.json -> ..data/config.json
 * folder -> ..data/folder
 * ```
 *
 * An update writes all files again, into a new folder with such a name, replaces the link `..data`
 * in one step, and removes the old folder. So names that begin with two dots belong to the volume
 * itself, a file behind a link through `..data` is read from the folder that `..data` leads to, and
 * only the contents tell which files changed.
 */
import { readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../_errors/code_of.ts";
import { isVanished } from "./failure.ts";

/** The link that an update replaces. */
export const DATA = "..data";

/** How the name of a volume's current folder begins: two dots and the time at which it was made. */
const STAMPED = /^\.\.\d{4}_/;

/** Whether a name in a volume's root belongs to the volume itself. */
export function isInternal(name: string): boolean {
  return name.startsWith("..");
}

/** The name of the folder with the current files, or undefined if `root` is not the root of such a volume. */
export async function currentFolder(root: string): Promise<string | undefined> {
  const target = await linkTarget(join(root, DATA));
  return target !== undefined && /^\.\.[^/\\]+$/.test(target) ? target : undefined;
}

/** Whether a name in the root of a volume is a link to the file or folder of the same name in the current folder. */
export async function showsData(root: string, name: string): Promise<boolean> {
  return await linkTarget(join(root, name)) === `${DATA}/${name}`;
}

/** Whether a path without links lies in such a volume's folder of files. */
export function isInVolume(path: string): boolean {
  return path.split(/[/\\]/).some((name) => STAMPED.test(name));
}

/** Where the file of a key is. */
export interface Place {
  readonly path: string;
  /** Whether it is in such a volume, so that only its content tells that it changed. */
  readonly volume: boolean;
}

/**
 * The place of a file, by the names in its key, under a root without links; undefined if one of the
 * names belongs to a volume itself. Other links on the way are not checked.
 */
export async function placeOf(root: string, names: readonly string[]): Promise<Place | undefined> {
  let folder = root;
  let volume = isInVolume(root);
  for (const [i, name] of names.entries()) {
    const current = volume ? undefined : await currentFolder(folder);
    if (current !== undefined) {
      if (isInternal(name)) return undefined;
      if (await showsData(folder, name)) {
        folder = join(folder, current);
        volume = true;
      }
    }
    if (i === names.length - 1) return { path: join(folder, name), volume };
    folder = join(folder, name);
  }
  return undefined;
}

/** Whether no part of the path is a link. */
export async function isReal(folder: string): Promise<boolean> {
  return await realpath(folder) === folder;
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (thrown) {
    // EINVAL: it is not a link; Windows says UNKNOWN.
    if (isVanished(thrown) || codeOf(thrown) === "EINVAL" || codeOf(thrown) === "UNKNOWN") return;
    throw thrown;
  }
}
