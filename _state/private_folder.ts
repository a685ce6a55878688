/** A folder that nobody else can write to: others could replace a checkpoint by a link or another state. */
import { mkdir, stat } from "node:fs/promises";
import process from "node:process";
import { ExternalError } from "../_errors/external_error.ts";

const ROOT = 0;

/** Creates the folder, and any missing folders above it, for this user alone. An existing one stays as it is. */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

/** Throws if the folder's mode lets others write to it. */
export async function checkMode(folder: string): Promise<void> {
  if (process.platform === "win32") return; // Modes mean nothing there.
  const { mode } = await stat(folder);
  // At every start of a pod, Kubernetes gives volumes to the group of its `fsGroup`, and sets this
  // bit.
  const ofPod = (mode & 0o2000) !== 0;
  if ((mode & 0o002) === 0 && ((mode & 0o020) === 0 || ofPod)) return;
  throw new ExternalError(
    "checkpoint",
    `Cannot keep checkpoints in '${folder}' as others may write to it (its mode is ${
      (mode & 0o7777).toString(8).padStart(4, "0")
    }): ${advice(folder)}, or take that right away with 'chmod go-w'`,
  );
}

/**
 * Throws if the folder belongs to another user, who can always write to it.
 *
 * @param user The user id of this process.
 */
export async function checkOwner(folder: string, user: number): Promise<void> {
  if (process.platform === "win32") return;
  const { uid } = await stat(folder);
  if (uid === user || uid === ROOT) return;
  throw new ExternalError(
    "checkpoint",
    `Cannot keep checkpoints in '${folder}' as it belongs to another user (${uid}), and this process is ` +
      `user ${user}: ${advice(folder)}`,
  );
}

function advice(folder: string): string {
  return `use a folder in it, such as '${folder}/checkpoints', which is then made for this user alone`;
}
