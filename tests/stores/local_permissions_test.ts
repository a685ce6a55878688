// LocalStore on Deno with the right to read one folder alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { dirname, relative } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeno } from "../watch/_watch.ts";
import { withFolder, write } from "./_local.ts";

const skip = isDeno ? false : "about Deno's permissions";
const worker = fileURLToPath(new URL("./_local_worker.ts", import.meta.url));

function run(folder: string, permissions: readonly string[]): string[] {
  const args = ["run", "--no-prompt", "--no-check", ...permissions, worker, folder];
  const cwd = dirname(worker);
  return execFileSync(process.execPath, args, { encoding: "utf8", cwd }).trim().split("\n");
}

test(
  "LocalStore: to list and to read needs the right to read the folder alone",
  { skip },
  async () => {
    await withFolder(async (folder) => {
      await write(folder, "a", "1");
      await write(folder, "deep/b", "2");
      const stamp = "..2026_01_31_12_00_00.1";
      await write(folder, `volume/${stamp}/c`, "3");
      await symlink(stamp, `${folder}/volume/..data`);
      await symlink("..data/c", `${folder}/volume/c`);
      const expected = ["a: 1", "deep/b: 2", "volume/c: 3"];
      assert.deepEqual(run(folder, [`--allow-read=${folder}`]), expected);
      const path = relative(dirname(worker), folder);
      assert.deepEqual(run(path, [`--allow-read=${folder}`]), expected);
    });
  },
);

test(
  "LocalStore: without that right, it is named, and that it will not come by itself",
  { skip },
  async () => {
    await withFolder(async (folder) => {
      await mkdir(`${folder}/other`);
      const [message = ""] = run(folder, [`--allow-read=${folder}/other`]);
      assert.match(
        message,
        /^Cannot list 'file:.*--allow-read flag: this will not pass by itself$/,
      );
    });
  },
);
