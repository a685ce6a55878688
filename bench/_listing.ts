// What the benchmarks of listings share: a server of canned pages in another process, a rival, a clock.
import { Buffer } from "node:buffer";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import process from "node:process";
import { countUpTo, type Row } from "./_harness.ts";

export const SMOKE: boolean = process.env.BENCH_SMOKE === "1" || process.argv.includes("--smoke");
export const COUNT: number = Number(
  process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? (SMOKE ? 12_000 : 200_000),
);
const ROUNDS = SMOKE ? 1 : 3;

export function keyOf(i: number): string {
  return `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`;
}

export function sizeOf(i: number): number {
  return (i * 7919 + 1) % 100_000_007;
}

export function timeOf(i: number): Date {
  return new Date(1_763_869_468_000 + i * 1000);
}

/** The index of the first key greater than this one, or from this one on. */
export function indexOf(key: string, inclusive: boolean): number {
  const index = countUpTo(key, COUNT, keyOf);
  return inclusive && index > 0 && key === keyOf(index - 1) ? index - 1 : index;
}

/** The texts of all objects one behind the other, to be cut into pages. */
export class Entries {
  readonly #all: Uint8Array;
  readonly #ends: Float64Array = new Float64Array(COUNT + 1);

  constructor(entry: (i: number) => string) {
    const parts: Uint8Array[] = [];
    for (let first = 0; first < COUNT; first += 1000) {
      let text = "";
      for (let i = first; i < Math.min(first + 1000, COUNT); i++) {
        const part = entry(i); // ASCII
        this.#ends[i + 1] = (this.#ends[i] as number) + part.length;
        text += part;
      }
      parts.push(Buffer.from(text));
    }
    this.#all = Buffer.concat(parts);
  }

  cut(first: number, end: number): Uint8Array {
    return this.#all.subarray(this.#ends[first], this.#ends[end]);
  }
}

/** Answers with pages; prints its port. */
export function serve(
  contentType: string,
  answer: (query: URLSearchParams) => readonly (string | Uint8Array)[],
): void {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", "http://localhost");
    const body = Buffer.concat(answer(searchParams).map((part) => Buffer.from(part)));
    response.writeHead(200, { "content-type": contentType, "content-length": body.length });
    response.end(body);
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") process.stdout.write(`${address?.port}\n`);
  });
}

/** Runs a program with `--serve` as another process. */
export async function startServer(path: string): Promise<{ endpoint: string; stop(): void }> {
  const script = [path, "--serve", String(COUNT)];
  const deno = "deno" in process.versions;
  const child = spawn(process.execPath, deno ? ["run", "-A", "--no-check", ...script] : script, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (chunk) => resolve(String(chunk).trim()));
    child.once("exit", () => reject(new Error("The server of the benchmark did not start")));
  });
  return { endpoint: `http://127.0.0.1:${port}`, stop: () => child.kill("SIGKILL") };
}

/** What a careful user keeps of an object. */
export interface Known {
  readonly size: number;
  readonly etag: string;
  readonly time: number;
}

/** What differs between two listings. */
export function countChanges(
  old: ReadonlyMap<string, Known>,
  next: ReadonlyMap<string, Known>,
): number {
  let changed = 0;
  for (const [key, object] of next) {
    const before = old.get(key);
    if (before?.etag !== object.etag || before.size !== object.size) changed++;
  }
  for (const key of old.keys()) if (!next.has(key)) changed++;
  return changed;
}

/** One side of a benchmark. `work` returns what must be `expected`. */
export interface Side {
  readonly name: string;
  readonly expected: number;
  work(): Promise<number>;
}

/** Runs the sides in turn, so that what else the machine does meets all of them, and prints the medians in ms. */
export async function compare(sides: readonly Side[]): Promise<number[]> {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, { name, expected, work }] of sides.entries()) {
      const start = performance.now();
      const done = await work();
      times[i]?.push(performance.now() - start);
      if (done !== expected) throw new Error(`${name}: ${done} instead of ${expected}`);
    }
  }
  return sides.map(({ name }, i) => {
    const sorted = times[i]?.sort((a, b) => a - b) ?? [];
    const median = sorted[sorted.length >> 1] ?? NaN;
    const per = (ms: number | undefined) => (((ms ?? NaN) * 1e3) / COUNT).toFixed(2);
    console.log(
      `${name.padEnd(52)} ${per(median).padStart(8)} µs an object  (${per(sorted[0])}–${
        per(sorted.at(-1))
      })`,
    );
    return median;
  });
}

/**
 * A row of the table: the median times of two sides, and their ratio against its budget. `overhead`: ours by the rival's,
 * where the rival cannot be beaten.
 */
export function judge(
  what: string,
  ours: number,
  rival: number,
  { budget, overhead = false }: { budget?: number; overhead?: boolean } = {},
): Row {
  const ratio = overhead ? ours / rival : rival / ours;
  const per = (ms: number) => `${(ms * 1e3 / COUNT).toFixed(2)} µs an object`;
  return {
    what: `${what}, ${COUNT.toLocaleString("en")} objects (${
      overhead ? "ours ÷ rival" : "rival ÷ ours"
    })`,
    ours: per(ours),
    rival: per(rival),
    ratio,
    ...(budget !== undefined && { budget: `≥ ${budget}×`, met: ratio >= budget }),
  };
}
