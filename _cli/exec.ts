/** Runs the program of `--exec`. */
import { spawn } from "node:child_process";
import process from "node:process";
import { type Command, type Facts, fill, variables } from "./command.ts";
import type { Screen } from "./screen.ts";

const NEWLINE = 10;

/** Where the output of a command goes. */
export interface ExecOptions {
  /** Standard output is for JSON lines alone. */
  readonly json: boolean;
  /** Others run beside it: what it writes is passed on in whole lines. */
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
  // JSON lines are for a program: nothing else goes there.
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

/** Passes on what comes as far as its last line has ended, and at the end the rest. */
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
      // A line that was left open is closed, or that of another program would go on with it.
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
