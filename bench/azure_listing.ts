/**
 * A poll of a container of Azure Blob Storage in which nothing changed: `AzureStore`, against the SDK's own listing
 * with a `Map`, and against a bare `fetch` of the same pages, which are dropped. The prepared pages come from another
 * process.
 *
 * Run: `deno run -A bench/azure_listing.ts [objects [ms of latency a page…]]`
 *
 * @module
 */
import { ContainerClient } from "@azure/storage-blob";
import { AzureStore } from "@koprs/external/stores/azure";
import { startCanned } from "./_canned.ts";
import { report } from "./_harness.ts";
import { expectChanges, type Known, type Listing, measure, workOf } from "./_listing.ts";

const PAGE = 5000;
const work = workOf({ count: 25_000, latencies: [0, 20, 100] });
const server = await startCanned("azure", work.count);
try {
  const container = new ContainerClient(`${server.origin}/account/container`);
  const listing: Listing = {
    name: "Azure",
    store: new AzureStore(container),
    pageSize: PAGE,
    rivals: [{
      name: "SDK + Map",
      async list() {
        const known = new Map<string, Known>();
        for await (const { segment } of container.listBlobsFlat().byPage({ maxPageSize: PAGE })) {
          for (const { name, properties } of segment.blobItems) {
            known.set(name, {
              size: properties.contentLength,
              etag: properties.etag,
              time: properties.lastModified.getTime(),
            });
          }
        }
        return known;
      },
    }],
    fetchPage: (first) => fetch(`${server.origin}/account/container?comp=list&marker=${first}`),
    touch: (i) => server.set({ touch: i }),
    budget: () => ({ rival: 4 }),
  };
  await expectChanges(listing, 6_000, server);
  report(await measure(listing, work, server));
} finally {
  server.stop();
}
