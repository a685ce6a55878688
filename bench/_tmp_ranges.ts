// The first listing of a store of which nothing is known, and the next one, against the same one page after the other.
// First by a clock without time, where a page takes a tick; then with a store in this process that takes 50 ms a page.
// deno run -A bench/ranges.ts, node bench/ranges.ts, bun bench/ranges.ts; BENCH_SMOKE=1 for a small part of it.
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { countUpTo, keysOf, keySpaces, simulate } from "/work/main/tests/_key_spaces.ts";

const SMOKE = process.env.BENCH_SMOKE === "1" || process.argv.includes("--smoke");
const COUNT = SMOKE ? 20_000 : 1_000_000;
const PAGE = SMOKE ? 200 : 1_000;
const LATENCY = SMOKE ? 5 : 50;
const ROUNDS = SMOKE ? 1 : 3;
const CONCURRENCY = 16;

/** A store of sorted keys that takes its time for each page, and counts them. */
class SlowStore implements ObjectStore {
  readonly name = "slow://";
  readonly ranged = true;
  requests = 0;
  readonly #objects: readonly ObjectMeta[];
  readonly #keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.#keys = keys;
    this.#objects = keys.map((key, size) => ({ key, size, etag: `"${size}"`, lastModified: size }));
  }

  async *list({ after, until }: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    let at = after === undefined ? 0 : countUpTo(this.#keys, after);
    const end = until === undefined ? this.#keys.length : countUpTo(this.#keys, until);
    do {
      this.requests++;
      await setTimeout(LATENCY);
      yield this.#objects.slice(at, at = Math.min(at + PAGE, end));
    } while (at < end);
  }

  get(): Promise<ReadableStream<Uint8Array>> {
    return Promise.reject(new Error("There is no content"));
  }
}

function row(...cells: (string | number)[]): void {
  console.log(
    cells.map((cell, i) => i ? String(cell).padStart(12) : String(cell).padEnd(24)).join(""),
  );
}

/** Prints what was measured, and makes the program fail where a budget is missed; a smoke run only prints. */
function judge(ratio: number, extra: number): string {
  const met = ratio >= 10 && extra <= 15;
  if (SMOKE) return "-";
  if (!met) process.exitCode = 1;
  return met ? "met" : "MISSED";
}

console.log(`${COUNT} objects, ${PAGE} a page, ${CONCURRENCY} ranges at once\n`);
row("in ticks of a page", "serial", "ours", "ratio", "requests", "≥ 10×, 15 %");
for (const [name, make] of [] as [string, never][]) {
  const keys = keysOf(make, COUNT);
  const { ticks, requests, keys: listed } = await simulate(keys, {
    pageSize: PAGE,
    concurrency: CONCURRENCY,
  });
  if (listed.length !== keys.length) throw new Error(`${name}: ${listed.length} keys`);
  const serial = Math.ceil(keys.length / PAGE);
  const extra = (requests / serial - 1) * 100;
  const ratio = serial / ticks;
  row(name, serial, ticks, `${ratio.toFixed(1)}×`, `+${extra.toFixed(1)} %`, judge(ratio, extra));
}

interface Poll {
  readonly ms: number;
  readonly requests: number;
}

/** A first poll and a second one of the same. */
async function measure(store: SlowStore, concurrency: number): Promise<Poll[]> {
  const poller = new ObjectStorePoller(store, { concurrency });
  const polls: Poll[] = [];
  for (const expected of [COUNT, 0]) {
    store.requests = 0;
    const start = performance.now();
    let events = 0;
    for (const _ of await poller.poll({ signal: new AbortController().signal })) events++;
    const ms = performance.now() - start;
    if (events !== expected) throw new Error(`${events} events instead of ${expected}`);
    polls.push({ ms, requests: store.requests });
  }
  return polls;
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;

console.log(
  `\nin seconds, ${LATENCY} ms a page, no parsing; ours is the median of ${ROUNDS}, serial was measured once`,
);
row("", "serial", "ours", "ratio", "requests");
let serial: Awaited<ReturnType<typeof measure>> | undefined;
for (const name of ["dates", "flat", "deep"]) {
  const make = keySpaces[name];
  if (make === undefined) continue;
  const store = new SlowStore(keysOf(make, COUNT));
  // It waits for a thousand pages, whatever their keys.
  serial ??= [{ms:53350,requests:1000},{ms:52040,requests:1000}];
  const rounds: (typeof serial)[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure(store, CONCURRENCY));
  for (const [i, what] of ["first", "second, unchanged"].entries()) {
    const before = serial[i] as Poll;
    const ours = median(rounds.map((polls) => (polls[i] as Poll).ms));
    const extra = ((rounds[0]?.[i] as Poll).requests / before.requests - 1) * 100;
    row(
      `${name}: ${what}`,
      (before.ms / 1000).toFixed(2),
      (ours / 1000).toFixed(2),
      `${(before.ms / ours).toFixed(1)}×`,
      `+${extra.toFixed(1)} %`,
    );
  }
}
