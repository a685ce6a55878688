/**
 * A poll of a container of Azure Blob Storage in which nothing changed: `AzureStore` with its poller, against the SDK's
 * own listing with a `Map`, and against a bare `fetch` of the same pages, dropped. A server in another process gives the
 * pages; there is no network between.
 *
 * Run: `deno run -A bench/azure_listing.ts [objects] [--smoke]`
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { ContainerClient } from "@azure/storage-blob";
import { ObjectStorePoller } from "@koprs/external/store";
import { AzureStore } from "@koprs/external/stores/azure";
import { report } from "./_harness.ts";
import * as listing from "./_listing.ts";

const { COUNT, keyOf, sizeOf, timeOf } = listing;
const PAGE = 5000;

/** What the service says of a blob, in its layout. */
function entry(i: number): string {
  const time = timeOf(i).toUTCString();
  const etag = `0x8DE2A4C${i.toString(16).toUpperCase().padStart(8, "0")}`;
  return `<Blob><Name>${keyOf(i)}</Name><Properties><Creation-Time>${time}</Creation-Time>` +
    `<Last-Modified>${time}</Last-Modified><Etag>${etag}</Etag>` +
    `<Content-Length>${sizeOf(i)}</Content-Length>` +
    "<Content-Type>application/octet-stream</Content-Type><Content-Encoding /><Content-Language />" +
    "<Content-CRC64 /><Content-MD5>XrY7u+Ae7tCTyyK7j1rNww==</Content-MD5><Cache-Control />" +
    "<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier>" +
    "<AccessTierInferred>true</AccessTierInferred><LeaseStatus>unlocked</LeaseStatus>" +
    "<LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted></Properties>" +
    "<OrMetadata /></Blob>";
}

function serve(): void {
  const entries = new listing.Entries(entry);
  listing.serve("application/xml", (query) => {
    const first = Number(query.get("marker") ?? 0);
    const end = Math.min(first + PAGE, COUNT);
    return [
      '\ufeff<?xml version="1.0" encoding="utf-8"?>' +
      '<EnumerationResults ServiceEndpoint="http://127.0.0.1/account/" ContainerName="container">' +
      "<Blobs>",
      entries.cut(first, end),
      `</Blobs>${
        end < COUNT ? `<NextMarker>${end}</NextMarker>` : "<NextMarker />"
      }</EnumerationResults>`,
    ];
  });
}

async function main(): Promise<void> {
  const server = await listing.startServer(fileURLToPath(import.meta.url));
  try {
    const container = new ContainerClient(`${server.endpoint}/account/container`);

    const list = async (): Promise<Map<string, listing.Known>> => {
      const known = new Map<string, listing.Known>();
      for await (const page of container.listBlobsFlat().byPage({ maxPageSize: PAGE })) {
        for (const { name, properties } of page.segment.blobItems) {
          known.set(name, {
            size: properties.contentLength ?? 0,
            etag: properties.etag,
            time: properties.lastModified.getTime(),
          });
        }
      }
      return known;
    };
    let old = await list();

    const poller = new ObjectStorePoller(new AzureStore(container));
    const poll = async () => [...await poller.poll({ signal: new AbortController().signal })];
    if ((await poll()).length !== COUNT) throw new Error("The first poll is not whole");

    const [ours = NaN, rival = NaN, bare = NaN] = await listing.compare([
      { name: "AzureStore, a poll", expected: 0, work: async () => (await poll()).length },
      {
        name: "the SDK's listBlobsFlat and a Map",
        expected: COUNT,
        work: async () => {
          const next = await list();
          const changed = listing.countChanges(old, next);
          old = next;
          return next.size + changed;
        },
      },
      {
        name: "fetch of the same pages, dropped",
        expected: Math.ceil(COUNT / PAGE),
        work: async () => {
          let pages = 0;
          for (let at = 0; at < COUNT; at += PAGE, pages++) {
            await (await fetch(`${server.endpoint}/c?comp=list&marker=${at}`)).arrayBuffer();
          }
          return pages;
        },
      },
    ]);
    console.log();
    report([
      listing.judge("a poll of Azure; rival: the SDK's listBlobsFlat and a Map", ours, rival, {
        budget: 4,
      }),
      listing.judge("a poll of Azure; rival: fetch of the same pages, dropped", ours, bare, {
        overhead: true,
      }),
    ]);
  } finally {
    server.stop();
  }
}

if (process.argv.includes("--serve")) serve();
else await main();
