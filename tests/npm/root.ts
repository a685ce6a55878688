// The repository, or the npm project that stands for it, and how to run a program there.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../../", import.meta.url));
export const config = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));

/** Runs a program to its end. Gives back what it wrote, where `stdout` is `pipe`. */
export function must(
  command: string,
  args: readonly string[],
  cwd: string,
  stdout: "inherit" | "pipe" = "inherit",
): string {
  const { status, error, stdout: out } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", stdout, "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    throw new Error(`Cannot go on as this failed: ${command} ${args.join(" ")}`, { cause: error });
  }
  return out ?? "";
}
