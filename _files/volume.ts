/**
 * Volumes that change all at once, as Kubernetes makes them of ConfigMaps, Secrets and projected sources, and the Secrets
 * Store CSI driver of its secrets:
 *
 * ```
 * ..2026_01_31_12_00_00.123456789/    the files of now, in folders if their paths have them
 * ..data -> ..2026_01_31_12_00_00.123456789
 * config.json -> ..data/config.json
 * folder -> ..data/folder
 * ```
 *
 * An update writes all files anew, into another folder of such a name, puts another link in the place of `..data` in one
 * step, and removes the old folder. So names that begin with two dots are the volume's own, what a link through `..data`
 * shows is in the folder behind it, and of what changed only the contents tell.
 */
import { readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../_errors/code_of.ts";
import { isVanished } from "./failure.ts";

/** The link that is swapped. */
export const DATA = "..data";

/** What the folder of now is called: two dots and the time at which it was made. */
const STAMPED = /^\.\.\d{4}_/;

/** Whether a name of a volume's root is the volume's own. */
export function isInternal(name: string): boolean {
  return name.startsWith("..");
}

/** The name of the folder that holds the files of now, or undefined if this folder is no root of such a volume. */
export async function currentFolder(root: string): Promise<string | undefined> {
  const target = await linkTarget(join(root, DATA));
  return target !== undefined && /^\.\.[^/\\]+$/.test(target) ? target : undefined;
}

/** Whether a link in the root of a volume shows the file or folder of the same name in the folder of now. */
export async function showsData(root: string, name: string): Promise<boolean> {
  return await linkTarget(join(root, name)) === `${DATA}/${name}`;
}

/** Whether a real path, without links, lies in a folder that such a volume holds. */
export function isInVolume(path: string): boolean {
  return path.split(/[/\\]/).some((name) => STAMPED.test(name));
}

/** Where a file is, by the names of its key. */
export interface Place {
  readonly path: string;
  /** Whether its content alone tells that it changed. */
  readonly volume: boolean;
}

/** The place of a file under a real root, or undefined if the key leads there by a link to a folder that is not of a volume. */
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
    // EINVAL: it is no link, and UNKNOWN is how Windows says so.
    if (isVanished(thrown) || codeOf(thrown) === "EINVAL" || codeOf(thrown) === "UNKNOWN") return;
    throw thrown;
  }
}
