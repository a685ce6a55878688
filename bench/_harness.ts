// Shared by the benchmarks: running sides in turn, medians, child processes, and the rows of the table.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Whether to do only a small part of the work, to show that the benchmarks still run. */
export const SMOKE: boolean = process.env.BENCH_SMOKE === "1" || process.argv.includes("--smoke");

const JSON_LINES = process.argv.includes("--json");

/** The runtimes, and the arguments that each needs before a program, so that the program has `gc`. */
const FLAGS = {
  Deno: ["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
  Node: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
  Bun: ["--expose-gc"],
} as const;
const KIND = "deno" in process.versions ? "Deno" : "bun" in process.versions ? "Bun" : "Node";

/** A runtime to run programs with. */
export interface Runtime {
  readonly kind: keyof typeof FLAGS;
  readonly program: string;
}

/** The runtime and its version. */
export const RUNTIME: string = `${KIND} ${process.versions[KIND.toLowerCase()]}`;

/** A line of the table: two figures of one run, their ratio, and the budget for it. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  /** The figure of the other side, with its name. */
  readonly rival: string;
  /** Rival divided by ours where we should be better; ours divided by rival where we should add little. */
  readonly ratio?: number;
  /**
   * What the ratio means: for `faster` and `less` it is rival divided by ours, for `as long` and `as much` ours divided
   * by rival.
   */
  readonly sense?: "faster" | "less" | "as long" | "as much";
  readonly budget?: string;
  readonly met?: boolean;
}

/** Prints the rows of a part: as a table, or with --json for `main.ts`. If a budget is missed, the program fails. */
export function report(rows: readonly Row[]): void {
  // A smoke run does too little work to be judged.
  const judged: readonly Row[] = SMOKE ? rows.map(({ met: _, ...row }) => row) : rows;
  if (JSON_LINES) { for (const row of judged) console.log(JSON.stringify(row)); }
  else printTable({ "": judged });
  if (judged.some(({ met }) => met === false)) process.exitCode = 1;
}

/** Prints rows as one table, in Markdown, each group under its name. */
export function printTable(groups: Readonly<Record<string, readonly Row[]>>): void {
  const lines = [["what", "ours", "rival", "ratio", "budget", "met"], []];
  for (const [name, rows] of Object.entries(groups)) {
    if (name !== "") lines.push([`**${name}**`]);
    for (const { what, ours, rival, ratio, sense = "", budget = "", met } of rows) {
      const verdict = met === undefined ? "" : met ? "met" : "MISSED";
      lines.push([what, ours, rival, inWords(ratio, sense), budget, verdict]);
    }
  }
  const widths = Array.from(
    { length: 6 },
    (_, i) => Math.max(...lines.map((l) => l[i]?.length ?? 0)),
  );
  for (const [i, line] of lines.entries()) {
    const cells = widths.map((width, at) => (line[at] ?? "").padEnd(width, i === 1 ? "-" : " "));
    console.log(`| ${cells.join(" | ")} |`);
  }
}

const OPPOSITE: Readonly<Record<string, string>> = { faster: "slower", less: "more" };

/** `12.3× faster`, `2.00× slower`, `1.20× as long` */
function inWords(ratio: number | undefined, sense: string): string {
  if (ratio === undefined) return "";
  const opposite = ratio < 1 ? OPPOSITE[sense] : undefined;
  const times = opposite === undefined ? ratio : 1 / ratio;
  return `${times.toFixed(times < 10 ? 2 : 1)}× ${opposite ?? sense}`.trim();
}

/** The times of two sides, and how they are compared. */
export interface Comparison {
  readonly what: string;
  readonly ours: readonly number[];
  readonly rival: readonly number[];
  readonly name: string;
  readonly unit: string;
  readonly digits?: number;
  /** @default {"faster"} */
  readonly sense?: "faster" | "as long";
  /** The least ratio allowed for `faster`, and the greatest for `as long`. */
  readonly budget?: number | undefined;
}

/** Makes the row that compares the medians of two sides. */
export function compare(
  { what, ours, rival, name, unit, digits, sense = "faster", budget }: Comparison,
): Row {
  const faster = median(rival) / median(ours);
  const ratio = sense === "faster" ? faster : 1 / faster;
  return {
    what,
    ours: withSpread(ours, unit, digits),
    rival: `${withSpread(rival, unit, digits)} ${name}`,
    ratio,
    sense,
    ...(budget !== undefined && {
      budget: `${sense === "faster" ? "≥" : "≤"} ${budget}×`,
      met: sense === "faster" ? ratio >= budget : ratio <= budget,
    }),
  };
}

/** The median: the middle figure, or the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/** The quantile: this share of the figures lies below it. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN;
}

/** `12.3 (11.9–14.0) ms`: the median and the spread. */
export function withSpread(values: readonly number[], unit: string, digits = 1): string {
  const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)]
    .map((value) => value.toFixed(digits));
  return `${middle} ${values.length > 1 ? `(${least}–${most}) ` : ""}${unit}`;
}

/** One side of a comparison. `work` returns how much it did, which must be `expected`. */
export interface Side {
  readonly name: string;
  readonly expected: number;
  work(): number | Promise<number>;
  /** Set if it has run already, and needs no round to warm up. */
  readonly warm?: boolean;
  /** In how many rounds it takes part, at most. */
  readonly rounds?: number;
}

/**
 * Runs the sides in turn, so that other load affects all of them alike.
 *
 * @returns The milliseconds of each round, by side. The first round warms up and is left out, unless it is the only
 * one.
 */
export async function inTurn(sides: readonly Side[], rounds: number): Promise<number[][]> {
  const times = sides.map((): number[] => []);
  for (let round = rounds > 1 ? 0 : 1; round <= rounds; round++) {
    for (const [i, { name, expected, work, warm, rounds: most = rounds }] of sides.entries()) {
      if (round > most || round === 0 && warm) continue;
      const start = performance.now();
      const done = await work();
      const time = performance.now() - start;
      if (done !== expected) throw new Error(`${name}: ${done} instead of ${expected}`);
      if (round > 0) times[i]?.push(time);
    }
  }
  return times;
}

/** The command line that runs a program, on this runtime or another one. */
export function commandFor(
  url: string,
  args: readonly string[],
  { kind, program }: Runtime = { kind: KIND, program: process.execPath },
): string[] {
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  return [program, ...FLAGS[kind], path, ...args];
}

/** Runs a command to its end and returns what it printed. */
export function run(command: readonly string[], cwd?: string): Promise<string> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"], cwd });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`'${command.join(" ")}' ended with ${signal ?? code}: ${output}`));
    });
  });
}

/** Runs a program as a process of its own, and parses its last line as JSON. */
export async function runSelf<R>(url: string, ...args: readonly string[]): Promise<R> {
  const output = await run(commandFor(url, args));
  return JSON.parse(output.trim().split("\n").at(-1) ?? "");
}

/** Starts a server program as another process. It prints its port. */
export async function serveSelf(
  url: string,
  ...args: readonly string[]
): Promise<{ readonly origin: string; stop(): void }> {
  const [program = "", ...rest] = commandFor(url, args);
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "inherit"] });
  const stop = () => void child.kill("SIGKILL");
  process.once("exit", stop);
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk) => resolve(String(chunk).trim()));
    child.once("error", reject);
    child.once("exit", () => reject(new Error("The server of the benchmark did not start")));
  });
  return { origin: `http://127.0.0.1:${port}`, stop };
}

/** Lets a server listen on a free port, and prints that port for `serveSelf`. */
export function announce(server: Server): void {
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") process.stdout.write(`${address?.port}\n`);
  });
}

/** The bytes that are in use on the heap and in buffers, after garbage collection. */
export async function liveBytes(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Cannot measure memory without --expose-gc");
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The most memory this process has had, in bytes. */
export function peakRss(): number {
  try {
    // Unlike `maxRSS`, this does not include the process before it became this program.
    const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) * 1024;
  } catch { /* Not Linux. */ }
  return process.resourceUsage().maxRSS * 1024;
}

/** `12.3 MB` */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * How many of `count` sorted keys are not greater than this one, which need not be one of them: a listing may be cut
 * anywhere.
 */
export function countUpTo(key: string, count: number, keyAt: (i: number) => string): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (keyAt(middle) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
