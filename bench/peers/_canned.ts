// A bucket of canned pages that any S3 client can list: _canned.ts OBJECTS [ms of latency a page]; prints its port.
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import process from "node:process";

const PAGE = 1000;
const [COUNT = 0, LATENCY = 0] = process.argv.slice(2).map(Number);

function keyOf(i: number): string {
  return `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`;
}

function entryOf(i: number): string {
  const digest = (Math.imul(i, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").repeat(4);
  const time = new Date(1_763_869_468_000 + i * 1000).toISOString();
  return `<Contents><Key>${keyOf(i)}</Key><LastModified>${time}</LastModified>` +
    `<ETag>&quot;${digest}&quot;</ETag><Size>${(i * 7919 + 1) % 100_000_007}</Size>` +
    "<StorageClass>STANDARD</StorageClass></Contents>";
}

const parts: Uint8Array[] = [];
const ends = new Float64Array(COUNT + 1);
for (let first = 0; first < COUNT; first += PAGE) {
  let text = "";
  for (let i = first; i < Math.min(first + PAGE, COUNT); i++) {
    const entry = entryOf(i); // ASCII
    ends[i + 1] = (ends[i] ?? 0) + entry.length;
    text += entry;
  }
  parts.push(Buffer.from(text));
}
const all = Buffer.concat(parts.splice(0));
const tail = Buffer.from("</ListBucketResult>");

/** The index of the first key behind this one, whatever it is. */
function behind(key: string): number {
  let [low, high] = [0, COUNT];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(middle) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const server = createServer((request, response) => {
  const query = new URL(request.url ?? "", "http://localhost").searchParams;
  const token = query.get("continuation-token");
  const after = query.get("start-after");
  const first = token !== null ? Number(token) : after !== null ? behind(after) : 0;
  const end = Math.min(first + PAGE, COUNT);
  const more = end < COUNT;
  const head = Buffer.from(
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      "<Name>bucket</Name><Prefix></Prefix>" +
      (more ? `<NextContinuationToken>${end}</NextContinuationToken>` : "") +
      `<KeyCount>${
        end - first
      }</KeyCount><MaxKeys>${PAGE}</MaxKeys><IsTruncated>${more}</IsTruncated>` +
      (query.get("encoding-type") === "url" ? "<EncodingType>url</EncodingType>" : ""),
  );
  const body = Buffer.concat([head, all.subarray(ends[first], ends[end]), tail]);
  const answer = () => {
    response.writeHead(200, { "content-type": "application/xml", "content-length": body.length });
    response.end(body);
  };
  if (LATENCY > 0) setTimeout(answer, LATENCY);
  else answer();
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") process.stdout.write(`${address?.port}\n`);
});
