/**
 * 10,000 watches in one process: the memory of each while it waits for its next poll, the processor time meanwhile, and
 * how late polls begin when all are active against one server in another process. The rival is the loop that a careful
 * user writes, with `fetch` and a timer.
 *
 * Run: `deno run -A bench/idle.ts [--json]`.
 *
 * @module
 */
import process from "node:process";
import { HttpPoller } from "@koprs/external/http";
import { type ExternalSource, watchExternal } from "@koprs/external/watcher";
import { liveBytes, quantile, report, runSelf, RUNTIME, serveSelf, SMOKE } from "./_harness.ts";
import { answer, serveUnchanged } from "./_unchanged.ts";

const COUNT = SMOKE ? 200 : 10_000;
/** How long the processor time is measured while nothing happens, in milliseconds. */
/** Milliseconds after which polls that are still missing will not come: a busy machine is late by seconds. */
const STALLED = 60_000;
const QUIET = SMOKE ? 500 : 5_000;
const INTERVAL = SMOKE ? 500 : 10_000;
const POLLS = 2; // the first one has no due time
const FAR = 3_600_000;

const delay = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Starts one watch that runs until the process ends; resolves when it has polled once and waits. */
type Start = (url: string, i: number, onPoll?: () => void, onPolled?: () => void) => Promise<void>;

function startOurs(
  fetch: typeof globalThis.fetch | undefined,
  interval: number,
): Start {
  return async (url, _, onPoll, onPolled) => {
    const poller = new HttpPoller(url, { ...(fetch && { fetch }) });
    const source: ExternalSource<unknown> = onPoll === undefined ? poller : {
      name: poller.name,
      async poll(options) {
        onPoll();
        const events = await poller.poll(options);
        onPolled?.();
        return events;
      },
    };
    const watch = watchExternal(source, {
      interval,
      jitter: 0,
      onError: (error) => {
        throw error;
      },
    });
    const reader = watch.getReader();
    await reader.read();
    (async () => {
      while (!(await reader.read()).done);
    })();
  };
}

/** Remembers the same as our watch: URL, ETag and the digest of the content. */
function startRival(given: typeof globalThis.fetch | undefined, interval: number): Start {
  return async (url, _, onPoll, onPolled) => {
    const fetch = given ?? globalThis.fetch;
    let etag: string | null = null;
    let digest: string | undefined;
    const poll = async () => {
      onPoll?.();
      const response = await fetch(
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
      onPolled?.();
      return digest;
    };
    await poll();
    (async () => {
      for (;;) {
        await delay(interval);
        await poll();
      }
    })();
  };
}

interface Idle {
  readonly bytes: number;
  /** Milliseconds of processor time a second. */
  readonly cpu: number;
}

async function idle(side: string): Promise<Idle> {
  const start = (side === "ours" ? startOurs : startRival)(answer, FAR);
  const many = side === "nothing" ? 0 : COUNT;
  // The first watches let the code be compiled.
  for (let i = 0; i < Math.min(many, 200); i++) await start("http://127.0.0.1/warm-up", i);
  const before = await liveBytes();
  for (let i = 0; i < many; i++) await start(`http://127.0.0.1/config/${i}.json`, i);
  const bytes = (await liveBytes() - before) / COUNT;
  await delay(QUIET / 5); // the collector may still be at work
  const from = process.cpuUsage();
  const began = performance.now();
  await delay(QUIET);
  const { user, system } = process.cpuUsage(from);
  return { bytes, cpu: (user + system) / (performance.now() - began) };
}

interface Active {
  readonly polls: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpu: number;
}

async function active(side: string, origin: string): Promise<Active> {
  const lags: number[] = [];
  const start = (side === "ours" ? startOurs : startRival)(undefined, INTERVAL);
  const from = process.cpuUsage();
  const began = performance.now();
  let polls = 0;
  await Promise.all(Array.from({ length: COUNT }, async (_, i) => {
    await delay(i / COUNT * INTERVAL); // so that as many begin in every second
    let due: number | undefined;
    await start(`${origin}/config/${i}.json`, i, () => {
      const now = performance.now();
      if (due !== undefined) lags.push(now - due);
    }, () => {
      polls++;
      due = performance.now() + INTERVAL;
    });
  }));
  const due = began + POLLS * INTERVAL;
  while (lags.length < COUNT * (POLLS - 1) && performance.now() < due + STALLED) await delay(50);
  const { user, system } = process.cpuUsage(from);
  const cpu = (user + system) / (performance.now() - began);
  if (lags.length < COUNT * (POLLS - 1)) {
    throw new Error(`${side}: ${lags.length} polls of ${COUNT * (POLLS - 1)}`);
  }
  return { polls, p50: quantile(lags, 0.5), p99: quantile(lags, 0.99), cpu };
}

async function main(): Promise<void> {
  const run = (side: string) => runSelf<Idle>(import.meta.url, "--idle", side);
  const [ours, loop, nothing] = [await run("ours"), await run("rival"), await run("nothing")];
  const server = await serveSelf(import.meta.url, "--serve");
  try {
    const poll = (side: string) =>
      runSelf<Active>(import.meta.url, "--active", side, server.origin);
    const [us, them] = [await poll("ours"), await poll("rival")];
    const many = COUNT.toLocaleString("en");
    const lag = ({ p50, p99 }: Active) => `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`;
    report([
      {
        what: `heap of one of ${many} idle watches, ${RUNTIME}`,
        ours: `${(ours.bytes / 1000).toFixed(2)} kB`,
        rival: `${(loop.bytes / 1000).toFixed(2)} kB loop of fetch and timer`,
        ratio: ours.bytes / loop.bytes,
        sense: "as much",
        budget: "≤ 8 KB",
        met: ours.bytes <= 8192,
      },
      {
        what: `processor between polls of ${many} idle watches`,
        ours: `${ours.cpu.toFixed(2)} ms/s`,
        rival: `${nothing.cpu.toFixed(2)} ms/s process that does nothing`,
        budget: "≤ 1 ms/s above it",
        met: ours.cpu - nothing.cpu <= 1,
      },
      {
        what: `lag of ${many} watches, each every ${INTERVAL / 1000} s, on one server (p99)`,
        ours: lag(us),
        rival: `${lag(them)} loop of fetch and timer`,
        ratio: us.p99 / them.p99,
        sense: "as long",
      },
      {
        what: "processor of those",
        ours: `${us.cpu.toFixed(0)} ms/s`,
        rival: `${them.cpu.toFixed(0)} ms/s loop of fetch and timer`,
        ratio: us.cpu / them.cpu,
        sense: "as much",
      },
    ]);
  } finally {
    server.stop();
  }
}

const [mode, side = "", origin = ""] = process.argv.slice(2);
if (mode === "--serve") serveUnchanged();
else if (mode === "--idle" || mode === "--active") {
  console.log(JSON.stringify(await (mode === "--idle" ? idle(side) : active(side, origin))));
  process.exit(); // the watches would go on forever
} else await main();
