/**
 * A poll of a bucket of S3 in which nothing changed: `S3Store`, against the SDK's own paginator with a `Map`, and
 * against a bare `fetch` of the same pages, which are dropped. The pages are prepared ones, or those of MinIO; either
 * server is a process of its own.
 *
 * Run: `deno run -A bench/s3_listing.ts [minio] [objects [ms of latency a page…]]`
 *
 * @module
 */
import process from "node:process";
import { paginateListObjectsV2, S3 } from "@aws-sdk/client-s3";
import { S3Store } from "@koprs/external/stores/s3";
import { sign } from "../tests/servers/_sigv4.ts";
import { missingMinio, startMinio } from "../tests/servers/minio.ts";
import { keyOf, startCanned } from "./_canned.ts";
import { report, type Row, SMOKE } from "./_harness.ts";
import { expectChanges, type Known, type Listing, measure, workOf } from "./_listing.ts";

const BUCKET = "bucket";

function listingOf(
  client: S3,
  rest: Pick<Listing, "name" | "fetchPage" | "touch" | "budget">,
): Listing {
  return {
    store: new S3Store(client, BUCKET),
    pageSize: 1000,
    rivals: [{
      name: "SDK + Map",
      async list() {
        const known = new Map<string, Known>();
        for await (const { Contents } of paginateListObjectsV2({ client }, { Bucket: BUCKET })) {
          for (const { Key = "", Size, ETag, LastModified } of Contents ?? []) {
            known.set(Key, { size: Size, etag: ETag, time: LastModified?.getTime() });
          }
        }
        return known;
      },
    }],
    ...rest,
  };
}

function clientOf(endpoint: string, credentials: { accessKeyId: string; secretAccessKey: string }) {
  return new S3({ endpoint, credentials, forcePathStyle: true, region: "us-east-1" });
}

async function canned(): Promise<Row[]> {
  const work = workOf({ count: 1_000_000, latencies: [0, 50] });
  const server = await startCanned("s3", work.count);
  const client = clientOf(server.origin, { accessKeyId: "key", secretAccessKey: "secret" });
  const listing = listingOf(client, {
    name: "S3",
    fetchPage: (first) =>
      fetch(`${server.origin}/${BUCKET}?list-type=2&continuation-token=${first}`),
    touch: (i) => server.set({ touch: i }),
    budget: (count, latency) =>
      count < 1_000_000 ? {} : latency === 0 ? { rival: 12, floor: 1.5 } : { rival: 12 },
  });
  try {
    await expectChanges(listing, 5_000, server);
    return await measure(listing, work, server);
  } finally {
    server.stop();
    client.destroy();
  }
}

async function minio(): Promise<Row[]> {
  const missing = await missingMinio();
  if (missing !== undefined) {
    console.error(`MinIO is left out: ${missing}`);
    return [];
  }
  const count = SMOKE ? 1_500 : workOf({ count: 20_000, latencies: [] }).count;
  const server = await startMinio();
  const { endpoint, credentials, region } = server;
  const client = clientOf(endpoint, credentials);
  const put = (body: string, first: number, end: number) => {
    const indices = Array.from({ length: end - first }, (_, i) => first + i);
    return server.putMany(BUCKET, indices.map((i) => ({ key: keyOf(i), body: `${body} ${i}` })));
  };
  const listing = listingOf(client, {
    name: "S3 on MinIO",
    fetchPage(first) {
      const query = {
        "list-type": "2",
        ...(first > 0 && { "start-after": keyOf(first - 1) }),
      };
      const request = { method: "GET", endpoint, path: `/${BUCKET}`, query };
      const { url, headers } = sign(request, { ...credentials, region });
      return fetch(url, { headers });
    },
    touch: (i) => put("another", i, i + 1),
    budget: () => ({}),
  });
  try {
    await server.createBucket(BUCKET);
    for (let first = 0; first < count; first += 5_000) {
      await put("one", first, Math.min(first + 5_000, count));
    }
    await expectChanges(listing, count);
    return await measure(listing, { count, latencies: [0] });
  } finally {
    client.destroy();
    await server.stop();
  }
}

report(await (process.argv.includes("minio") ? minio() : canned()));
