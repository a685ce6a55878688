// No reader takes more than linear time, whatever it is sent: of four times as much it must not take ten times as long.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { scanAzurePage } from "../../_listing/azure_listing.ts";
import { scanGcsPage } from "../../_listing/gcs_listing.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import { parseMultistatus } from "../../_listing/multistatus.ts";
import { readListing } from "../../_listing/s3_listing.ts";
import { fuzz, type Random } from "./_fuzz.ts";

const SMALL = 64 * 1024;
/** Shorter times are noise: a large document takes some 5 ms, and were time quadratic, seconds. */
const MEASURABLE = 150;

const page = () => new ListedPage(new Uint8Array(), "store", "k");

interface Reader {
  readonly read: (bytes: Uint8Array) => unknown;
  /** Where in a listing something may be repeated. */
  readonly places: readonly (readonly [before: string, behind: string])[];
}

const XML_PIECES = [
  ...[
    "<",
    ">",
    "&",
    "/",
    "=",
    '"',
    "'",
    " ",
    "\n",
    "\r",
    "]",
    "-",
    "?",
    "!",
    ":",
    "%",
    "+",
    "é",
    "a",
  ],
  ...[
    "<a>",
    "</a>",
    "<a/>",
    "<p:a/>",
    "&amp;",
    "&#x41;",
    "&#0",
    "&",
    "<!--",
    "-->",
    "--",
    "<!-- -->",
  ],
  ...[
    "<![CDATA[",
    "]]>",
    "]]",
    "<![CDATA[]]>",
    "<?",
    "?>",
    "<?p ?>",
    " a='b'",
    " xmlns:p='q'",
    "k%20",
  ],
  ...["<a xmlns:p='q'>", "<a xmlns='q'/>", "&quot;", "\u0001", "\u{1f600}", "<Key>k</Key>", "0"],
];

const JSON_PIECES = [
  ...["{", "}", "[", "]", '"', ",", ":", "\\", " ", "\n", "0", "-", ".", "e", "a", "é", "\u0001"],
  ...[
    '"a":',
    '"a":1,',
    "[],",
    "{},",
    "\\u0041",
    "\\ud83d",
    '\\"',
    "true,",
    "null",
    '""',
    '{"a":[',
    "]}",
  ],
];

const OBJECT = ["<Contents><Key>k", "</Key><Size>1</Size></Contents>"] as const;

const readers: Readonly<Record<string, Reader>> = {
  S3: {
    read: (bytes) => readListing(bytes, bytes.length, page()),
    places: [
      ["", ""],
      ["<ListBucketResult", "/>"],
      ["<ListBucketResult a='", "'/>"],
      ["<ListBucketResult>", "</ListBucketResult>"],
      [`<ListBucketResult>${OBJECT[0]}`, `${OBJECT[1]}</ListBucketResult>`],
      [
        `<ListBucketResult><EncodingType>url</EncodingType>${OBJECT[0]}`,
        `${OBJECT[1]}</ListBucketResult>`,
      ],
      ["<ListBucketResult><Contents><Key>k</Key><ETag>", "</ETag></Contents></ListBucketResult>"],
      ["<ListBucketResult><Contents><Key>k</Key><Size>", "</Size></Contents></ListBucketResult>"],
      ["<ListBucketResult></ListBucketResult>", ""],
    ],
  },
  Azure: {
    read: (bytes) => scanAzurePage(bytes, page()),
    places: [
      ["<EnumerationResults><Blobs>", "</Blobs><NextMarker/></EnumerationResults>"],
      [
        "<EnumerationResults><Blobs><Blob><Name Encoded='true'>k",
        "</Name></Blob></Blobs></EnumerationResults>",
      ],
      ["<EnumerationResults><Blobs><Blob><Name>k</Name><Properties><Etag>", "</Etag></Properties>"],
    ],
  },
  WebDAV: {
    read: parseMultistatus,
    places: [
      ["<multistatus xmlns='DAV:'", "/>"],
      ["<multistatus xmlns='DAV:'>", "</multistatus>"],
      ["<multistatus xmlns='DAV:'><response><href>", "</href></response></multistatus>"],
      [
        "<multistatus xmlns='DAV:'><response><href>/</href><status>",
        "</status></response></multistatus>",
      ],
      [
        "<multistatus xmlns='DAV:'><response><propstat><prop>",
        "</prop></propstat></response></multistatus>",
      ],
    ],
  },
  GCS: {
    read: (bytes) => scanGcsPage(bytes, page()),
    places: [
      ["", ""],
      ['{"a":', "}"],
      ['{"a":"', '"}'],
      ['{"items":[', "]}"],
      ['{"items":[{"name":"k', '"}]}'],
      ['{"items":[{"size":"', '"}]}'],
      ['{"items":[{"size":', "}]}"],
    ],
  },
};

function timeOf(read: Reader["read"], bytes: Uint8Array): number {
  const start = performance.now();
  try {
    read(bytes);
  } catch (error) {
    assert.ok(error instanceof ExternalError || error instanceof SyntaxError, String(error));
  }
  return performance.now() - start;
}

function check(name: string, { read }: Reader, write: (size: number) => string): void {
  const encode = (size: number) => new TextEncoder().encode(write(size));
  let small = 0;
  let large = 0;
  // A busy machine makes anything slow now and then, but not again and again.
  for (let attempt = 0; attempt < 8; attempt++) {
    large = timeOf(read, encode(4 * SMALL));
    if (large < MEASURABLE) return;
    small = timeOf(read, encode(SMALL));
    if (large < 10 * small) return;
  }
  const shown = JSON.stringify(write(100));
  assert.fail(`${name}: ${small} ms, and ${large} ms for four times ${shown}`);
}

for (const [name, reader] of Object.entries(readers)) {
  const pieces = name === "GCS" ? JSON_PIECES : XML_PIECES;

  test(`fuzz: the time that a listing of ${name} takes`, () => {
    fuzz((random: Random) => {
      const [before, behind] = random.pick(reader.places);
      const piece = random.list(2, (random) => random.pick(pieces)).join("") + random.pick(pieces);
      const last = random.pick([piece, "", random.pick(pieces)]);
      check(name, reader, (size) => {
        return before + piece.repeat(Math.ceil(size / piece.length)) + last + behind;
      });
    });
  });
}

test("fuzz: the time that pages of many objects take", () => {
  fuzz((random) => {
    const keys = random.pick<(i: number, n: number) => string>([
      (i) => `k${i}`,
      (i, n) => `k${n - i}`,
      (i) => `k${"x".repeat(60)}${(i * 7919) % 100_003}`,
      (i) => `k+${i}%20`,
      () => "k",
      (i, n) => (i === 0 ? "k" : "k" + "y".repeat(Math.ceil(n / 2))).slice(0, 50) + i,
    ]);
    const fields = random.pick(["", "<Size>1</Size>", "<Size>1</Size><x/>"]);
    const other = random.pick(["", "<y/>", fields]);
    const gcs = random.oneIn(3);
    check(gcs ? "GCS" : "S3", readers[gcs ? "GCS" : "S3"] as Reader, (size) => {
      const count = Math.ceil(size / 60);
      const objects = Array.from(
        { length: count },
        (_, i) =>
          gcs
            ? `{"name":"${keys(i, count)}","generation":"1","size":"1"}`
            : `<Contents><Key>${keys(i, count)}</Key><Size>1</Size>${
              i % 2 === 0 ? fields && "<z/>" : other && "<z>1</z>"
            }</Contents>`,
      );
      return gcs
        ? `{"kind":"storage#objects","items":[${objects.join(",")}]}`
        : `<ListBucketResult><EncodingType>url</EncodingType>${
          objects.join("")
        }</ListBucketResult>`;
    });
  });
});
