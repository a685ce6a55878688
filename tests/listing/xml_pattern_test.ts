// Objects that are written like the one before are read by their pattern: it must not see what is not there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answer, isFault, keysOf, listing, object, read, SOURCE } from "./_s3.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import { readListing } from "../../_listing/s3_listing.ts";

const FULL = "<LastModified>2026-11-23T04:05:06.789Z</LastModified><ETag>&quot;1&quot;</ETag>" +
  "<Size>1</Size><Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass>";
const full = (key: string, rest = FULL) => object(key, rest);
const LIKE = full("a") + full("b") + full("c");
const TIME = Date.UTC(2026, 10, 23, 4, 5, 6, 789);

test("each object has its own values", () => {
  const page = read(listing(
    full("a") +
      full("a/b", FULL.replace(">1<", ">12345<").replace("04:05", "04:06")) +
      full("c+d", FULL.replace("quot;1&", "quot;e-2&").replace("STANDARD", "GLACIER")),
  ));
  assert.deepEqual(page.objects(), [
    { key: "a", size: 1, etag: '"1"', lastModified: TIME },
    { key: "a/b", size: 12345, etag: '"1"', lastModified: TIME + 60_000 },
    { key: "c d", size: 1, etag: '"e-2"', lastModified: TIME },
  ]);
});

test("an object that is written otherwise is read as XML, and those behind it, too", () => {
  const others = [
    full("d", "<Size>2</Size>"),
    full("d", FULL.replace("<Size>1", "<Size>\n2")),
    full("d", FULL.replace(">1<", "><![CDATA[2]]><")),
    full("d", FULL.replace(">1<", ">&#50;<")),
    full("d", FULL.replace("<Size>1</Size>", "") + "<Size>2</Size>"),
    full("d", FULL.replace(">1<", ">2<").replace("<ID>x</ID>", "<ID>x</ID><Key>e</Key>")),
    full("d", FULL.replace(">1<", ">2<")).replace("<Contents>", '<Contents x="y">'),
    full("<!-- x -->d", FULL.replace(">1<", ">2<")),
    "<x/>" + full("d", FULL.replace(">1<", ">2<")) + "text",
  ];
  for (const other of others) {
    const objects = read(listing(LIKE + other + full("e") + full("f"))).objects();
    const shown = objects.map(({ key, size }) => `${key}${size}`).join(" ");
    assert.equal(shown, "a1 b1 c1 d2 e1 f1", other);
  }
});

test("what is broken is an error behind any number of objects", () => {
  const broken = [
    full("d").replace("</Key>", "</Kay>"),
    full("d").replace("</StorageClass>", "</StorageClasz>"),
    full("d").replace("STANDARD", "STAN<DARD"),
    full("d").replace("STANDARD", "STAN&DARD"),
    full("d").replace("STANDARD", "STAN\u0001DARD"),
    full("d").replace("STANDARD", "STAN]]>DARD"),
    full("d").replace("</Contents>", "</Content>"),
    full("d").replace("</Contents>", ""),
    full("d").replace("<ID>x</ID>", "<ID>x</Id>"),
    full("d").replace("&quot;1&quot;", "&quot;1&quo;"),
    full("d&"),
    full("d<"),
    full("d\ufffe"),
  ];
  for (const xml of broken) {
    assert.throws(() => read(listing(LIKE + xml)), isFault(/broken XML/), xml);
    assert.throws(() => read(listing(LIKE + xml + LIKE)), isFault(/broken XML/), xml);
  }
  assert.throws(() => read(listing(LIKE + full(""))), isFault(/without a key/));
  assert.throws(() => read(listing(LIKE + full("d", FULL.replace(">1<", "><")))), isFault(/Size/));
  assert.throws(
    () => read(listing(LIKE + full("d", FULL.replace(">1<", ">1e3<")))),
    isFault(/Size/),
  );
  assert.throws(
    () => read(listing(LIKE + full("d", FULL.replace("-11-", "-13-")))),
    isFault(/LastModified/),
  );
});

test("an ETag is exact also where it is written like others", () => {
  const etags = ["&quot;&quot;", "&quot;a&quot;b&quot;", "&quot;a&amp;b&quot;", "&quot;a", ""];
  for (const etag of etags) {
    const odd = full("d", FULL.replace("&quot;1&quot;", etag));
    const alone = read(listing(odd)).objects()[0];
    assert.deepEqual(read(listing(LIKE + odd)).objects()[3], alone, etag);
  }
});

test("a text that was undone in place is not taken for a pattern", () => {
  // Undone, the first text leaves behind it what then looks like more of the document: 1249;&#50;
  const tag = (etag: string) => `<ETag>${etag}</ETag><Size>1</Size>`;
  const page = read(listing(full("a", tag("&#49;&#50;")) + full("b", tag("1249;&#50;"))));
  assert.deepEqual(page.objects(), [
    { key: "a", size: 1, etag: "12" },
    { key: "b", size: 1, etag: "1249;2" },
  ]);
  const size = (text: string) => `<Size>${text}</Size>`;
  const sizes = full("a", size("&#49;&#50;")) + full("b", size("1249;&#50;"));
  assert.throws(() => read(listing(sizes)), isFault(/Size/));
  const empty = full("a", "<ETag/><Size>1</Size>");
  const objects = read(listing(empty + full("b", "<ETag/>x<Size>1</Size>"))).objects();
  assert.deepEqual(objects, [{ key: "a", size: 1 }, { key: "b", size: 1 }]);
});

test("what is left of a longer answer in the same buffer is not read", () => {
  const whole = listing(LIKE + full("d") + full("e"));
  const short = listing(LIKE);
  const cut = whole.indexOf("<Contents><Key>d");
  const [bytes] = answer(whole);
  const page = new ListedPage(bytes, SOURCE);
  assert.deepEqual(keysOf(readListing(bytes.slice(), whole.length, page)), [
    "a",
    "b",
    "c",
    "d",
    "e",
  ]);
  for (const length of [cut, cut + 1, cut + 30, whole.length - 1]) {
    assert.throws(() => readListing(bytes.slice(), length, page), isFault(/cut off/), `${length}`);
  }
  const reused = bytes.slice();
  reused.set(new TextEncoder().encode(short));
  assert.deepEqual(keysOf(readListing(reused, short.length, page)), ["a", "b", "c"]);
});

test("a listing that is cut anywhere is none, whatever is behind it in the buffer", () => {
  const xml = new TextEncoder().encode(listing(full("a") + full("a/b") + full("c+d") + full("e")));
  const page = new ListedPage(new Uint8Array(), SOURCE);
  for (let length = 0; length < xml.length; length++) {
    // Nothing, what does no harm, and what would go on.
    const exact = xml.slice(0, length);
    const padded = new Uint8Array(length + 50).fill("x".charCodeAt(0));
    padded.set(exact);
    for (const bytes of [exact, padded, xml.slice()]) {
      assert.throws(() => readListing(bytes, length, page), isFault(/cut off|no XML/), `${length}`);
    }
  }
});

test("objects in two ways by turns, and a thousand in order, and one out of it", () => {
  const bare = "<Size>1</Size>";
  const keys = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, "0")}`);
  const turns = keys.map((key, i) => full(key, i % 2 === 0 ? FULL : bare)).join("");
  assert.deepEqual(keysOf(read(listing(turns))), keys);
  const out = full("b") + full("a", bare) + full("c");
  assert.equal(read(listing(out)).disorder(), 1);
  assert.throws(() => read(listing(out + full("a", bare))), isFault(/'a' twice/));
  const alike = keys.map((key) => full(key)).join("");
  assert.equal(read(listing(alike)).disorder(), -1);
  assert.equal(read(listing(alike + full("k"))).disorder(), 1_000);
  assert.equal(read(listing(alike + full("k0999+") + full("l"))).disorder(), -1);
  assert.throws(() => read(listing(alike + full("k0999"))), isFault(/'k0999' twice/));
  assert.throws(() => read(listing(alike + full("k0500"))), isFault(/'k0500' twice/));
});
