/** Sizes and times of files, and the ETags made from them. */
import { stat as statBack } from "node:fs";
import { readFile } from "node:fs/promises";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { type Entry, type Folder, pathOf } from "./entries.ts";
import { codeOf } from "../_errors/code_of.ts";
import { type Failures, isVanished } from "./failure.ts";

// The clock that stamps files ticks every 1 to 16 ms, so a file may be written again without a new time.
const TICK = 20;
const LOOKS = 3;

/** What `stat` returns for a file. It is the same on every runtime only with `bigint: true`. */
export interface FileState {
  readonly size: bigint;
  /** Whole milliseconds, as Deno has no fractions. */
  readonly mtimeMs: bigint;
  readonly ino: bigint;
  isFile(): boolean;
}

/** How to look at files. */
export interface LookOptions {
  /** Whether the inode number is part of the ETag. */
  readonly inode: boolean;
  readonly failures: Failures;
}

/** The metadata of each of these files of a folder; undefined for one that is gone or not a file. */
export async function lookAt(
  folder: Folder,
  files: readonly Entry[],
  signal: AbortSignal,
  options: LookOptions,
): Promise<(ObjectMeta | undefined)[]> {
  const objects = await lookOnce(folder, files, options);
  // Looks again at files that were written just now. One of them may be written again, to the same
  // size, before the clock ticks, and no later listing could see that change.
  for (let look = 0; look < LOOKS && !signal.aborted; look++) {
    const young = [...objects.keys()].filter((i) => isYoung(objects[i]));
    if (young.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, TICK));
    const found = await lookOnce(folder, young.map((i) => files[i] as Entry), options);
    for (const [j, i] of young.entries()) objects[i] = found[j];
  }
  return objects;
}

function lookOnce(
  folder: Folder,
  files: readonly Entry[],
  { inode, failures }: LookOptions,
): Promise<(ObjectMeta | undefined)[]> {
  // One promise for all files, which keeps only what is needed of each state. With a promise for
  // each file, which keeps the whole state until the last file is read, Node takes twice the time.
  return new Promise((resolve, reject) => {
    const objects = files.map((): ObjectMeta | undefined => undefined);
    let left = files.length;
    for (const [i, { key, link }] of files.entries()) {
      const path = pathOf(folder, key);
      statBack(path, { bigint: true }, (failure, state) => {
        if (failure) {
          const absent = isVanished(failure) || link && codeOf(failure) === "ELOOP";
          if (!absent) reject(failures.list(path, failure));
        } else if (state.isFile()) {
          objects[i] = metaOf(key, state, inode);
        }
        if (--left === 0) resolve(objects);
      });
    }
  });
}

/** Like `lookAt`, with ETags made from the contents: for small files that are never rewritten in place. */
export async function readAll(
  folder: Folder,
  files: readonly Entry[],
  options: LookOptions,
): Promise<(ObjectMeta | undefined)[]> {
  const objects = await lookOnce(folder, files, options);
  return await Promise.all(objects.map(async (object) => {
    if (object === undefined) return undefined;
    const path = pathOf(folder, object.key);
    try {
      const content = new Uint8Array(await readFile(path));
      return { ...object, size: content.length, etag: await contentEtag(content) };
    } catch (thrown) {
      if (isVanished(thrown)) return undefined;
      throw options.failures.list(path, thrown);
    }
  }));
}

function metaOf(key: string, state: FileState, inode: boolean): ObjectMeta {
  return {
    key,
    size: Number(state.size),
    etag: stateEtag(state, inode),
    lastModified: Number(state.mtimeMs),
  };
}

/** The ETag of a file, made from its size, its modification time and perhaps its inode number. */
export function stateEtag({ size, mtimeMs, ino }: FileState, inode: boolean): string {
  const written = `${base36(mtimeMs)}-${base36(size)}`;
  // Converted to a number, as on Deno: above 2⁵³ the last bits are lost.
  return inode ? `"${written}-${base36(BigInt(Number(ino)))}"` : `"${written}"`;
}

/** The ETag of a file, made from its content. */
export async function contentEtag(content: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return `"sha256-${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}"`;
}

function isYoung(object: ObjectMeta | undefined): boolean {
  return object?.lastModified !== undefined && Math.abs(Date.now() - object.lastModified) < TICK;
}

/** Digits in base 36. Converting a number is faster than a bigint, with the same result if it is exact. */
function base36(value: bigint): string {
  const number = Number(value);
  return (Number.isSafeInteger(number) ? number : value).toString(36);
}
