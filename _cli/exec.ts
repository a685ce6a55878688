/** Runs the program of `--exec`. */
import { spawn } from "node:child_process";
import process from "node:process";
import { type Command, type Facts, fill, variables } from "./command.ts";
import type { Screen } from "./screen.ts";

const NEWLINE = 10;

/** Where the output of a command goes. */
export interface ExecOptions {
  /** Whether standard output is reserved for JSON lines. */
  readonly json: boolean;
  /** Whether to pass on output in whole lines, because other commands run at the same time. */
  readonly lines: boolean;
}

/** Runs the command for one event. Rejects if it cannot be started or does not exit with 0. */
export async function execute(
  command: Command,
  facts: Facts,
  screen: Screen,
  { json, lines }: ExecOptions,
): Promise<void> {
  const [program = "", ...args] = fill(command, facts);
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...variables(facts) },
  });
  // A program reads the JSON lines, so nothing else may go to standard output.
  const output = json ? process.stderr : process.stdout;
  const flushes = ([[child.stdout, output], [child.stderr, process.stderr]] as const).map(
    ([from, to]) => {
      const write = (chunk: Uint8Array) => void screen.write(to, chunk);
      const whole = wholeLines(write);
      from.on("data", lines ? whole.take : write);
      return whole.flush;
    },
  );
  const ended = await new Promise<string | number>((resolve, reject) => {
    child.once("error", reject);
    child.once(
      "close",
      (code, signal) => resolve(code ?? signal ?? "no exit code"),
    );
  });
  for (const flush of flushes) flush();
  if (ended !== 0) {
    throw new Error(
      `'${program}' ended with ${typeof ended === "number" ? "exit code " : ""}${ended}`,
    );
  }
}

/** Passes on complete lines as they come, and the rest at the end. */
function wholeLines(write: (chunk: Uint8Array) => void): {
  readonly take: (chunk: Uint8Array) => void;
  readonly flush: () => void;
} {
  let rest: Uint8Array[] = [];
  return {
    take(chunk) {
      const end = chunk.lastIndexOf(NEWLINE) + 1;
      if (end > 0) {
        write(joined([...rest, chunk.subarray(0, end)]));
        rest = [];
      }
      if (end < chunk.length) rest.push(chunk.subarray(end));
    },
    flush() {
      // Ends an unfinished line, or the output of another program would continue it.
      if (rest.length > 0) write(joined([...rest, new Uint8Array([NEWLINE])]));
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
