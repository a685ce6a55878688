/**
 * Buckets of prepared pages, which any client of S3, Google Cloud Storage or Azure Blob Storage can list.
 *
 * Run: `deno run -A bench/_canned.ts s3|gcs|azure OBJECTS [ms of latency a page]`. It prints its port. After a request
 * for `/set?count=…&latency=…` it shows only that many of the objects, or takes that long for a page; `/set?touch=I`
 * gives an object another version.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { announce, countUpTo, serveSelf } from "./_harness.ts";

/** How a service writes a listing. The text is ASCII. */
interface Format {
  readonly type: string;
  readonly pageSize: number;
  /**
   * The text of an object: in full, and shortened where a client can ask for that. All versions have the same length.
   */
  readonly entries: readonly ((i: number, version: number) => string)[];
  /** Reads a request. A range begins with an object, and ends before one if it has an end. */
  ask(query: URLSearchParams): { first: number; last?: number; entry?: number };
  /** The text before and after the objects. `next` is the token of the next page. */
  around(found: number, next: number | undefined, query: URLSearchParams): [string, string];
}

export function keyOf(i: number): string {
  return `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`;
}

function sizeOf(i: number): number {
  return (i * 7919 + 1) % 100_000_007;
}

function timeOf(i: number): Date {
  return new Date(1_763_869_468_000 + i * 1000);
}

const s3: Format = {
  type: "application/xml",
  pageSize: 1000,
  entries: [(i, version) => {
    const digest = (Math.imul(i + version, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
    return `<Contents><Key>${keyOf(i)}</Key><LastModified>${timeOf(i).toISOString()}` +
      `</LastModified><ETag>&quot;${digest.repeat(4)}&quot;</ETag>` +
      "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>" +
      `<Size>${sizeOf(i)}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  }],
  ask(query) {
    const token = query.get("continuation-token");
    const prefix = query.get("prefix") ?? "";
    const first = Math.max(behind(query.get("start-after") ?? ""), from(prefix));
    return {
      first: token !== null ? Number(token) : first,
      ...(prefix !== "" && { last: behind(`${prefix}~`) }),
    };
  },
  around: (found, next, query) => [
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
    "<Name>bucket</Name><Prefix></Prefix>" +
    (next === undefined ? "" : `<NextContinuationToken>${next}</NextContinuationToken>`) +
    `<KeyCount>${found}</KeyCount><MaxKeys>1000</MaxKeys>` +
    (query.get("encoding-type") === "url" ? "<EncodingType>url</EncodingType>" : "") +
    `<IsTruncated>${next !== undefined}</IsTruncated>`,
    "</ListBucketResult>",
  ],
};

function generationOf(i: number, version: number): string {
  return String(1_763_869_468_000_000 + i * 7 + version);
}

const gcs: Format = {
  type: "application/json; charset=UTF-8",
  pageSize: 1000,
  entries: [
    (i, version) => {
      const name = keyOf(i);
      const path = encodeURIComponent(name);
      const generation = generationOf(i, version);
      const time = timeOf(i).toISOString();
      const base = "https://www.googleapis.com";
      const media = `generation=${generation}&alt=media`;
      return `,${
        JSON.stringify({
          kind: "storage#object",
          id: `bucket/${name}/${generation}`,
          selfLink: `${base}/storage/v1/b/bucket/o/${path}`,
          mediaLink: `${base}/download/storage/v1/b/bucket/o/${path}?${media}`,
          name,
          bucket: "bucket",
          generation,
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
    },
    // For requests with `fields`.
    (i, version) =>
      `,{"name":"${keyOf(i)}","generation":"${generationOf(i, version)}",` +
      `"size":"${sizeOf(i)}","updated":"${timeOf(i).toISOString()}"}`,
  ],
  ask(query) {
    const [token, end] = [query.get("pageToken"), query.get("endOffset")];
    return {
      first: token !== null ? Number(token) : from(query.get("startOffset") ?? ""),
      ...(end !== null && { last: from(end) }),
      entry: query.has("fields") ? 1 : 0,
    };
  },
  around: (_, next) => [
    `{"kind":"storage#objects",${next === undefined ? "" : `"nextPageToken":"${next}",`}"items":[`,
    "]}",
  ],
};

const azure: Format = {
  type: "application/xml",
  pageSize: 5000,
  entries: [(i, version) => {
    const time = timeOf(i).toUTCString();
    const etag = `0x8DE2A4C${(i + version * 2 ** 24).toString(16).toUpperCase().padStart(8, "0")}`;
    return `<Blob><Name>${keyOf(i)}</Name><Properties><Creation-Time>${time}</Creation-Time>` +
      `<Last-Modified>${time}</Last-Modified><Etag>${etag}</Etag>` +
      `<Content-Length>${sizeOf(i)}</Content-Length>` +
      "<Content-Type>application/octet-stream</Content-Type><Content-Encoding />" +
      "<Content-Language /><Content-CRC64 /><Content-MD5>XrY7u+Ae7tCTyyK7j1rNww==</Content-MD5>" +
      "<Cache-Control /><Content-Disposition /><BlobType>BlockBlob</BlobType>" +
      "<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>" +
      "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>" +
      "<ServerEncrypted>true</ServerEncrypted></Properties><OrMetadata /></Blob>";
  }],
  ask: (query) => ({ first: Number(query.get("marker") ?? 0) }),
  around: (_, next) => [
    '\ufeff<?xml version="1.0" encoding="utf-8"?>' +
    '<EnumerationResults ServiceEndpoint="http://127.0.0.1/account/" ContainerName="container">' +
    "<Blobs>",
    `</Blobs>${next === undefined ? "<NextMarker />" : `<NextMarker>${next}</NextMarker>`}` +
    "</EnumerationResults>",
  ],
};

const formats: Readonly<Record<string, Format>> = { s3, gcs, azure };

/** How many objects are shown, and how many ms a page takes. */
const state = { count: 0, latency: 0 };

/** The index of the first key after this one. */
function behind(key: string): number {
  return countUpTo(key, state.count, keyOf);
}

/** The index of this key, or else of the first key after it. */
function from(key: string): number {
  const index = behind(key);
  return index > 0 && key === keyOf(index - 1) ? index - 1 : index;
}

/** The texts of all objects, one after another, to be cut into pages. */
class Entries {
  readonly #entry: (i: number, version: number) => string;
  readonly #all: Buffer;
  readonly #ends: Float64Array;

  constructor(count: number, entry: (i: number, version: number) => string) {
    this.#entry = entry;
    this.#ends = new Float64Array(count + 1);
    const parts: Buffer[] = [];
    for (let i = 0; i < count;) {
      let text = "";
      for (const stop = Math.min(i + 1000, count); i < stop; i++) {
        const part = entry(i, 0);
        this.#ends[i + 1] = (this.#ends[i] ?? 0) + part.length;
        text += part;
      }
      parts.push(Buffer.from(text));
    }
    this.#all = Buffer.concat(parts);
  }

  cut(first: number, end: number): Uint8Array {
    return this.#all.subarray(this.#ends[first], this.#ends[end]);
  }

  touch(i: number): void {
    this.#all.set(Buffer.from(this.#entry(i, 1)), this.#ends[i]);
  }
}

function serve({ type, pageSize, entries, ask, around }: Format, count: number): void {
  const texts = entries.map((entry) => new Entries(count, entry));
  const answer = (query: URLSearchParams): Buffer => {
    const { first, last = state.count, entry = 0 } = ask(query);
    const stop = Math.min(last, state.count);
    const asked = Number(query.get("max-keys") ?? pageSize);
    const end = Math.min(first + Math.min(asked, pageSize), stop);
    const [head, tail] = around(end - first, end < stop ? end : undefined, query);
    const body = texts[entry]?.cut(first, end) ?? new Uint8Array();
    // A comma stands between objects, not before them.
    const skipped = body[0] === 0x2c ? 1 : 0;
    return Buffer.concat([Buffer.from(head), body.subarray(skipped), Buffer.from(tail)]);
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams: query } = new URL(request.url ?? "", "http://localhost");
    if (pathname === "/set") {
      state.count = Number(query.get("count") ?? state.count);
      state.latency = Number(query.get("latency") ?? state.latency);
      if (query.has("touch")) { for (const text of texts) text.touch(Number(query.get("touch"))); }
      response.end();
      return;
    }
    const send = () => {
      const body = answer(query);
      response.writeHead(200, { "content-type": type, "content-length": body.length });
      response.end(body);
    };
    if (state.latency > 0) setTimeout(send, state.latency);
    else send();
  });
  announce(server);
}

/** A bucket of prepared pages, in another process. */
export interface Canned {
  readonly origin: string;
  set(what: { count?: number; latency?: number; touch?: number }): Promise<void>;
  stop(): void;
}

export async function startCanned(service: "s3" | "gcs" | "azure", count: number): Promise<Canned> {
  const { origin, stop } = await serveSelf(import.meta.url, service, String(count));
  const set: Canned["set"] = async (what) => {
    const query = Object.entries(what).map(([name, value]) => `${name}=${value}`).join("&");
    const response = await fetch(`${origin}/set?${query}`);
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`The server of the benchmark answered ${response.status}`);
  };
  return { origin, set, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [service = "", count, latency] = process.argv.slice(2);
  const format = formats[service];
  if (format === undefined) throw new Error(`There are no canned pages of '${service}'`);
  state.count = Number(count);
  state.latency = Number(latency ?? 0);
  serve(format, state.count);
}
