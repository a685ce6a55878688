/**
 * A poll of a large S3 bucket in which nothing changed: `S3Store` with its poller, against the SDK's own paginator with
 * a `Map`, and against a bare `fetch` of the same pages, dropped. A server in another process gives the pages; there is
 * no network between.
 *
 * Run: `deno run -A bench/s3_listing.ts [objects] [ms of latency a page]`, or with Node or Bun, by the package that `deno pack` makes.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { paginateListObjectsV2, S3 } from "@aws-sdk/client-s3";
import { ObjectStorePoller } from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import { countUpTo, report, type Row } from "./_harness.ts";

const SMOKE = process.env.BENCH_SMOKE === "1" || process.argv.includes("--smoke");
const PAGE = 1000;
const BUCKET = "bucket";

const numbers = process.argv.slice(2).filter((word) => /^\d+$/.test(word)).map(Number);
const COUNT = numbers[0] ?? (SMOKE ? 3_000 : 1_000_000);
const LATENCY = numbers[1] ?? 0;

/** What S3 says of an object, in its layout. */
function entry(i: number): string {
  const digest = (Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").repeat(4);
  const time = new Date(1_763_869_468_000 + i * 1000).toISOString();
  return `<Contents><Key>${keyOf(i)}</Key><LastModified>${time}</LastModified>` +
    `<ETag>&quot;${digest}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>` +
    `<ChecksumType>FULL_OBJECT</ChecksumType><Size>${(i * 7919 + 1) % 100_000_007}</Size>` +
    "<StorageClass>STANDARD</StorageClass></Contents>";
}

function keyOf(i: number): string {
  return `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`;
}

function serve(): void {
  const ends = new Float64Array(COUNT + 1);
  const parts: Uint8Array[] = [];
  for (let first = 0; first < COUNT; first += PAGE) {
    let text = "";
    for (let i = first; i < Math.min(first + PAGE, COUNT); i++) {
      const part = entry(i); // ASCII
      ends[i + 1] = (ends[i] as number) + part.length;
      text += part;
    }
    parts.push(Buffer.from(text));
  }
  const all = Buffer.concat(parts.splice(0));
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    const behind = query.get("start-after");
    const first = Number(
      query.get("continuation-token") ?? (behind ? countUpTo(behind, COUNT, keyOf) : 0),
    );
    const end = Math.min(first + PAGE, COUNT);
    const truncated = end < COUNT;
    const answer = () => {
      response.writeHead(200, { "content-type": "application/xml" });
      response.write(
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
          `<Name>${BUCKET}</Name><Prefix></Prefix>` +
          (truncated ? `<NextContinuationToken>${end}</NextContinuationToken>` : "") +
          `<KeyCount>${
            end - first
          }</KeyCount><MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>` +
          `<IsTruncated>${truncated}</IsTruncated>`,
      );
      response.end(Buffer.concat([
        all.subarray(ends[first], ends[end]),
        Buffer.from("</ListBucketResult>"),
      ]));
    };
    if (LATENCY > 0) setTimeout(answer, LATENCY);
    else answer();
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") process.stdout.write(`${address?.port}\n`);
  });
}

async function startServer(): Promise<{ endpoint: string; stop(): void }> {
  const script = [fileURLToPath(import.meta.url), "--serve", String(COUNT), String(LATENCY)];
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

interface Known {
  readonly key: string;
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly time: number | undefined;
}

function countChanges(old: Map<string, Known>, next: Map<string, Known>): number {
  let changed = 0;
  for (const [key, object] of next) {
    const before = old.get(key);
    if (before?.etag !== object.etag || before?.size !== object.size) changed++;
  }
  for (const key of old.keys()) if (!next.has(key)) changed++;
  return changed;
}

/** The median of some runs in ms. Each must give `expected`. */
async function measure(
  name: string,
  rounds: number,
  expected: number,
  work: () => Promise<number>,
): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    const done = await work();
    times.push(performance.now() - start);
    if (done !== expected) throw new Error(`${name}: ${done} instead of ${expected}`);
  }
  times.sort((a, b) => a - b);
  const median = times[rounds >> 1] as number;
  const pages = Math.ceil(COUNT / PAGE);
  console.log(
    `${name.padEnd(52)} ${(median / pages).toFixed(2).padStart(7)} ms a page  ` +
      `(${((times[0] as number) / pages).toFixed(2)}–${
        ((times.at(-1) as number) / pages).toFixed(2)
      })`,
  );
  return median;
}

async function main(): Promise<void> {
  const server = await startServer();
  const client = new S3({
    endpoint: server.endpoint,
    forcePathStyle: true,
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  try {
    console.log(`${COUNT} objects, ${PAGE} a page, ${LATENCY} ms of latency a page\n`);
    const signal = new AbortController().signal;
    const rounds = SMOKE ? 1 : LATENCY > 0 ? 3 : 5; // waiting varies less
    const bare = await measure("fetch of the pages, dropped", rounds, COUNT, async () => {
      let count = 0;
      for (let first = 0; first < COUNT; first += PAGE) {
        const url = `${server.endpoint}/${BUCKET}?list-type=2&continuation-token=${first}`;
        const response = await fetch(url);
        if ((await response.arrayBuffer()).byteLength > 1000) {
          count += Math.min(PAGE, COUNT - first);
        }
      }
      return count;
    });
    const ours: number[] = [];
    for (const concurrency of [1, 16]) {
      const poller = new ObjectStorePoller(new S3Store(client, BUCKET), { concurrency });
      const first = [...await poller.poll({ signal })].length;
      if (first !== COUNT) throw new Error(`the first poll gave ${first} events`);
      const name = `S3Store, ${concurrency === 1 ? "one range" : `${concurrency} ranges at once`}`;
      ours.push(
        await measure(name, rounds, 0, async () => [...await poller.poll({ signal })].length),
      );
    }
    const list = async () => {
      const map = new Map<string, Known>();
      for await (const page of paginateListObjectsV2({ client }, { Bucket: BUCKET })) {
        for (const { Key = "", Size, ETag, LastModified } of page.Contents ?? []) {
          map.set(Key, { key: Key, size: Size, etag: ETag, time: LastModified?.getTime() });
        }
      }
      return map;
    };
    const old = await list();
    if (old.size !== COUNT) throw new Error(`the SDK listed ${old.size} objects`);
    const name = "SDK's paginator with a Map";
    const rival = await measure(
      name,
      SMOKE ? 1 : LATENCY > 0 ? 2 : 3,
      0,
      async () => countChanges(old, await list()),
    );
    console.log();
    const pages = Math.ceil(COUNT / PAGE);
    const per = (ms: number) => `${(ms / pages).toFixed(2)} ms a page`;
    report(ours.flatMap((time, i): Row[] => {
      const what = `a poll of S3, ${COUNT.toLocaleString("en")} objects, ` +
        `${LATENCY} ms a page, ${i === 0 ? "one range" : "16 ranges"}`;
      // The budgets are for polls as they are by default: in ranges.
      const least = LATENCY === 0 ? 10 : 12;
      return [{
        what: `${what}; rival: the SDK's paginator and a Map (rival ÷ ours)`,
        ours: per(time),
        rival: per(rival),
        ratio: rival / time,
        ...(i === 1 && { budget: `≥ ${least}×`, met: rival / time >= least }),
      }, {
        what: `${what}; rival: fetch of the same pages, dropped (ours ÷ rival)`,
        ours: per(time),
        rival: per(bare),
        ratio: time / bare,
        ...(i === 1 && LATENCY === 0 && { budget: "≤ 4×", met: time / bare <= 4 }),
      }];
    }));
  } finally {
    server.stop();
    client.destroy();
  }
}

if (process.argv.includes("--serve")) serve();
else await main();
