/**
 * What it costs to notice a change soon, on a real server: a bucket of MinIO in which one object changes every five
 * seconds. Polling alone, as often as it can, is compared with MinIO's own notifications by a webhook, with everything
 * listed once an hour. The requests are counted and the delays are measured; only the hourly listing is added in
 * proportion to the time.
 *
 * Run: `deno run -A bench/fresh_minio.ts [--json]`.
 *
 * @module
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { S3 } from "@aws-sdk/client-s3";
import { objectKeys } from "@koprs/external/notifications";
import { ObjectStorePoller } from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import { watchExternal } from "@koprs/external/watcher";
import { missingMinio, startMinio } from "../tests/servers/minio.ts";
import { keyOf } from "./_canned.ts";
import { median, report, type Row, SMOKE, withSpread } from "./_harness.ts";

const COUNT = SMOKE ? 1_500 : 60_000;
const CHANGES = SMOKE ? 2 : 12;
const EVERY = SMOKE ? 500 : 5_000;
const HOUR = 3_600_000;
const BUCKET = "bucket";

/** The requests and delays of one way of watching, while the objects changed. */
interface Taken {
  readonly requests: number;
  readonly sweep: number;
  readonly delays: readonly number[];
}

async function measure(): Promise<Row[]> {
  let onNotice: (keys: string[]) => void = () => {};
  const webhook = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    onNotice(objectKeys(body).map(({ key }) => key));
    response.end();
  });
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/`;
  const server = await startMinio({ webhook: url });
  const { endpoint, region, credentials } = server;
  const client = new S3({ endpoint, region, credentials, forcePathStyle: true });

  /** Watches in one way, while the objects change. */
  const watching = async (interval: number, notified: boolean): Promise<Taken> => {
    const watch = watchExternal(new ObjectStorePoller(new S3Store(client, BUCKET)), {
      interval,
      jitter: 0,
    });
    const seen = new Map<string, (time: number) => void>();
    const reading = (async () => {
      for await (const { type, item } of watch) {
        if (type === "modified") seen.get(item.key)?.(performance.now());
      }
    })();
    await watch.synced;
    const sweep = watch.status.requests ?? 0;
    onNotice = (keys) => notified && watch.refresh({ keys });
    const start = performance.now();
    const delays: number[] = [];
    for (let i = 0; i < CHANGES; i++) {
      const key = keyOf(Math.floor(COUNT * (i + 0.5) / CHANGES));
      const event = new Promise<number>((resolve) => seen.set(key, resolve));
      const before = performance.now();
      await client.putObject({ Bucket: BUCKET, Key: key, Body: `${notified} ${i}` });
      delays.push(await event - before);
      const left = start + (i + 1) * EVERY - performance.now();
      await new Promise((resolve) => setTimeout(resolve, Math.max(left, 0)));
    }
    const requests = (watch.status.requests ?? 0) - sweep;
    watch.close();
    await reading;
    const passed = performance.now() - start;
    return { requests: requests + (notified ? sweep * passed / HOUR : 0), sweep, delays };
  };

  try {
    await server.createBucket(BUCKET);
    const entries = Array.from({ length: COUNT }, (_, i) => ({ key: keyOf(i), body: "x" }));
    for (let at = 0; at < COUNT; at += 10_000) {
      await server.putMany(BUCKET, entries.slice(at, at + 10_000));
    }
    await server.notify(BUCKET);
    const alone = await watching(1, false);
    const told = await watching(HOUR, true);
    const isSooner = median(told.delays) <= median(alone.delays);
    const ratio = alone.requests / told.requests;
    const say = ({ requests, delays }: Taken) =>
      `${requests.toFixed(1)} (seen after ${withSpread(delays, "ms")})`;
    const objects = COUNT.toLocaleString("en-US");
    return [{
      what: `${objects} objects on MinIO, ${CHANGES} changes, one every ${
        EVERY / 1_000
      } s: requests`,
      ours: `${say(told)} notifications, a sweep every hour`,
      rival: `${say(alone)} polling all the time`,
      ratio,
      sense: "less",
      budget: "≥ 100× less, no later",
      met: ratio >= 100 && isSooner,
    }];
  } finally {
    client.destroy();
    await server.kill();
    await server.stop();
    webhook.closeAllConnections();
    webhook.close();
  }
}

const missing = await missingMinio();
if (missing !== undefined) console.error(`MinIO is left out: ${missing}`);
report(missing === undefined ? await measure() : []);
