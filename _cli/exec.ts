/** Runs the program of `--exec`. */
import { spawn } from "node:child_process";
import process from "node:process";
import { type Command, type Facts, fill, variables } from "./command.ts";
import type { Screen } from "./screen.ts";

/** Runs the command for one event. Rejects if it cannot be started or does not exit with 0. */
export async function execute(
  command: Command,
  facts: Facts,
  screen: Screen,
  json: boolean,
): Promise<void> {
  const [program = "", ...args] = fill(command, facts);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables(facts) },
  });
  // JSON lines are for a program: nothing else goes there.
  const output = json ? process.stderr : process.stdout;
  child.stdout.on(
    "data",
    (chunk: Uint8Array) => void screen.write(output, chunk),
  );
  child.stderr.on(
    "data",
    (chunk: Uint8Array) => void screen.write(process.stderr, chunk),
  );
  const ended = await new Promise<string | number>((resolve, reject) => {
    child.once("error", reject);
    child.once(
      "close",
      (code, signal) => resolve(code ?? signal ?? "no exit code"),
    );
  });
  if (ended !== 0) {
    throw new Error(
      `'${program}' ended with ${typeof ended === "number" ? "exit code " : ""}${ended}`,
    );
  }
}
