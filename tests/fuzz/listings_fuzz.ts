// Listings of S3 and Azure, and answers of WebDAV, mutated: what is read of them is what a real parser says they hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import { scanAzurePage } from "../../_listing/azure_listing.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import { parseMultistatus } from "../../_listing/multistatus.ts";
import { readListing } from "../../_listing/s3_listing.ts";
import { fuzz, mutate, type Random } from "./_fuzz.ts";
import { type Node, parseXml } from "./_saxes.ts";

const PIECES = [
  ..."<>/&;!\"'= \n%+0a:\u0001é",
  ...[
    "<Contents>",
    "</Contents>",
    "<Key>",
    "</Key>",
    "<Size>1</Size>",
    "</Blob>",
    "<Blob>",
    "<x/>",
  ],
  ...["&amp;", "&quot;", "&#34;", "%20", "%2B", "%zz", "<!-- -->", "<![CDATA[", "]]>", " x='y'"],
  ...["<ETag>", "<Etag/>", "true", "<Deleted>true</Deleted>", "<Snapshot>1</Snapshot>", "</Size>"],
];

type Read = (bytes: Uint8Array) => unknown;

/** What both say of a document; undefined where it is refused. */
function compare(bytes: Uint8Array, ours: Read, theirs: (root: Node) => unknown): boolean {
  let told: unknown;
  try {
    told = ours(bytes.slice());
  } catch (error) {
    assert.ok(error instanceof ExternalError || error instanceof SyntaxError, String(error));
    return false;
  }
  const shown = JSON.stringify(new TextDecoder().decode(bytes));
  let root: Node;
  try {
    root = parseXml(bytes);
  } catch (error) {
    throw new Error(`taken, and not well-formed: ${error}: ${shown}`);
  }
  assert.deepEqual(told, theirs(root), shown);
  return true;
}

function run(write: (random: Random) => string, ours: Read, theirs: (root: Node) => unknown): void {
  let taken = 0;
  fuzz((random) => {
    const bytes = new TextEncoder().encode(write(random));
    if (compare(bytes, ours, theirs)) taken++;
    for (let i = 0; i < 8; i++) {
      if (compare(mutate(random, bytes, PIECES), ours, theirs)) taken++;
    }
  });
  console.log(`# ${taken} listings taken`);
  assert.ok(taken > 10);
}

function childrenOf({ children }: Node, name: string): Node[] {
  return children.filter(({ local }) => local === name);
}

/** The last one counts, where a listing may have several. */
function textOf(node: Node | undefined, name: string): string | undefined {
  return node === undefined ? undefined : childrenOf(node, name).at(-1)?.text;
}

function oneTo(most: number, random: Random): number {
  return 1 + random.below(most);
}

/** A key of its own for each object, some with what must be escaped. */
function keyOf(i: number, random: Random): string {
  const plain = `data/${String(i).padStart(4, "0")}`;
  return random.oneIn(4)
    ? plain + random.pick(["", "-a.txt", "&b", "<c>", "'\"", ">", "]"])
    : plain;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

// S3.

function s3Document(random: Random): string {
  const encoded = random.oneIn(2);
  const quote = random.pick(["&quot;", "&#34;", '"', ""]);
  // Most listings are written one way throughout.
  const order = random.shuffle(["Key", "Size", "ETag", "LastModified", "StorageClass", "Owner"]);
  const count = oneTo(8, random);
  const contents = Array.from({ length: count }, (_, i) => {
    const key = keyOf(i, random);
    const fields: Record<string, string> = {
      Key: encoded ? encodeURIComponent(key).replaceAll("%20", "+") : escape(key),
      Size: String(random.below(1e9)),
      ETag: `${quote}${random.below(1e9).toString(16)}${random.oneIn(8) ? "-2" : ""}${quote}`,
      LastModified: new Date(random.below(2e9) * 1000).toISOString(),
      StorageClass: random.oneIn(9) ? "GLACIER" : "STANDARD",
    };
    const inner = order.map((name) =>
      name === "Owner"
        ? "<Owner><ID>1</ID></Owner>"
        : random.oneIn(40)
        ? ""
        : `<${name}>${fields[name]}</${name}>`
    );
    return `<Contents>${inner.join("")}</Contents>`;
  });
  return `<ListBucketResult xmlns="s3"><IsTruncated>false</IsTruncated>${
    encoded ? "<EncodingType>url</EncodingType>" : ""
  }${contents.join("")}</ListBucketResult>`;
}

function readS3(bytes: Uint8Array): unknown {
  const page = new ListedPage(bytes, "s3");
  readListing(bytes, bytes.length, page);
  return [page.truncated, page.nextToken, page.objects()];
}

function s3Of(root: Node): unknown {
  assert.equal(root.local, "ListBucketResult");
  const contents = childrenOf(root, "Contents");
  const raw = contents.map((node) => textOf(node, "Key") ?? "");
  const told = textOf(root, "EncodingType")?.trim().toLowerCase() === "url";
  const encoded = told && !raw.some((key) => /[\0- \x80-\uffff]|%(?![\da-f]{2})/i.test(key));
  const objects = contents.map((node, i): ObjectMeta => {
    const key = raw[i] ?? "";
    const etag = textOf(node, "ETag");
    const time = textOf(node, "LastModified");
    return {
      key: encoded ? decodeURIComponent(key.replaceAll("+", " ")) : key,
      size: Number(textOf(node, "Size") ?? 0),
      ...(etag ? { etag } : {}),
      ...(time !== undefined && { lastModified: Date.parse(time.trim()) }),
    };
  });
  const truncated = textOf(root, "IsTruncated")?.trim();
  return [
    truncated === undefined ? undefined : truncated === "true",
    textOf(root, "NextContinuationToken") || undefined,
    objects,
  ];
}

test("fuzz: listings of S3", () => run(s3Document, readS3, s3Of));

// Azure.

function azureDocument(random: Random): string {
  const quote = random.pick(["", "", "&quot;", '"']);
  const blobs = Array.from({ length: oneTo(8, random) }, (_, i) => {
    const time = new Date(random.below(2e9) * 1000).toUTCString();
    const key = keyOf(i, random);
    const name = random.oneIn(10)
      ? `<Name Encoded="true">${encodeURIComponent(key)}</Name>`
      : `<Name>${escape(key)}</Name>`;
    return `<Blob>${name}${random.oneIn(10) ? "<Snapshot>x</Snapshot>" : ""}<Properties>` +
      `<Creation-Time>${time}</Creation-Time><Last-Modified>${time}</Last-Modified>` +
      `<Etag>${quote}0x${random.below(1e9).toString(16)}${quote}</Etag>` +
      `<Content-Length>${random.below(1e9)}</Content-Length><Content-Encoding />` +
      `<ResourceType>${random.oneIn(8) ? "directory" : "file"}</ResourceType>` +
      `<AccessTier>${random.pick(["Hot", "Cool"])}</AccessTier></Properties><OrMetadata/></Blob>`;
  });
  return `\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="c"><Blobs>${
    blobs.join("")
  }</Blobs><NextMarker/></EnumerationResults>`;
}

function readAzure(bytes: Uint8Array): unknown {
  const { page, nextMarker } = scanAzurePage(bytes, new ListedPage(bytes, "azure"));
  return [nextMarker, page.objects()];
}

function azureOf(root: Node): unknown {
  assert.equal(root.local, "EnumerationResults");
  const objects: ObjectMeta[] = [];
  for (const blob of childrenOf(root, "Blobs").flatMap((blobs) => childrenOf(blobs, "Blob"))) {
    const properties = childrenOf(blob, "Properties");
    const all = (name: string) => properties.flatMap((node) => childrenOf(node, name));
    const hidden = childrenOf(blob, "Deleted").some(({ text }) => text === "true") ||
      childrenOf(blob, "Snapshot").some(({ text }) => text !== "") ||
      all("ResourceType").some(({ text }) => text === "directory");
    if (hidden) continue;
    const [name] = childrenOf(blob, "Name");
    const [etag] = all("Etag").filter(({ text }) => text !== "");
    const encoded = name?.attributes["Encoded"]?.value.toLowerCase() === "true";
    const time = all("Last-Modified").at(-1)?.text;
    objects.push({
      key: encoded ? decodeURIComponent(name?.text ?? "") : name?.text ?? "",
      size: Number(all("Content-Length").at(-1)?.text ?? 0),
      etag: `"${etag?.text.replace(/^"(.+)"$/s, "$1")}"`,
      ...(time !== undefined && { lastModified: Date.parse(time) }),
    });
  }
  return [textOf(root, "NextMarker"), objects];
}

test("fuzz: listings of Azure", () => run(azureDocument, readAzure, azureOf));

// WebDAV.

function davDocument(random: Random): string {
  const prefix = random.pick(["", "D:", "d:"]);
  const tag = (name: string, inner: string) => `<${prefix}${name}>${inner}</${prefix}${name}>`;
  const responses = Array.from({ length: oneTo(6, random) }, (_, i) => {
    const properties = tag("getetag", `"${random.below(1e6)}"`) +
      tag("getcontentlength", String(random.below(1e6))) +
      tag("resourcetype", random.oneIn(3) ? `<${prefix}collection/>` : "");
    const found = tag("propstat", tag("prop", properties) + tag("status", "HTTP/1.1 200 OK"));
    const none = tag(
      "propstat",
      tag("prop", tag("getetag", "x")) + tag("status", "HTTP/1.1 404 No"),
    );
    const href = tag("href", ` /dav/${escape(keyOf(i, random))}\n`);
    if (random.oneIn(6)) return tag("response", href + tag("status", "HTTP/1.1 423 Locked"));
    return tag("response", href + (random.oneIn(4) ? none + found : found));
  });
  const declared = prefix === "" ? "xmlns" : `xmlns:${prefix.slice(0, 1)}`;
  return `<${prefix}multistatus ${declared}="DAV:">${responses.join("")}</${prefix}multistatus>`;
}

function davOf(root: Node): unknown {
  const dav = ({ children }: Node, name: string) =>
    children.filter(({ uri, local }) => uri === "DAV:" && local === name);
  const trimmed = (node: Node | undefined) => node?.text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  const code = (node: Node | undefined) => Number(trimmed(node)?.split(/ +/)[1]);
  assert.deepEqual([root.uri, root.local], ["DAV:", "multistatus"]);
  return dav(root, "response").flatMap((response) => {
    const good = dav(response, "propstat").filter((node) =>
      Math.floor(code(dav(node, "status").at(-1)) / 100) === 2
    );
    const status = dav(response, "status").at(-1);
    const own: Record<string, unknown> = { folder: false };
    for (const propstat of good) {
      for (const property of dav(propstat, "prop").flatMap(({ children }) => children)) {
        if (property.uri !== "DAV:") continue;
        if (property.local === "resourcetype") {
          own.folder = dav(property, "collection").length > 0;
        }
        const name = { getetag: "etag", getcontentlength: "length", getlastmodified: "modified" }[
          property.local
        ];
        if (name !== undefined && trimmed(property) !== "") own[name] = trimmed(property);
      }
    }
    return dav(response, "href").map((href) => ({
      href: trimmed(href),
      ...own,
      ...(status !== undefined && { status: code(status) }),
    }));
  });
}

test("fuzz: answers of WebDAV", () => run(davDocument, parseMultistatus, davOf));
