/** The entries of a folder. */
import { lstat, readdir } from "node:fs/promises";
import { compareKeys } from "../_bytes/order.ts";
import type { ExternalError } from "../_errors/external_error.ts";
import { mayHold } from "../_listing/walk.ts";
import { type Failures, isVanished } from "./failure.ts";

/** Every runtime decodes the invalid bytes of a name that is not UTF-8 to this character. */
const REPLACEMENT = "\ufffd";

/** A folder that is read. */
export interface Folder {
  /** Its key with a final slash, or empty for the root. */
  readonly key: string;
  readonly path: string;
}

export interface Entry {
  /** With a final slash if it is a folder. */
  readonly key: string;
  readonly folder: boolean;
  /** Whether it is a link, which may lead to a file or nowhere. */
  readonly link: boolean;
}

/** The path of a key that is in the folder. */
export function pathOf(folder: Folder, key: string): string {
  return `${folder.path}/${key.slice(folder.key.length)}`;
}

/** An entry as `readdir` returns it. Some file systems do not report its type: then all three methods return false. */
export interface Named {
  readonly name: string;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

export function readNames(path: string): Promise<Named[]> {
  return readdir(path, { withFileTypes: true, encoding: "utf8" });
}

/**
 * The files, links and folders in a folder, in the order of their keys. Leaves out entries of any
 * other type, and those that cannot lead to a key with the prefix.
 */
export async function entriesOf(
  folder: Folder,
  names: readonly Named[],
  prefix: string,
  failures: Failures,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let suspects: string[] | undefined;
  for (const named of names) {
    const { name } = named;
    const key = folder.key + name;
    if (name.includes(REPLACEMENT) && mayHold(`${key}/`, prefix)) {
      (suspects ??= []).push(name);
    }
    let entry: Entry | undefined;
    if (named.isFile()) entry = { key, folder: false, link: false };
    else if (named.isDirectory()) entry = { key: `${key}/`, folder: true, link: false };
    else if (named.isSymbolicLink()) entry = { key, folder: false, link: true };
    else if (mayHold(`${key}/`, prefix)) {
      // A special file, or a file system that does not report types.
      entry = await look(folder, key, failures);
    }
    if (entry === undefined) continue;
    if (entry.folder ? mayHold(entry.key, prefix) : key.startsWith(prefix)) entries.push(entry);
  }
  if (suspects !== undefined) await checkNames(folder, suspects, failures);
  return entries.sort((a, b) => compareKeys(a.key, b.key));
}

async function look(
  folder: Folder,
  key: string,
  failures: Failures,
): Promise<Entry | undefined> {
  const path = pathOf(folder, key);
  try {
    const found = await lstat(path);
    if (found.isDirectory()) return { key: `${key}/`, folder: true, link: false };
    const link = found.isSymbolicLink();
    return link || found.isFile() ? { key, folder: false, link } : undefined;
  } catch (thrown) {
    if (isVanished(thrown)) return undefined;
    throw failures.list(path, thrown);
  }
}

/** Throws if a name is not UTF-8: its decoded form leads to nothing, or to another file. */
async function checkNames(
  folder: Folder,
  names: readonly string[],
  failures: Failures,
): Promise<void> {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw inexact(folder, name, "two names both read as", failures);
    seen.add(name);
  }
  for (const name of names) {
    if (await exists(`${folder.path}/${name}`, failures)) continue;
    // It was listed but does not exist: it has vanished, unless it is still listed.
    const again = await readNames(folder.path).catch((thrown) => {
      if (isVanished(thrown)) return [];
      throw failures.list(folder.path, thrown);
    });
    if (again.some((named) => named.name === name)) {
      throw inexact(folder, name, "a name that is not UTF-8 reads as", failures);
    }
  }
}

async function exists(path: string, failures: Failures): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    if (isVanished(thrown)) return false;
    throw failures.list(path, thrown);
  }
}

function inexact(folder: Folder, name: string, what: string, failures: Failures): ExternalError {
  return failures.of(
    "list",
    `in '${folder.path}' ${what} ${JSON.stringify(name)}, so no key is exact: ` +
      "rename what 'ls -b' shows with a backslash",
  );
}
