// A process that claims a checkpoint, from the outside; and what must hold when one is frozen meanwhile.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ClaimLine, ClaimPlace, ClaimWorkerOptions } from "./_claim_worker.ts";

interface Scope {
  after(callback: () => unknown): void;
}

export class ClaimProcess {
  readonly lines: ClaimLine[] = [];
  readonly #child: ChildProcess;
  readonly #waiting: Set<() => void> = new Set();
  #over = false;

  /** It is killed when the test is over. */
  constructor(scope: Scope, options: ClaimWorkerOptions) {
    const file = fileURLToPath(new URL("./_claim_worker.ts", import.meta.url));
    const flags = process.versions.deno === undefined ? [] : ["run", "-A", "--no-check"];
    this.#child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdin?.on("error", () => {}); // It has ended: the test sees that.
    const look = () => {
      for (const look of this.#waiting) look();
    };
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      look();
    });
    const ended = new Promise<void>((resolve) =>
      this.#child.once("close", () => {
        this.#over = true;
        look();
        resolve();
      })
    );
    scope.after(async () => {
      this.#signal("SIGKILL");
      await ended;
    });
  }

  /** The newest line of this kind, once there are so many of them. */
  async tells<K extends "claimed" | "saved" | "failed">(
    kind: K,
    count = 1,
  ): Promise<Extract<ClaimLine, Record<K, unknown>>> {
    const found = () => this.lines.filter((line) => kind in line);
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (found().length >= count) resolve();
        else if (this.#over) reject(new Error(`It ended: ${JSON.stringify(this.lines.at(-1))}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
    return found().at(-1) as Extract<ClaimLine, Record<K, unknown>>;
  }

  /** Lets one that is no watch save once. */
  save(): void {
    this.#child.stdin?.write("save\n");
  }

  /** Resolves once it stands still: a signal is sent, and takes effect a little later. */
  async freeze(): Promise<void> {
    const { pid } = this.#child;
    this.#signal("SIGSTOP");
    const { readFile } = await import("node:fs/promises");
    for (;;) {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8");
      if (/\) T /.test(stat)) return;
    }
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  #signal(signal: NodeJS.Signals): void {
    // Not by `kill` of the child: on Deno that sends one signal only.
    if (!this.#over) process.kill(this.#child.pid as number, signal);
  }
}

/** Frozen between its claim and its save: what the next one saved stays, and the first one ends. */
export async function freezeBeforeSave(scope: Scope, place: ClaimPlace): Promise<void> {
  const options = { place, key: "freeze", watch: false };
  const first = new ClaimProcess(scope, options);
  assert.deepEqual(await first.tells("claimed"), { claimed: null });
  first.save();
  await first.tells("saved");
  await first.freeze();
  first.save(); // It reads that when it thaws.
  const second = new ClaimProcess(scope, options);
  assert.deepEqual(await second.tells("claimed"), { claimed: 1 });
  for (let i = 0; i < 3; i++) second.save();
  await second.tells("saved", 3);
  first.thaw();
  const { failed, message } = await first.tells("failed");
  assert.equal(failed, "checkpoint", message);
  assert.deepEqual(first.lines.filter((line) => "saved" in line), [{ saved: 1 }]);
  second.save();
  assert.deepEqual(await second.tells("saved", 4), { saved: 5 });
  const third = new ClaimProcess(scope, options);
  assert.deepEqual(await third.tells("claimed"), { claimed: 5 }, "nothing was overwritten");
}

/** Watches that save all the time, each frozen at some moment of that and followed by the next: no number comes twice. */
export async function freezeWatches(
  scope: Scope,
  place: ClaimPlace,
  rounds: number,
): Promise<number> {
  const options = { place, key: "freeze watches", watch: true };
  let running = new ClaimProcess(scope, options);
  for (let round = 1; round <= rounds; round++) {
    await running.tells("saved", 10 + round * 3);
    await running.freeze();
    const next = new ClaimProcess(scope, options);
    const { claimed } = await next.tells("claimed");
    await next.tells("saved", 3);
    running.thaw();
    const { failed, message } = await running.tells("failed");
    assert.equal(failed, "checkpoint", message);
    const saved = running.lines.flatMap((line) => "saved" in line ? [line.saved] : []);
    const last = Math.max(...saved);
    // What was under way when it froze may have arrived, without that it could be told.
    assert.ok(claimed === last || claimed === last + 1, `${claimed} was claimed behind ${last}`);
    running = next;
  }
  return (await running.tells("saved")).saved;
}
