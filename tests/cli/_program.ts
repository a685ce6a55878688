// The command-line program as a child process of the runtime that runs the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { packed } from "../npm/bundle.ts";
import { config, root } from "../npm/root.ts";

/** The program's file: where it is installed, that of the package. */
const program = packed
  ? join(root, "node_modules", config.name, "cli.js")
  : fileURLToPath(new URL("../../cli.ts", import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run of the program. It is killed after the test. */
export class Cli {
  stdout = "";
  stderr = "";
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #waiting = new Set<() => void>();

  constructor(
    t: TestContext,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    cwd?: string,
  ) {
    const runtime = process.versions.deno === undefined ? [] : ["run", "-A", "--no-check"];
    this.child = spawn(process.execPath, [...runtime, program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...env },
      ...(cwd !== undefined && { cwd }),
    });
    t.after(() => this.child.kill("SIGKILL"));
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      this.child.once("close", (code) => {
        const { stdout, stderr } = this;
        resolve({ code, stdout, stderr });
        this.#look();
      });
    });
  }

  /** Resolves once standard output, and standard error, hold this text. Rejects if the program ends before. */
  says(text: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const said = `${this.stdout}\n${this.stderr}`;
        if (said.includes(text)) resolve();
        else if (this.child.exitCode !== null) reject(new Error(`It ended without it: ${said}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Not by `kill` of the child: Deno reports that signal as its end, whatever it exits with. */
  signal(name: "SIGINT" | "SIGTERM"): void {
    process.kill(this.child.pid ?? 0, name);
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

/** Runs the program to its end. */
export function cli(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Cli(t, args, env).ended;
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
