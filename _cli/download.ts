/** Copies of contents in a local folder. */
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { UnfitError } from "./command.ts";

/** Bytes in a name that every file system accepts. */
const LONGEST_NAME = 200;

/**
 * The path of a key below a folder. What a file name cannot hold on every system is
 * percent-encoded: `.` and `..`, control characters, and what Windows does not allow. An empty part
 * becomes `%`.
 */
export function placeOf(folder: string, key: string): string {
  const parts = key.split("/").map((part) => {
    if (part === "" || part === "." || part === "..") {
      return part.replaceAll(".", "%2E") || "%";
    }
    const name = part
      .replace(/[%\\:*?"<>|\p{Cc}\p{Cs}]/gu, percent)
      // Windows drops them at the end of a name.
      .replace(/[. ]$/, percent);
    if (new TextEncoder().encode(name).length > LONGEST_NAME) {
      throw new UnfitError(
        "a part of the key is too long for the name of a file",
      );
    }
    return name;
  });
  return join(folder, ...parts);
}

/** The key under which an HTTP resource is kept: its host and path, without the query, which may hold a secret. */
export function keyOfUrl(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname.endsWith("/") ? `${pathname}index` : pathname}`;
}

/** Writes a content to its place, completely or not at all. */
export async function keep(
  place: string,
  content: AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = `${place}.${process.pid}.part`;
  try {
    await mkdir(dirname(place), { recursive: true });
    await pipeline(content, createWriteStream(temporary));
    await rename(temporary, place);
  } catch (error) {
    // It may not even be possible to look for it: what failed first is what counts.
    await rm(temporary, { force: true }).catch(() => {});
    throw unfit(error);
  }
}

/** Removes the copy of what is gone. */
export async function drop(place: string): Promise<void> {
  try {
    await rm(place, { force: true });
  } catch (error) {
    throw unfit(error);
  }
}

/** Recognizes that two names clash: a store may have both `a` and `a/b`, and a folder may not. */
function unfit(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  const clash = /^(?:EEXIST|ENOTDIR|EISDIR|ERR_FS_EISDIR|EPERM)$/.test(
    String(code),
  );
  if (!clash) return error;
  return new UnfitError(
    `a file and a folder of one name are in each other's way (${code})`,
  );
}

function percent(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    .join("");
}
