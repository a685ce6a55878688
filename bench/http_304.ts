/**
 * A poll of a page that has not changed, against a conditional `fetch` with a signal and a timeout, and against a bare
 * one. The server is in another process.
 *
 * Run: `deno run -A bench/http_304.ts [--json]`.
 *
 * @module
 */
import { createServer } from "node:http";
import process from "node:process";
import { HttpPoller } from "@koprs/external/http";
import { announce, compare, inTurn, report, RUNTIME, serveSelf, SMOKE } from "./_harness.ts";

const REQUESTS = SMOKE ? 50 : 1_000;
const ROUNDS = SMOKE ? 1 : 15;
const ETAG = '"0123456789abcdef0123456789abcdef"';
const MODIFIED = "Mon, 23 Nov 2026 05:00:00 GMT";

function serve(): void {
  const server = createServer((request, response) => {
    response.setHeader("etag", ETAG);
    response.setHeader("last-modified", MODIFIED);
    if (request.headers["if-none-match"] === ETAG) response.writeHead(304).end();
    else response.end(JSON.stringify({ replicas: 3 }));
  });
  announce(server);
}

async function main(): Promise<void> {
  const server = await serveSelf(import.meta.url, "--serve");
  try {
    const url = `${server.origin}/config.json`;
    const { signal } = new AbortController();
    const poller = new HttpPoller(url);
    // The first poll loads the page, and the second may not trust a Last-Modified that is so recent.
    for (const expected of [1, 0]) {
      const found = [...await poller.poll({ signal })].length;
      if (found !== expected) throw new Error(`${found} events instead of ${expected}`);
    }
    const [ours = [], bare = [], bounded = []] = await inTurn([
      {
        name: "HttpPoller",
        expected: REQUESTS,
        async work() {
          let unchanged = 0;
          let requests = 0;
          const onRequest = () => void requests++;
          for (let i = 0; i < REQUESTS; i++) {
            if ([...await poller.poll({ signal, onRequest })].length === 0) unchanged++;
          }
          return requests === REQUESTS ? unchanged : -requests;
        },
      },
      {
        name: "fetch",
        expected: REQUESTS,
        async work() {
          const headers = { "if-none-match": ETAG, "if-modified-since": MODIFIED };
          let unchanged = 0;
          for (let i = 0; i < REQUESTS; i++) {
            const response = await fetch(url, { headers });
            await response.body?.cancel();
            if (response.status === 304) unchanged++;
          }
          return unchanged;
        },
      },
      {
        // The least that a poll costs with an abort signal and a timeout, written by hand.
        name: "fetch with signal and timeout",
        expected: REQUESTS,
        async work() {
          const headers = { "if-none-match": ETAG, "if-modified-since": MODIFIED };
          let unchanged = 0;
          for (let i = 0; i < REQUESTS; i++) {
            const inner = new AbortController();
            const onAbort = () => inner.abort(signal.reason);
            signal.addEventListener("abort", onAbort, { once: true });
            const timer = setTimeout(() => inner.abort(new Error("too slow")), 30_000);
            const response = await fetch(url, { headers, signal: inner.signal });
            await response.body?.cancel();
            clearTimeout(timer);
            signal.removeEventListener("abort", onAbort);
            if (response.status === 304) unchanged++;
          }
          return unchanged;
        },
      },
    ], ROUNDS);
    const each = (times: readonly number[]) => times.map((ms) => ms * 1000 / REQUESTS);
    const what = `a 304 poll, ${RUNTIME}`;
    const common = { what, ours: each(ours), unit: "µs", digits: 0, sense: "as long" } as const;
    report([
      compare({
        ...common,
        rival: each(bounded),
        name: "conditional fetch with a signal and a timeout",
        budget: 1.15,
      }),
      compare({ ...common, rival: each(bare), name: "bare conditional fetch" }),
    ]);
  } finally {
    server.stop();
  }
}

if (process.argv.includes("--serve")) serve();
else await main();
