/**
 * The memory of a tracked object between polls, and the peak during a poll, against the `Map` that a careful user
 * keeps. Each figure is from a process of its own, which lists synthetic objects in order, with two kinds of keys, both
 * of 40 to 50 characters.
 *
 * Run: `deno run -A bench/memory.ts [--json]`.
 *
 * @module
 */
import process from "node:process";
import { type ListOptions, type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import type { ObjectStore } from "@koprs/external/store";
import {
  countUpTo,
  liveBytes,
  megabytes,
  peakRss,
  report,
  type Row,
  runSelf,
  SMOKE,
} from "./_harness.ts";

const PAGE = 1000;

/**
 * `dated`: a path, a date, a number. `hashed`: only the beginning is common, so that hardly anything can be left out.
 */
type Keys = "dated" | "hashed";

/** A store of objects, in order. */
class Synthetic implements ObjectStore {
  readonly name = "synthetic://bucket";
  readonly ranged = true;
  /** Decides, with churn, which objects have changed. It increases by one with each poll. */
  round = 0;
  readonly #count: number;
  readonly #keys: Keys;
  readonly #churn: boolean;

  constructor(count: number, keys: Keys, churn = false) {
    this.#count = count;
    this.#keys = keys;
    this.#churn = churn;
  }

  async *list({ after, until }: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const end = until === undefined ? this.#count : this.#countUpTo(until);
    for (let i = after === undefined ? 0 : this.#countUpTo(after); i < end;) {
      const page: ObjectMeta[] = [];
      for (const stop = Math.min(i + PAGE, end); i < stop; i++) this.#add(i, page);
      yield page;
      // A turn of the event loop from time to time: a listing over a network has one for each page.
      if (i % (100 * PAGE) === 0) await new Promise((resolve) => setTimeout(resolve));
    }
  }

  get(): never {
    throw new Error("No object has content");
  }

  #add(i: number, page: ObjectMeta[]): void {
    const turn = (i + this.round) % 100;
    if (this.#churn && turn === 1) return; // removed; added again in the next round
    const version = this.#churn ? Math.floor((i + this.round) / 100) : 0;
    const [a, b] = [hash(i, version), hash(i, version + 0x5bd1)];
    page.push({
      key: this.#keyAt(i),
      size: (i * 7919 + 1) % 100_000_007,
      etag: `"${a}${b}${hash(i, a.charCodeAt(0))}${hash(i, b.charCodeAt(0) + 256)}"`,
      lastModified: 1_763_869_468_000 + (Math.imul(i, 0x9e3779b1) >>> 0),
    });
  }

  #keyAt(i: number): string {
    if (this.#keys === "dated") {
      return `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`;
    }
    // In order, with distances like those of hashes.
    const place = Math.floor((i + Number(`0x${hash(i, 1)}`) / 2 ** 32) * (2 ** 48 / this.#count));
    return `uploads/${place.toString(16).padStart(12, "0")}${hash(i, 2)}${hash(i, 3)}${
      hash(i, 4).slice(4)
    }.bin`;
  }

  #countUpTo(key: string): number {
    return countUpTo(key, this.#count, (i) => this.#keyAt(i));
  }
}

const HEX = Array.from({ length: 2 ** 16 }, (_, i) => i.toString(16).padStart(4, "0"));

/** Eight hexadecimal digits. */
function hash(i: number, seed: number): string {
  let x = Math.imul(i ^ Math.imul(seed, 0x85ebca6b), 0x9e3779b1);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  x ^= x >>> 15;
  return `${HEX[x >>> 16]}${HEX[x & 0xffff]}`;
}

/** Something that polls, and returns how many events it found. */
interface Polling {
  poll(): Promise<number>;
}

function ours(store: ObjectStore): Polling {
  const { signal } = new AbortController();
  const poller = new ObjectStorePoller(store);
  return {
    async poll() {
      let events = 0;
      for (const { item } of await poller.poll({ signal })) if (item.size > 0) events++;
      return events;
    },
  };
}

/** What a careful user writes: a new `Map` for each poll, compared with the one before. */
function rival(store: ObjectStore): Polling {
  let old = new Map<string, ObjectMeta>();
  return {
    async poll() {
      const next = new Map<string, ObjectMeta>();
      let events = 0;
      for await (const page of store.list()) {
        for (const object of page) next.set(object.key, object);
      }
      for (const [key, object] of next) {
        const before = old.get(key);
        if (before?.etag !== object.etag || before?.size !== object.size) events++;
      }
      for (const key of old.keys()) if (!next.has(key)) events++;
      old = next;
      return events;
    },
  };
}

interface Found {
  /** Bytes in use between polls, in all. */
  readonly live: number;
  /** The peak memory of the process in bytes: at the start, after one poll and after two. */
  readonly peaks: readonly number[];
  /** The time of the second poll in milliseconds; with churn, the mean of all polls. */
  readonly ms: number;
  /** With churn: how many more bytes are in use at the end than in the middle of the polls. */
  readonly growth?: number;
}

async function child(side: string, count: number, keys: Keys): Promise<Found> {
  const start = peakRss();
  const before = await liveBytes();
  const polling = (side === "ours" ? ours : rival)(new Synthetic(count, keys));
  const peaks: number[] = [start];
  let ms = 0;
  for (const expected of [count, 0]) {
    const began = performance.now();
    const events = await polling.poll();
    ms = performance.now() - began;
    if (events !== expected) throw new Error(`${side}: ${events} events instead of ${expected}`);
    peaks.push(peakRss());
  }
  const live = await liveBytes() - before;
  // Uses the state after it was measured, so that it could not be collected before.
  if (count <= 100_000 && await polling.poll() !== 0) throw new Error(`${side}: no state`);
  return { live, peaks, ms };
}

async function churn(side: string, count: number, polls: number): Promise<Found> {
  const store = new Synthetic(count, "dated", true);
  const before = await liveBytes();
  const polling = (side === "ours" ? ours : rival)(store);
  let early = 0;
  const began = performance.now();
  for (store.round = 0; store.round < polls; store.round++) {
    const events = await polling.poll();
    // Of each hundred objects one comes back, one goes, and one of the others has a new version.
    if (store.round > 0 && Math.abs(events - count / 100 * 3) > 5) {
      throw new Error(`${side}: ${events} events in poll ${store.round}`);
    }
    if (store.round === polls >> 1) early = await liveBytes();
  }
  const ms = (performance.now() - began) / polls;
  const end = await liveBytes();
  return { live: end - before, peaks: [peakRss()], ms, growth: end - early };
}

async function main(): Promise<void> {
  const rows: Row[] = [];
  const both = async (count: number, keys: Keys): Promise<[Found, Found]> => [
    await runSelf<Found>(import.meta.url, "--child", "ours", String(count), keys),
    await runSelf<Found>(import.meta.url, "--child", "rival", String(count), keys),
  ];
  const [few, many] = SMOKE ? [2_000, 10_000] : [10_000, 1_000_000];
  const name = (count: number, keys: Keys) => `${count.toLocaleString("en")} ${keys} keys`;
  const peakOf = ({ peaks }: Found) => peaks[2] ?? NaN;
  for (const [count, keys] of [[few, "dated"], [many, "dated"], [many, "hashed"]] as const) {
    const [us, them] = await both(count, keys);
    const each = us.live / count;
    rows.push({
      what: `an object between polls, ${name(count, keys)}`,
      ours: `${each.toFixed(1)} B`,
      rival: `${(them.live / count).toFixed(0)} B Map`,
      ratio: them.live / us.live,
      sense: "less",
      // With few objects, most of it is the code that was compiled meanwhile.
      ...(count >= 100_000 && { budget: "≤ 48 B", met: each <= 48 }),
    }, {
      what: `peak RSS of two polls, ${name(count, keys)}`,
      ours: megabytes(peakOf(us)),
      rival: `${megabytes(peakOf(them))} Map`,
      ratio: peakOf(them) / peakOf(us),
      sense: "less",
    });
    // Continue only with the kind of keys that takes more memory.
    if (keys !== "hashed") continue;
    // More than fits into the rival's heap, so its figure is an estimate.
    const most = many * 10;
    const found = await runSelf<Found>(import.meta.url, "--child", "ours", String(most), keys);
    const estimate = peakOf(them) * most / many;
    rows.push({
      what: `peak RSS of two polls, ${name(most, keys)}`,
      ours: `${megabytes(peakOf(found))}, a poll ${(found.ms / 1000).toFixed(1)} s`,
      rival: `≈ ${megabytes(estimate)} Map (10 × that of a tenth)`,
      ratio: estimate / peakOf(found),
      sense: "less",
      budget: "≤ 1,500 MB",
      met: peakOf(found) <= 1.5e9,
    });
  }
  const polls = SMOKE ? 50 : 1_000;
  const objects = SMOKE ? 2_000 : 3_000;
  const [us, them] = [
    await runSelf<Found>(import.meta.url, "--churn", "ours", String(objects), String(polls)),
    await runSelf<Found>(import.meta.url, "--churn", "rival", String(objects), String(polls)),
  ];
  const growth = us.growth ?? NaN;
  rows.push({
    what: `growth in the second half of ${polls} polls of ${
      objects.toLocaleString("en")
    }, 3 % change`,
    ours: `${(growth / 1e3).toFixed(0)} kB of ${megabytes(us.live)}`,
    rival: `${((them.growth ?? NaN) / 1e3).toFixed(0)} kB of ${megabytes(them.live)} Map`,
    budget: "flat: ≤ 300 kB",
    met: growth <= 300_000,
  });
  report(rows);
}

const [mode, side = "", count = "", more = ""] = process.argv.slice(2);
if (mode === "--child") {
  console.log(JSON.stringify(await child(side, Number(count), more === "hashed" ? more : "dated")));
} else if (mode === "--churn") {
  console.log(JSON.stringify(await churn(side, Number(count), Number(more))));
} else await main();
