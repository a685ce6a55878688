// Kills a watching program again and again, while what it watches changes, and holds what all its lives
// reported against what is there.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What the program is to do: see _kill_worker.ts. */
export interface WorkerOptions {
  readonly target:
    | { readonly kind: "local"; readonly folder: string }
    | { readonly kind: "s3"; readonly bucket: string; readonly client: Record<string, unknown> }
    | { readonly kind: "http"; readonly url: string };
  readonly checkpoint: { readonly folder: string } | { readonly prefix: string };
  readonly log: string;
  /** Milliseconds between polls. */
  readonly interval: number;
  /** Milliseconds for each event, so that kills hit deliveries. */
  readonly pause: number;
  /** So many handlers side by side, instead of a loop. */
  readonly handlers?: number;
  /** Whether some handlers fail, now and then, and for one object in ten always. */
  readonly poison?: boolean;
}

/** What is watched, and can be changed. */
export interface World {
  /** Makes about so many changes; every version it writes is a new one. */
  change(count: number, random: () => number): Promise<void>;
  /** What is there: keys and versions. */
  reality(): Promise<Map<string, string>>;
}

/** One line of the log. */
export interface Line {
  readonly type: "added" | "modified" | "removed" | "aside" | "start" | "poll" | "failed" | "ended";
  readonly key: string;
  readonly version: string;
  readonly message?: string;
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Numbers from 0 to 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let t = Math.imul(seed ^ seed >>> 15, 1 | seed);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

/** One life of the program. */
export class Life {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  #said = "";
  #stderr = "";
  exitCode: number | null | undefined;

  constructor(options: WorkerOptions) {
    const worker = fileURLToPath(new URL("./_kill_worker.ts", import.meta.url));
    const run = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
    this.#child = spawn(process.execPath, [...run, worker, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#said += text;
      for (const check of this.#waiting) check();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#stderr += text);
    this.#ended = new Promise((resolve) =>
      this.#child.once("exit", (code) => {
        this.exitCode = code;
        for (const check of this.#waiting) check();
        resolve();
      })
    );
  }

  /** Resolves when the program has said this word so many times. */
  says(word: string, times = 1): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.#count(word) >= times) resolve();
        else if (this.exitCode === undefined) return;
        else {reject(
            new Error(`It ended with ${this.exitCode} instead of '${word}': ${this.#stderr}`),
          );}
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The same, so many times from now on. */
  saysAgain(word: string, times: number): Promise<void> {
    return this.says(word, this.#count(word) + times);
  }

  #count(word: string): number {
    return this.#said.split("\n").filter((line) => line === word).length;
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }
}

export function readLog(log: string): Line[] {
  if (!existsSync(log)) return [];
  const lines = readFileSync(log, "utf8").split("\n");
  lines.pop(); // Empty, or cut off by a kill, and then not reported.
  return lines.map((line) => JSON.parse(line));
}

export interface Lives {
  readonly options: WorkerOptions;
  readonly world: World;
  readonly seed: number;
  readonly count: number;
  /**
   * Events without which the lives have shown nothing. On a busy machine a life sees little: then there are more of them,
   * up to four times as many.
   */
  readonly least: number;
  /** Changes before and during each life. */
  readonly changes: number;
  /** A life is ended at most so many milliseconds after its first poll. */
  readonly longest: number;
}

/** What came of it. */
export interface Outcome {
  readonly reported: number;
  readonly repeated: number;
  readonly polls: number;
}

/** Runs the lives. Throws if what they reported together is not what is there. */
export async function liveAndDie(lives: Lives): Promise<Outcome> {
  const { options, world, seed, count, least, changes, longest } = lives;
  const random = randomNumbers(seed);
  const audit = new Audit(options.log);
  let isLast = false;
  for (let n = 1; !isLast; n++) {
    isLast = n >= count && (audit.outcome().reported >= least || n >= 4 * count);
    await world.change(Math.floor(random() * changes), random);
    const life = new Life(options);
    try {
      // Some are killed while they start, the others while they poll, save and report.
      const early = random() < 0.1;
      if (!early) await life.says("poll");
      // No event tells the moment for a kill: that it is any is the point.
      const end = performance.now() + random() * longest;
      while (performance.now() < end) {
        await world.change(Math.floor(random() * changes / 4), random);
        await delay(Math.min(random() * longest / 3, Math.max(end - performance.now(), 0)));
      }
      await life.kill();
      if (n % 6 === 0 || isLast) {
        await settle(options);
        audit.check(await world.reality(), `seed ${seed}, life ${n}`);
      }
    } finally {
      await life.kill();
    }
  }
  const outcome = audit.outcome();
  const { reported, repeated, polls } = outcome;
  console.log(`${reported} events in ${polls} polls, ${repeated} of them repeated`);
  assert.ok(reported >= least, `${reported} events in ${polls} polls prove little`);
  return outcome;
}

/** A life that sees all there is, and handles what has always failed so far. */
async function settle(options: WorkerOptions): Promise<void> {
  const life = new Life({ ...options, poison: false });
  try {
    await life.says("synced");
  } finally {
    await life.kill();
  }
}

/** Reads the log as a consumer would, and a bit more closely. */
class Audit {
  readonly #log: string;

  constructor(log: string) {
    this.#log = log;
  }

  outcome(): Outcome {
    const { reported, repeated, polls } = this.#replay();
    return { reported, repeated, polls };
  }

  check(reality: Map<string, string>, when: string): void {
    const { known, unjustified } = this.#replay();
    assert.deepEqual(new Map([...known].sort()), new Map([...reality].sort()), when);
    assert.deepEqual(unjustified, [], `repeated though it was not in flight: ${when}`);
  }

  #replay() {
    const known = new Map<string, string>();
    /** Reported since the last state that is known to be saved: only these may come again. */
    let inFlight = new Set<string>();
    /** Keys whose handler has failed, until a state is known to be saved in which they are handled. */
    const aside = new Set<string>();
    /** Handled in this life, since its last poll. */
    const handled = new Set<string>();
    const unjustified: string[] = [];
    let reported = 0, repeated = 0, polls = 0, pollsInLife = 0;
    for (const { type, key, version, message } of readLog(this.#log)) {
      if (type === "failed" || type === "ended") throw new Error(message);
      if (type === "start") {
        pollsInLife = 0;
        handled.clear();
      }
      if (type === "poll") {
        polls++;
        // A poll begins when all that was handled in this life is saved.
        for (const key of handled) aside.delete(key);
        handled.clear();
        // The first poll of a life reports again. Before the next, all of that was handled and saved, or has failed.
        if (++pollsInLife > 1) inFlight = inFlight.intersection(aside);
      }
      if (type === "aside") {
        aside.add(key);
        handled.delete(key);
      }
      if (type === "start" || type === "poll" || type === "aside") continue;
      handled.add(key);
      reported++;
      if (type !== "removed" && known.get(key) === version) {
        repeated++;
        if (!inFlight.has(key)) unjustified.push(`${type} ${key}`);
      }
      if (type === "removed") known.delete(key);
      else known.set(key, version);
      inFlight.add(key);
    }
    return { known, unjustified, reported, repeated, polls };
  }
}
