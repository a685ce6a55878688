/**
 * 10,000 HTTP sources in one group, each polled every 10 s, against one server in another process. It measures the
 * processor time, how late polls begin, the memory of each source, how long it takes to add and remove all sources,
 * whether sources that come and go leave anything behind, and how much one source with a million events delays 999
 * others. The rival is the loop that a careful user writes, with `fetch` and a timer, 10,000 times.
 *
 * Run: `deno run -A bench/group.ts [--json]`.
 *
 * @module
 */
import process from "node:process";
import { WatchGroup } from "@koprs/external/group";
import { HttpPoller, type HttpResource } from "@koprs/external/http";
import type { ExternalEvent, ExternalSource } from "@koprs/external/watcher";
import { liveBytes, quantile, report, runSelf, RUNTIME, serveSelf, SMOKE } from "./_harness.ts";
import { answer, serveUnchanged } from "./_unchanged.ts";

const COUNT = SMOKE ? 200 : 10_000;
const INTERVAL = SMOKE ? 500 : 10_000;
/** How many rounds of polls are measured, after the first. */
const ROUNDS = 2;
const FAR = 3_600_000;
const EVENTS = SMOKE ? 20_000 : 1_000_000;
const OTHERS = SMOKE ? 99 : 999;
/** How many sources come and go in all. */
const CHURN = SMOKE ? 500 : 100_000;

const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Reads a group until the process ends. */
async function read<T>(
  group: WatchGroup<T>,
  onEvent: (event: ExternalEvent<T> & { source: string }) => void = () => {},
) {
  for await (const event of group) onEvent(event);
}

/** A source that reports when it is polled. */
function observed<T>(
  source: ExternalSource<T>,
  onPoll: () => void,
  onPolled: () => void,
): ExternalSource<T> {
  return {
    name: source.name,
    ...(source.host !== undefined && { host: source.host }),
    async poll(options) {
      onPoll();
      const events = await source.poll(options);
      onPolled();
      return events;
    },
  };
}

/** Bytes that one source takes between two polls. */
async function memory(): Promise<number> {
  const group = new WatchGroup<HttpResource>({ interval: FAR, onError: fail });
  let events = 0;
  read(group, () => void events++);
  const add = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      group.add(new HttpPoller(`http://127.0.0.1/config/${i}.json`, { fetch: answer }));
    }
    group.refresh();
    while (events < to) await delay(10);
  };
  await add(0, 200); // lets the code be compiled
  const before = await liveBytes();
  await add(200, 200 + COUNT);
  return (await liveBytes() - before) / COUNT;
}

function fail(error: unknown): never {
  throw error;
}

interface Active {
  readonly p50: number;
  readonly p99: number;
  /** Microseconds of processor time for each poll. */
  readonly cpu: number;
}

/** Polls everything: a first round, spread over the interval, and then the rounds that are measured. */
async function active(side: string, origin: string): Promise<Active> {
  const lags: number[] = [];
  let polls = 0, counts = false;
  const begin = side === "ours" ? beginOurs : beginRival;
  begin(origin, () => {
    let due: number | undefined;
    return {
      onPoll() {
        const now = performance.now();
        if (due !== undefined && counts) lags.push(now - due);
      },
      onPolled() {
        polls++;
        due = performance.now() + INTERVAL;
      },
    };
  });
  while (polls < COUNT) await delay(10);
  counts = true;
  const from = process.cpuUsage();
  const until = COUNT * (ROUNDS + 1);
  const atFirst = polls;
  while (polls < until) await delay(10);
  const { user, system } = process.cpuUsage(from);
  return {
    p50: quantile(lags, 0.5),
    p99: quantile(lags, 0.99),
    cpu: (user + system) / (polls - atFirst),
  };
}

type Observe = () => { readonly onPoll: () => void; readonly onPolled: () => void };

function beginOurs(origin: string, observe: Observe): void {
  const group = new WatchGroup<HttpResource>({
    interval: INTERVAL,
    jitter: 0,
    onError: fail,
  });
  read(group);
  for (let i = 0; i < COUNT; i++) {
    const { onPoll, onPolled } = observe();
    group.add(observed(new HttpPoller(`${origin}/config/${i}.json`), onPoll, onPolled));
  }
}

/** Remembers the same as our source: URL, ETag and the digest of the content. */
function beginRival(origin: string, observe: Observe): void {
  const loop = async (url: string, { onPoll, onPolled }: ReturnType<Observe>) => {
    let etag: string | null = null;
    let digest: string | undefined;
    for (;;) {
      onPoll();
      const response: Response = await fetch(
        url,
        etag === null ? {} : { headers: { "if-none-match": etag } },
      );
      if (response.status === 304) await response.body?.cancel();
      else {
        const bytes = await response.arrayBuffer();
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        digest = btoa(String.fromCharCode(...hash));
        etag = response.headers.get("etag");
      }
      onPolled();
      await delay(INTERVAL);
      if (digest === "") return; // never true: it only keeps the digest in memory
    }
  };
  for (let i = 0; i < COUNT; i++) {
    setTimeout(() => loop(`${origin}/config/${i}.json`, observe()), i / COUNT * INTERVAL);
  }
}

interface Moves {
  /** Milliseconds to add, and to remove, all sources. */
  readonly add: number;
  readonly remove: number;
  /** How many more bytes are in use after many sources came and went. */
  readonly growth: number;
}

/** Sources come and go while the group is read. */
async function moves(): Promise<Moves> {
  const quiet = (name: string): ExternalSource<HttpResource> => ({
    name,
    poll: () => Promise.resolve([]),
  });
  const group = new WatchGroup<HttpResource>({ interval: INTERVAL, onError: fail });
  read(group);
  const sources = Array.from({ length: COUNT }, (_, i) => quiet(`s${i}`));
  let start = performance.now();
  for (const source of sources) group.add(source);
  const add = performance.now() - start;
  await delay(INTERVAL / 20);
  start = performance.now();
  await Promise.all(sources.map(({ name }) => group.remove(name)));
  const remove = performance.now() - start;

  const round = async (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      group.add(quiet(`churn${i}`), { interval: 1 });
      if (i - from >= 100) await group.remove(`churn${i - 100}`);
      if (i % 100 === 0) await delay(1);
    }
    for (let i = Math.max(to - 100, from); i < to; i++) await group.remove(`churn${i}`);
  };
  await round(0, CHURN / 5);
  const before = await liveBytes();
  await round(CHURN / 5, CHURN);
  return { add, remove, growth: await liveBytes() - before };
}

interface Beside {
  /** Milliseconds from the answer of a small source until its event was read. */
  readonly p50: number;
  readonly p99: number;
  /** Events of the large source a second, during that time. */
  readonly rate: number;
}

/** One source with very many events next to others with one event every second. */
async function beside(): Promise<Beside> {
  const answeredAt = new Map<string, number>();
  const delays: number[] = [];
  const group = new WatchGroup<number>({ interval: 1_000, onError: fail });
  for (let i = 0; i < OTHERS; i++) {
    const name = `small${i}`;
    group.add({
      name,
      async poll() {
        await delay(1);
        answeredAt.set(name, performance.now());
        return [{ type: "modified", item: i }];
      },
    });
  }
  group.add({
    name: "large",
    poll: () =>
      Promise.resolve((function* () {
        for (let i = 0; i < EVENTS; i++) yield { type: "added", item: i } as const;
      })()),
  }, { interval: 1 });
  let large = 0, began = 0;
  for await (const { source } of group) {
    if (source === "large") {
      if (large++ === 0) began = performance.now();
      if (large === EVENTS) break;
    } else if (large > 0) delays.push(performance.now() - (answeredAt.get(source) ?? NaN));
  }
  return {
    p50: quantile(delays, 0.5),
    p99: quantile(delays, 0.99),
    rate: EVENTS / (performance.now() - began) * 1000,
  };
}

async function main(): Promise<void> {
  const url = import.meta.url;
  const bytes = await runSelf<number>(url, "--memory");
  const moved = await runSelf<Moves>(url, "--moves");
  const besides = await runSelf<Beside>(url, "--beside");
  const server = await serveSelf(url, "--serve");
  try {
    const [us, them] = [
      await runSelf<Active>(url, "--active", "ours", server.origin),
      await runSelf<Active>(url, "--active", "rival", server.origin),
    ];
    const many = COUNT.toLocaleString("en");
    const lag = ({ p50, p99 }: Active) => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
    const RIVAL = "loop of fetch and timer";
    report([
      {
        what: `processor of ${many} sources, each every ${INTERVAL / 1000} s, ${RUNTIME}`,
        ours: `${us.cpu.toFixed(0)} µs a poll`,
        rival: `${them.cpu.toFixed(0)} µs ${RIVAL}`,
        ratio: us.cpu / them.cpu,
        sense: "as much",
        budget: "≤ 1.3×",
        met: us.cpu <= 1.3 * them.cpu,
      },
      {
        what: "lag of those (p99)",
        ours: lag(us),
        rival: `${lag(them)} ${RIVAL}`,
        ratio: us.p99 / them.p99,
        sense: "as long",
        budget: "≤ 2×",
        met: us.p99 <= 2 * them.p99,
      },
      {
        what: "heap of one of those, between polls",
        ours: `${(bytes / 1000).toFixed(2)} kB`,
        rival: "",
        budget: "≤ 6 KB",
        met: bytes <= 6 * 1024,
      },
      {
        what: `adding and removing ${many}`,
        ours: `${moved.add.toFixed(0)} ms and ${moved.remove.toFixed(0)} ms`,
        rival: "",
      },
      {
        what: `heap after ${CHURN.toLocaleString("en")} more came and went`,
        ours: `${(moved.growth / 1000).toFixed(0)} kB more`,
        rival: "",
        budget: "flat: ≤ 1 MB",
        met: moved.growth <= 2 ** 20,
      },
      {
        what: `delay of the events of ${OTHERS} sources beside one with ${
          EVENTS.toLocaleString("en")
        }`,
        ours: `p50 ${besides.p50.toFixed(1)} ms, p99 ${besides.p99.toFixed(1)} ms`,
        rival: "",
        budget: "≤ 100 ms",
        met: besides.p99 <= 100,
      },
    ]);
  } finally {
    server.stop();
  }
}

const [mode, side = "", origin = ""] = process.argv.slice(2);
const modes: Readonly<Record<string, () => unknown>> = {
  "--memory": memory,
  "--moves": moves,
  "--beside": beside,
  "--active": () => active(side, origin),
};
if (mode === "--serve") serveUnchanged();
else if (mode !== undefined && mode in modes) {
  console.log(JSON.stringify(await modes[mode]?.()));
  process.exit(); // the groups would go on forever
} else await main();
