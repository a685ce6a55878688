/**
 * What it costs to notice a change soon. A bucket has 1,000,000 objects, and one of them changes each second, on a
 * mocked clock on which each page takes 20 ms. Polling alone is compared with notifications, which come 500 ms after
 * the change, with a sweep every hour, and with hot parts: for these, nine of ten changes are in a folder of 10,000
 * objects.
 *
 * Then, with the real clock and the real SDK: how soon a change is seen after its notification.
 *
 * Run: `deno run -A bench/fresh.ts [--json]`.
 *
 * @module
 */
import { mock } from "node:test";
import { setImmediate } from "node:timers";
import { S3 } from "@aws-sdk/client-s3";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import { watchExternal, type WatchOptions } from "@koprs/external/watcher";
import { keyOf, startCanned } from "./_canned.ts";
import { countUpTo, median, report, type Row, SMOKE, withSpread } from "./_harness.ts";

const COUNT = SMOKE ? 10_000 : 1_000_000;
const PAGE = 1_000;
const LATENCY = 20;
const NOTICE = 500;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Milliseconds of simulated time. */
const LONG = SMOKE ? 20_000 : 600_000;
const SHORT = SMOKE ? 10_000 : 60_000;
/** The folder of the keys that change often: the common prefix of the first keys. */
const FOLDER = keyOf(0).slice(0, keyOf(0).indexOf("-v1") - 4);
const FOLDER_COUNT = 10_000;
/** Dollars for a thousand LIST requests, and objects a page; Standard classes in the United States. */
const PRICES = { S3: [0.005, 1_000], GCS: [0.005, 1_000], Azure: [0.0055, 5_000] } as const;

/** A bucket in memory, which answers by the mocked clock. */
class Bucket implements ObjectStore {
  readonly name: string = "bench://bucket";
  readonly ranged: true = true;
  readonly versions: Uint32Array = new Uint32Array(COUNT);

  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const { prefix = "", after = "", until, pageSize = PAGE } = options;
    // All keys are ASCII.
    let at = Math.max(countUpTo(after, COUNT, keyOf), firstFrom(prefix));
    const end = Math.min(
      until === undefined ? COUNT : countUpTo(until, COUNT, keyOf),
      prefix === "" ? COUNT : countUpTo(`${prefix}~`, COUNT, keyOf),
    );
    do {
      await new Promise((resolve) => setTimeout(resolve, LATENCY));
      const stop = Math.min(at + pageSize, end);
      const page: ObjectMeta[] = [];
      for (; at < stop; at++) {
        page.push({ key: keyOf(at), size: 1, etag: `"${this.versions[at]}"` });
      }
      yield page;
    } while (at < end);
  }

  get(): Promise<never> {
    throw new Error("nothing is read here");
  }
}

function firstFrom(key: string): number {
  const behind = countUpTo(key, COUNT, keyOf);
  return behind > 0 && keyOf(behind - 1) === key ? behind - 1 : behind;
}

interface Way {
  readonly options: WatchOptions;
  readonly notified?: boolean;
  /** The share of the changes that are in the folder. */
  readonly hot?: number;
  readonly duration: number;
}

interface Found {
  /** Requests a day. */
  readonly requests: number;
  /** Requests to list everything once. */
  readonly sweep: number;
  /** Milliseconds from a change to its event. */
  readonly delays: readonly number[];
  readonly changes: number;
}

/** Watches the bucket in one way, while one object changes each second. */
async function simulate({ options, notified, hot = 0, duration }: Way): Promise<Found> {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_763_869_468_000 });
  try {
    const bucket = new Bucket();
    const watch = watchExternal(new ObjectStorePoller(bucket), { jitter: 0, ...options });
    const changed = new Map<string, number>();
    const delays: number[] = [];
    const reading = (async () => {
      for await (const { type, item } of watch) {
        const at = changed.get(item.key);
        if (type !== "modified" || at === undefined) continue;
        delays.push(Date.now() - at);
        changed.delete(item.key);
      }
    })();
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += LATENCY / 2) {
        mock.timers.tick(LATENCY / 2);
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    };
    while (watch.status.lastSuccess === undefined || watch.status.phase !== "waiting") {
      await pass(LATENCY);
    }
    const sweep = watch.status.requests ?? 0;
    let random = 1;
    const next = (below: number) => {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor(random / 2 ** 32 * below);
    };
    let changes = 0;
    for (let at = 0; at < duration; at += 1_000) {
      const i = next(1_000) < hot * 1_000 ? next(Math.min(FOLDER_COUNT, COUNT)) : next(COUNT);
      bucket.versions[i] = (bucket.versions[i] ?? 0) + 1;
      changes++;
      const key = keyOf(i);
      if (!changed.has(key)) changed.set(key, Date.now());
      if (notified) setTimeout(() => watch.refresh({ keys: [key] }), NOTICE);
      await pass(1_000);
    }
    const requests = (watch.status.requests ?? 0) - sweep;
    const sweeps = options.interval > duration ? sweep * DAY / options.interval : 0;
    watch.close();
    await pass(1_000);
    await reading;
    return { requests: requests * DAY / duration + sweeps, sweep, delays, changes };
  } finally {
    mock.timers.reset();
  }
}

const number = (value: number) => Math.round(value).toLocaleString("en-US");

/** Dollars a day at each cloud, as text. Requests for everything are counted by the page size of the cloud. */
function cost({ requests, sweep }: Found, parts: number): string {
  return Object.entries(PRICES).map(([cloud, [price, page]]) => {
    const whole = (requests - parts) * (sweep === 0 ? 1 : PAGE / page);
    return `${cloud} $${((whole + parts) * price / 1_000).toFixed(2)}`;
  }).join(", ");
}

function row(what: string, ours: Found, rival: Found, ways: { name: string; parts: number }): Row {
  const seconds = (found: Found) => `${(median(found.delays) / 1_000).toFixed(1)} s`;
  return {
    what: `${what}: requests a day (median delay; cost a day)`,
    ours: `${number(ours.requests)} (${seconds(ours)}; ${cost(ours, ways.parts)})`,
    rival: `${number(rival.requests)} (${seconds(rival)}; ${cost(rival, 0)}) ${ways.name}`,
    ratio: rival.requests / ours.requests,
    sense: "less",
  };
}

async function table(): Promise<Row[]> {
  const slow = await simulate({ options: { interval: 30_000 }, duration: LONG });
  const fast = await simulate({ options: { interval: 1_000 }, duration: SHORT });
  const told = await simulate({ options: { interval: HOUR }, notified: true, duration: LONG });
  if (told.delays.length < told.changes - 2) throw new Error("changes were missed");
  const hot = await simulate({
    options: { interval: HOUR, hot: [{ prefix: FOLDER, interval: 5_000 }] },
    hot: 0.9,
    duration: LONG,
  });
  const partsOf = (found: Found) => found.requests - found.sweep * 24;
  const sooner = median(told.delays) <= median(fast.delays);
  const what = `${number(COUNT)} objects, one change a second`;
  const notified = { parts: partsOf(told) };
  return [
    row(`${what}, notifications and a sweep every hour`, told, slow, {
      ...notified,
      name: "a poll every 30 s",
    }),
    {
      ...row(`${what}, notifications, against the freshest that polling alone gets`, told, fast, {
        ...notified,
        name: "a poll every second",
      }),
      budget: "≥ 100× less, no later",
      met: fast.requests / told.requests >= 100 && sooner,
    },
    row(`${what}, nine of ten in a hot folder polled every 5 s, a sweep every hour`, hot, slow, {
      parts: partsOf(hot),
      name: "a poll every 30 s",
    }),
  ];
}

/** One change after its notification, with the real clock. */
async function seen(): Promise<Row> {
  const canned = await startCanned("s3", COUNT);
  const client = new S3({
    endpoint: canned.origin,
    region: "us-east-1",
    forcePathStyle: true,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const store = new S3Store(client, "bucket", { ranged: true });
  const parts: number[] = [];
  const watch = watchExternal(new ObjectStorePoller(store), {
    interval: HOUR,
    onPoll: ({ part, requests }) => void (part !== undefined && parts.push(requests)),
  });
  const reader = watch.getReader();
  // The first poll lists everything.
  for (let i = 0; i < COUNT; i++) await reader.read();
  const times: number[] = [];
  for (let round = 0; round <= 20; round++) {
    const i = Math.floor(COUNT * (round + 0.5) / 21);
    const event = reader.read();
    await watch.synced;
    await canned.set({ touch: i });
    const start = performance.now();
    watch.refresh({ keys: [keyOf(i)] });
    const { value } = await event;
    if (value?.item.key !== keyOf(i)) throw new Error(`told of ${value?.item.key}`);
    if (round > 0) times.push(performance.now() - start);
  }
  await reader.cancel();
  client.destroy();
  canned.stop();
  const most = Math.max(...parts);
  return {
    what: `one change in ${number(COUNT)} S3 objects, told by a notification, until it is seen`,
    ours: `${withSpread(times, "ms")}, ${most} request`,
    rival: `${number(COUNT / PAGE)} requests everything`,
    budget: "≤ 100 ms, 1 request",
    met: Math.max(...times) <= 100 && most === 1,
  };
}

report([...await table(), await seen()]);
