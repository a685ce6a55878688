/**
 * A poll of a bucket of Google Cloud Storage in which nothing changed: `GcsStore`, against the SDK's own listing with a
 * `Map`, without and with `fields`, and against a bare `fetch` of the same pages, which are dropped. The prepared pages
 * come from another process.
 *
 * Run: `deno run -A bench/gcs_listing.ts [objects [ms of latency a page…]]`
 *
 * @module
 */
import { Storage } from "@google-cloud/storage";
import { GcsStore } from "@koprs/external/stores/gcs";
import { startCanned } from "./_canned.ts";
import { report } from "./_harness.ts";
import { expectChanges, type Known, type Listing, measure, workOf } from "./_listing.ts";

interface Fields {
  readonly size?: string;
  readonly generation?: string;
  readonly updated?: string;
}

interface Listed extends Fields {
  readonly name: string;
  readonly metadata?: Fields;
}

const work = workOf({ count: 50_000, latencies: [0, 20, 100] });
const server = await startCanned("gcs", work.count);
try {
  const bucket = new Storage({ apiEndpoint: server.origin, projectId: "p" }).bucket("bucket");
  const list = async (more: { fields?: string } = {}): Promise<Map<string, Known>> => {
    const known = new Map<string, Known>();
    for (let pageToken: string | undefined, first = true; first || pageToken; first = false) {
      const [files, , answer]: [unknown[], unknown, unknown] = await bucket.getFiles({
        autoPaginate: false,
        ...more,
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
  const fields = "items(name,generation,size,updated),nextPageToken";
  const listing: Listing = {
    name: "GCS",
    store: new GcsStore(bucket),
    pageSize: 1000,
    rivals: [
      { name: "SDK + Map", list: () => list() },
      { name: "SDK with fields + Map", list: () => list({ fields }) },
    ],
    fetchPage: (first) =>
      fetch(`${server.origin}/storage/v1/b/bucket/o?fields=x&pageToken=${first}`),
    touch: (i) => server.set({ touch: i }),
    budget: () => ({ rival: 4 }),
  };
  await expectChanges(listing, 5_000, server);
  report(await measure(listing, work, server));
} finally {
  server.stop();
}
