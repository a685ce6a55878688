/** Programs run in a process of their own. */
import { spawn } from "node:child_process";
import process from "node:process";
import { isBun, isDeno } from "./_watch.ts";

/** How a child process ended, and all it printed. */
export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs a JavaScript module in a process of its own, on the runtime the tests run on. */
export function runScript(code: string, env: Record<string, string> = {}): Promise<Run> {
  const args = isDeno ? ["eval", code] : isBun ? ["-e", code] : ["--input-type=module", "-e", code];
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 15_000,
      killSignal: "SIGKILL",
      env: { ...process.env, NO_COLOR: "1", ...env },
    });
    const run = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => run.stdout += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => run.stderr += text);
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...run, code, ms: performance.now() - startedAt }));
  });
}
