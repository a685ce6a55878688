// Polls a bucket or a folder once for every line read, and prints for each poll a line of JSON, as the Rust program beside
// it does: _ours.ts (s3 ENDPOINT BUCKET | folder PATH) [CONCURRENCY]
import process from "node:process";
import { createInterface } from "node:readline";
import { S3 } from "@aws-sdk/client-s3";
import { ObjectStorePoller } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import { S3Store } from "@koprs/external/stores/s3";
import { peakRss } from "../_harness.ts";

const [kind, place = "", bucket = "", ranges = "16"] = process.argv.slice(2);
const store = kind === "folder" ? new LocalStore(place) : new S3Store(
  new S3({ endpoint: place, forcePathStyle: true, region: "us-east-1" }), // credentials: the environment
  bucket,
);
const poller = new ObjectStorePoller(store, { concurrency: Number(ranges) });
const { signal } = new AbortController();

for await (const _ of createInterface({ input: process.stdin })) {
  const count = { added: 0, modified: 0, removed: 0 };
  let requests = 0;
  const start = performance.now();
  for (const { type } of await poller.poll({ signal, onRequest: () => void requests++ })) {
    count[type]++;
  }
  const ms = performance.now() - start;
  const { rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ ms, ...count, requests, rss, peak: peakRss() })}\n`);
}
