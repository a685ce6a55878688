/**
 * The first listing of a store about which nothing is known, and the next one, in parallel ranges, against listing the
 * same pages one after another. It counts the requests at many sizes, and measures how long they take: by a virtual
 * clock on which a page takes one tick, and with a store in this process that takes 50 ms a page.
 *
 * Run: `deno run -A bench/ranges.ts`
 *
 * @module
 */
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import { planRanges } from "../_listing/range_plan.ts";
import { countUpTo, KeyList, keysOf, keySpaces, simulate } from "../tests/listing/_key_spaces.ts";
import { report, type Row, runSelf, RUNTIME, SMOKE } from "./_harness.ts";

const COUNT = SMOKE ? 20_000 : 1_000_000;
const PAGE = SMOKE ? 200 : 1_000;
const LATENCY = SMOKE ? 5 : 50;
/** The key spaces that are also listed with the real clock. */
const TIMED: readonly string[] = ["flat", "dates", "hash", "deep"];
const BUDGET = "≥ 10×, ≤ 15 % more requests";
/** The numbers of objects for which requests are counted, with pages of a thousand. */
const SIZES: readonly number[] = SMOKE ? [0, 1, 8_000, 12_000] : [
  ...[0, 1, 999, 1_000, 1_001, 4_000, 7_900, 8_000, 8_001, 9_000, 9_999, 10_000, 12_000, 16_000],
  ...[20_000, 31_000, 50_000, 64_000, 100_000, 200_000],
];

/** A store of sorted keys that takes `LATENCY` for each page, and counts the pages. */
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

/** How many times as fast the listing is, and how many percent more requests it takes. */
interface Gain {
  readonly ratio: number;
  readonly extra: number;
}

function gainRow(what: string, unit: string, ours: string, rival: string, gain: Gain): Row {
  const { ratio, extra } = gain;
  return {
    what,
    ours: `${ours} ${unit}, ${extra < 0 ? "" : "+"}${extra.toFixed(1)} % requests`,
    rival: `${rival} ${unit} page by page`,
    ratio,
    sense: "faster",
    budget: BUDGET,
    met: ratio >= 10 && extra <= 15,
  };
}

async function simulated(name: string, keys: readonly string[]): Promise<Row> {
  const { ticks, requests, keys: listed } = await simulate(keys, { pageSize: PAGE });
  if (listed.length !== keys.length) throw new Error(`${name}: ${listed.length} keys`);
  const serial = Math.ceil(keys.length / PAGE);
  const gain = { ratio: serial / ticks, extra: (requests / serial - 1) * 100 };
  return gainRow(`first listing, ${name}`, "ticks", String(ticks), String(serial), gain);
}

/** Finds the size and the kind of keys that come closest to their budget of requests. */
class Worst {
  readonly #what: string;
  readonly #budget: string;
  readonly #allowed: (pages: number) => number;
  #case = { left: Infinity, requests: 0, pages: 0, name: "" };

  constructor(what: string, budget: string, allowed: (pages: number) => number) {
    this.#what = what;
    this.#budget = budget;
    this.#allowed = allowed;
  }

  see(requests: number, pages: number, name: string): void {
    const left = this.#allowed(pages) - requests;
    if (left < this.#case.left) this.#case = { left, requests, pages, name };
  }

  row(): Row {
    const { left, requests, pages, name } = this.#case;
    return {
      what: `requests of ${this.#what}, ${SIZES[0]} to ${SIZES.at(-1)?.toLocaleString("en")} ` +
        `objects, at worst (${name})`,
      ours: `${requests} requests`,
      rival: `${pages} pages`,
      ratio: requests / pages,
      sense: "as much",
      budget: this.#budget,
      met: left >= 0,
    };
  }
}

async function countRequests(): Promise<Row[]> {
  const first = new Worst("a first listing", "≤ 1.15 × pages + 4", (pages) => 1.15 * pages + 4);
  const next = new Worst(
    "an unchanged poll",
    "≤ pages + 4, or 1.06 × pages",
    (pages) => Math.max(pages + 4, 1.06 * pages),
  );
  for (const [name, make] of Object.entries(keySpaces)) {
    for (const size of SIZES) {
      const keys = keysOf(make, size);
      const pages = Math.max(1, Math.ceil(keys.length / 1_000));
      const found = await simulate(keys);
      first.see(found.requests, pages, `${name}, ${size.toLocaleString("en")}`);
      const habit = found.habit ?? { size: 1_000, steady: true };
      const planned = planRanges(new KeyList(keys), habit, 16);
      const { requests } = await simulate(keys, { planned });
      next.see(requests, pages, `${name}, ${size.toLocaleString("en")}`);
    }
  }
  return [first.row(), next.row()];
}

interface Poll {
  readonly ms: number;
  readonly requests: number;
}

/** Polls one after another, each of which must find the expected number of events. */
async function poll(
  keys: readonly string[],
  concurrency: number | undefined,
  ...expected: readonly number[]
): Promise<Poll[]> {
  const store = new SlowStore(keys);
  const poller = new ObjectStorePoller(store, { ...(concurrency && { concurrency }) });
  const polls: Poll[] = [];
  for (const wanted of expected) {
    store.requests = 0;
    const start = performance.now();
    let events = 0;
    for (const _ of await poller.poll({ signal: new AbortController().signal })) events++;
    const ms = performance.now() - start;
    if (events !== wanted) throw new Error(`${events} events instead of ${wanted}`);
    polls.push({ ms, requests: store.requests });
  }
  return polls;
}

async function main(): Promise<void> {
  // It waits for a thousand pages, whatever the keys are. Nothing else is timed until it has ended.
  const waiting = runSelf<Poll>(import.meta.url, "--serial");
  const rows: Row[] = await countRequests();
  const timed: (readonly [string, readonly string[]])[] = [];
  for (const [name, make] of Object.entries(keySpaces)) {
    const keys = keysOf(make, COUNT);
    rows.push(await simulated(name, keys));
    if (TIMED.includes(name)) timed.push([name, keys]);
  }
  const serial = await waiting;
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  for (const [name, keys] of timed) {
    // The second poll cuts its ranges by the known keys, so that one key space is enough.
    const expected = name === "deep" ? [keys.length, 0] : [keys.length];
    const polls = await poll(keys, undefined, ...expected);
    for (const [i, { ms, requests }] of polls.entries()) {
      const what = `${i === 0 ? "first listing" : "second poll"}, ${name}, ` +
        `${COUNT.toLocaleString("en")} at ${LATENCY} ms a page, ${RUNTIME}`;
      const gain = { ratio: serial.ms / ms, extra: (requests / serial.requests - 1) * 100 };
      rows.push(gainRow(what, "s", seconds(ms), seconds(serial.ms), gain));
    }
  }
  report(rows);
}

if (process.argv.includes("--serial")) {
  const keys = keysOf(keySpaces["flat"] ?? String, COUNT);
  console.log(JSON.stringify((await poll(keys, 1, keys.length))[0]));
} else await main();
