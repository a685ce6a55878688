// Key spaces as people have them, and a clock without time to measure how a first listing of one goes: a tick is the
// latency of one page. Used by the tests here and by bench/ranges.ts.
import { compareKeys } from "../../_bytes/order.ts";
import type { Cut, Layout, PageHabit, PlannedRange } from "../../_listing/range_plan.ts";
import { type Listed, listSplitting, type SplitOptions } from "../../_listing/split_listing.ts";

type Random = () => number;

/** A generator of numbers in [0, 1), the same for the same seed. */
export function randomOf(seed: number): Random {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), 61 | bits);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pad = (i: number, length: number) => String(i).padStart(length, "0");
const below = (random: Random, end: number) => Math.floor(random() * end);
const pick = <T>(random: Random, values: readonly T[]) => values[below(random, values.length)] as T;
const hex = (random: Random, length: number) => {
  let text = "";
  for (let i = 0; i < length; i++) text += "0123456789abcdef"[below(random, 16)];
  return text;
};
/** One of the days of four years: `share` of the way. */
const day = (share: number) =>
  new Date(Date.UTC(2021, 0, 1) + Math.floor(share * 4 * 365) * 86_400_000).toISOString()
    .slice(0, 10);
const WORDS = [
  ..."café, naïve, Ελλάδα, Привет, 東京, 大阪, 写真, 🎉 party, 🚀 launch, 𝒜𝒷𝒸, 한국, ﬁle"
    .split(", "),
];

/** Makes the i-th of `count` keys. */
type MakeKey = (i: number, count: number, random: Random) => string;

export const keySpaces: Readonly<Record<string, MakeKey>> = {
  "flat": (i) => `objects/object-${pad(i, 9)}.json`,
  "unpadded numbers": (i) => `file${i}`,
  "dates": (i, count, random) =>
    `logs/${day(i / count).replaceAll("-", "/")}/${pad(below(random, 24), 2)}/${
      hex(random, 12)
    }.gz`,
  "dates, hive": (i, count, random) =>
    `warehouse/events/dt=${day(i / count)}/part-${pad(below(random, 1000), 5)}-${
      hex(random, 12)
    }.parquet`,
  "hash": (_i, _count, random) => hex(random, 40),
  "uuid": (_i, _count, random) =>
    `data/${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${
      hex(random, 12)
    }`,
  "deep": (i, _count, random) =>
    `tenants/tenant-${Math.floor(Math.sqrt(random()) * 300)}/projects/${
      pick(random, ["alpha", "beta", "gamma", "delta"])
    }/v${1 + below(random, 12)}/assets/${hex(random, 2)}/${i}.bin`,
  "skewed": (i, _count, random) =>
    random() < 0.9 ? `hot/${pad(i, 8)}` : `cold/${hex(random, 8)}/${i}`,
  "beyond ASCII": (i, _count, random) =>
    `${pick(random, WORDS)}/${pick(random, WORDS)}-${below(random, 300)}/${i}.jpg`,
  "one of thousands": (i, _count, random) =>
    random() < 0.9 ? `customers/big-one/${pad(i, 10)}` : `customers/${hex(random, 3)}/${i}`,
};

/** So many keys of a space, in order. */
export function keysOf(make: MakeKey, count: number): string[] {
  const random = randomOf(7);
  const keys = Array.from({ length: count }, (_, i) => make(i, count, random));
  // By UTF-16, which is quick and the same below U+D800.
  const sorted = [...new Set(keys)].sort();
  return sorted.some((key) => /[\ud800-\uffff]/.test(key)) ? sorted.sort(compareKeys) : sorted;
}

/** How many keys are less than or equal to this one. */
export function countUpTo(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(keys[middle] as string, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How a listing went. */
export interface Outcome {
  /** All keys listed, each with the range that it counts in. */
  readonly keys: string[];
  readonly ticks: number;
  readonly requests: number;
  /** Requests that brought nothing. */
  readonly empty: number;
  /** The most requests in flight at once. */
  readonly most: number;
  /** How pages were filled. */
  readonly habit: PageHabit | undefined;
}

/** Lists keys as a store would that heeds `until` as it was when the range began, and counts what it takes. */
export async function simulate(
  keys: readonly string[],
  { pageSize = 1000, concurrency = 16, planned }: {
    pageSize?: number;
    concurrency?: number;
    planned?: readonly PlannedRange[];
  } = {},
): Promise<Outcome> {
  let ticks = 0, requests = 0, empty = 0, most = 0;
  let waiting: (() => void)[] = [];
  let idle: (() => void) | undefined;
  const request = () =>
    new Promise<void>((resolve) => {
      requests++;
      most = Math.max(most, waiting.push(resolve));
      idle?.();
    });
  let over = false;
  const { signal } = new AbortController();
  const options: SplitOptions = {
    name: "simulated",
    prefix: "",
    concurrency: () => concurrency,
    signal,
    ...(planned !== undefined && { planned }),
  };
  const listed = listSplitting(options, async ({ after, until }, _signal, onPage) => {
    const part: string[] = [];
    const end = until === undefined ? keys.length : countUpTo(keys, until);
    let at = after === undefined ? 0 : countUpTo(keys, after);
    do {
      await request();
      const page = keys.slice(at, Math.min(at + pageSize, end));
      if (page.length === 0) {
        empty++;
        break;
      }
      at += page.length;
      for (const key of page) part.push(key);
      if (!onPage(page.length, { inOrder: true, first: part[0], last: part.at(-1) })) break;
    } while (at < end);
    return new KeyList(part);
  }).finally(() => {
    over = true;
    idle?.();
  });
  while (!over) {
    // All that can be asked for at this time has been asked for when nothing is left to run.
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (over) break;
    if (waiting.length === 0) await new Promise<void>((resolve) => idle = resolve);
    else {
      ticks++;
      const now = waiting;
      waiting = [];
      for (const answer of now) answer();
    }
  }
  const { parts, habit } = await listed;
  return { keys: parts.flatMap(({ keys }) => keys), ticks, requests, empty, most, habit };
}

/** Keys in order. */
export class KeyList implements Listed<KeyList>, Layout {
  readonly keys: readonly string[];

  constructor(keys: readonly string[]) {
    this.keys = keys;
  }

  get count(): number {
    return this.keys.length;
  }

  upTo(key: string): KeyList {
    return new KeyList(this.keys.slice(0, countUpTo(this.keys, key)));
  }

  cutAt(count: number): Cut | undefined {
    const key = this.keys[count - 1];
    return key === undefined ? undefined : { key, count };
  }
}
