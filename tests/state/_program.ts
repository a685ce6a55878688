// A program of its own that uses a folder for checkpoints: _file_checkpoint_worker.ts, on the runtime of the test.
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import type { FileWorkerOptions } from "./_file_checkpoint_worker.ts";
import { isDeno } from "../watch/_watch.ts";

export const KEY = "the source";
export const NOBODY = 65_534;
export const skipPosix = process.platform === "win32" ? "not for Windows" : false;
export const skipRoot = skipPosix ||
  (process.getuid?.() !== 0 && "only root can become another user");

export interface Scope {
  after(callback: () => unknown): void;
}

export async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What a store made now loads from the folder. */
export async function loaded(folder: string): Promise<string | undefined> {
  const state = await new FileCheckpointStore(folder).load(KEY);
  return state && new TextDecoder().decode(state);
}

export interface ProgramOptions {
  /** A command of the shell, run before the program. */
  readonly limit?: string;
  /** What Deno may do: everything, if left out. */
  readonly permissions?: readonly string[];
  /** Who runs it: only root can ask for another user. */
  readonly user?: number;
  /** The runtime: that of the test, if left out. */
  readonly command?: readonly string[];
}

const worker = fileURLToPath(new URL("./_file_checkpoint_worker.ts", import.meta.url));

export class Program {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  signal: string | null = null;
  over = false;

  constructor(options: FileWorkerOptions, how: ProgramOptions = {}) {
    const { limit, permissions = ["-A"], user, command } = how;
    const [program = "", ...args] = [
      ...limit === undefined ? [] : ["sh", "-c", `${limit}; exec "$0" "$@"`],
      ...user === undefined
        ? []
        : ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"],
      ...command ??
        [process.execPath, ...isDeno ? ["run", "--no-prompt", "--no-check", ...permissions] : []],
      worker,
      JSON.stringify(options),
    ];
    // Another user may not write where this one's runtime keeps what it made of the modules.
    const cache = user === undefined ? undefined : mkdtempSync(join(tmpdir(), "koprs-external-"));
    if (cache !== undefined) chmodSync(cache, 0o777);
    this.child = spawn(program, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...cache !== undefined && { DENO_DIR: cache } },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        for (const check of this.#waiting) check();
      });
    }
    this.child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) =>
      this.child.once("close", (_code, signal) => {
        this.signal = signal;
        this.over = true;
        if (cache !== undefined) rmSync(cache, { recursive: true, force: true });
        for (const check of this.#waiting) check();
        resolve();
      })
    );
  }

  /** The rest of the first line that begins so. */
  says(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const line = this.output.split("\n").slice(0, -1).find((line) => line.startsWith(word));
        if (line !== undefined) resolve(line.slice(word.length).trim());
        else if (this.over) reject(new Error(`It ended without '${word}': ${this.output}`));
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  async end(): Promise<string> {
    await this.#ended;
    return this.output;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#ended;
  }
}

/** The reason why nobody could run the worker, if there is one: the repository may lie in a folder of root alone. */
export function skipNobody(): string | false {
  if (skipRoot !== false) return skipRoot;
  const args = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups", "test", "-r", worker];
  const { status, error } = spawnSync("setpriv", args);
  if (error !== undefined) return "needs setpriv";
  return status !== 0 && "another user may not read the repository";
}

/** Fails unless nothing was left aside in the folder. */
export function assertTidy(names: readonly string[]): void {
  assert.deepEqual(names.filter((name) => !/^(lock|holder|.*\.checkpoint)$/.test(name)), []);
}
