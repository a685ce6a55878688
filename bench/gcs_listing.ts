/**
 * A poll of a bucket of Google Cloud Storage in which nothing changed: `GcsStore` with its poller, against the SDK's own
 * listing with a `Map`, and against a bare `fetch` of the same pages, dropped. A server in another process gives the
 * pages; there is no network between.
 *
 * Run: `deno run -A bench/gcs_listing.ts [objects] [--smoke]`
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { Storage } from "@google-cloud/storage";
import { ObjectStorePoller } from "@koprs/external/store";
import { GcsStore } from "@koprs/external/stores/gcs";
import { report } from "./_harness.ts";
import * as listing from "./_listing.ts";

const { COUNT, keyOf, sizeOf, timeOf } = listing;
const PAGE = 1000;

function generationOf(i: number): string {
  return String(1_763_869_468_000_000 + i * 7);
}

/** What is asked for with `fields`. */
function shortEntry(i: number): string {
  return `,{"name":"${keyOf(i)}","generation":"${generationOf(i)}","size":"${sizeOf(i)}",` +
    `"updated":"${timeOf(i).toISOString()}"}`;
}

/** All that the service says of an object. */
function longEntry(i: number): string {
  const name = keyOf(i);
  const path = encodeURIComponent(name);
  const time = timeOf(i).toISOString();
  const base = "https://www.googleapis.com";
  return `,${
    JSON.stringify({
      kind: "storage#object",
      id: `bucket/${name}/${generationOf(i)}`,
      selfLink: `${base}/storage/v1/b/bucket/o/${path}`,
      mediaLink: `${base}/download/storage/v1/b/bucket/o/${path}?generation=${
        generationOf(i)
      }&alt=media`,
      name,
      bucket: "bucket",
      generation: generationOf(i),
      metageneration: "1",
      contentType: "application/octet-stream",
      storageClass: "STANDARD",
      size: String(sizeOf(i)),
      md5Hash: "XrY7u+Ae7tCTyyK7j1rNww==",
      crc32c: "AAAAAA==",
      etag: "CPDDy8D7lv4CEAE=",
      timeCreated: time,
      updated: time,
      timeStorageClassUpdated: time,
      timeFinalized: time,
    })
  }`;
}

function serve(): void {
  const short = new listing.Entries(shortEntry);
  const long = new listing.Entries(longEntry);
  listing.serve("application/json; charset=UTF-8", (query) => {
    const from = query.get("startOffset");
    const to = query.get("endOffset");
    const token = query.get("pageToken");
    const first = token !== null ? Number(token) : from !== null ? listing.indexOf(from, true) : 0;
    const last = to !== null ? listing.indexOf(to, true) : COUNT;
    const end = Math.min(first + PAGE, last, COUNT);
    const entries = query.has("fields") ? short : long;
    const next = end < Math.min(last, COUNT) ? `"nextPageToken":"${end}",` : "";
    return [
      `{"kind":"storage#objects",${next}"items":[`,
      entries.cut(first, end).subarray(1),
      "]}",
    ];
  });
}

interface Fields {
  readonly size?: string;
  readonly generation?: string;
  readonly updated?: string;
}

interface Listed extends Fields {
  readonly name: string;
  readonly metadata?: Fields;
}

async function main(): Promise<void> {
  const server = await listing.startServer(fileURLToPath(import.meta.url));
  try {
    const bucket = new Storage({ apiEndpoint: server.endpoint, projectId: "p" }).bucket("bucket");

    const listFiles = async (fields?: string): Promise<Map<string, listing.Known>> => {
      const known = new Map<string, listing.Known>();
      for (let pageToken: string | undefined, first = true; first || pageToken; first = false) {
        const [files, , answer]: [unknown[], unknown, unknown] = await bucket.getFiles({
          autoPaginate: false,
          ...(fields !== undefined && { fields }),
          ...(pageToken !== undefined && { pageToken }),
        });
        pageToken = (answer as { nextPageToken?: string }).nextPageToken;
        for (const file of files as Listed[]) {
          // With `fields` the SDK gives the bare items.
          const { size, generation, updated = "" } = file.metadata ?? file;
          known.set(file.name, {
            size: Number(size),
            etag: String(generation),
            time: Date.parse(updated),
          });
        }
      }
      return known;
    };
    const FIELDS = "items(name,generation,size,updated),nextPageToken";
    let old = await listFiles(FIELDS);
    const rivalWith = async (fields?: string): Promise<number> => {
      const next = await listFiles(fields);
      const changed = listing.countChanges(old, next);
      old = next;
      return next.size + changed;
    };

    const poller = new ObjectStorePoller(new GcsStore(bucket));
    const poll = async () => [...await poller.poll({ signal: new AbortController().signal })];
    if ((await poll()).length !== COUNT) throw new Error("The first poll is not whole");

    const [ours = NaN, rival = NaN, careful = NaN, bare = NaN] = await listing.compare([
      { name: "GcsStore, a poll", expected: 0, work: async () => (await poll()).length },
      { name: "the SDK's getFiles and a Map", expected: COUNT, work: () => rivalWith() },
      { name: "the same with `fields`", expected: COUNT, work: () => rivalWith(FIELDS) },
      {
        name: "fetch of the same pages, dropped",
        expected: Math.ceil(COUNT / PAGE),
        work: async () => {
          let pages = 0;
          for (let at = 0; at < COUNT; at += PAGE, pages++) {
            await (await fetch(`${server.endpoint}/o?fields=x&pageToken=${at}`)).arrayBuffer();
          }
          return pages;
        },
      },
    ]);
    console.log();
    report([
      listing.judge("a poll of GCS; rival: the SDK's getFiles and a Map", ours, rival, {
        budget: 4,
      }),
      listing.judge("a poll of GCS; rival: the same with `fields`", ours, careful),
      listing.judge("a poll of GCS; rival: fetch of the same pages, dropped", ours, bare, {
        overhead: true,
      }),
    ]);
  } finally {
    server.stop();
  }
}

if (process.argv.includes("--serve")) serve();
else await main();
