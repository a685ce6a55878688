// Keys of S3 listings that are said to be URL-encoded: what is decoded, and what shows that a server only says so.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ListedPage } from "../../_listing/listed_page.ts";
import { decodePercent, decodeUrl } from "../../_listing/url_encoding.ts";
import { HEAD, isFault, keysOf, listing, object, read, SOURCE } from "./_s3.ts";

const listed = (...keys: string[]) => listing(keys.map((key) => object(key)).join(""));

test("a plus and %20 are a blank, %2B is a plus", () => {
  assert.deepEqual(keysOf(read(listed("a+b", "a%2Bb", "c%20d"))), ["a b", "a+b", "c d"]);
  assert.deepEqual(keysOf(read(listed("%c3%BC", "%F0%9F%98%80"))), ["ü", "\u{1f600}"]);
  assert.deepEqual(keysOf(read(listed("%00", "%25zz"))), ["\0", "%zz"]);
});

test("without an encoding named, keys are as they are", () => {
  const xml = `${HEAD}<IsTruncated>false</IsTruncated>${object("a%20b")}${object("a+b")}` +
    `${object("a b")}${object("100%")}</ListBucketResult>`;
  assert.deepEqual(keysOf(read(xml)), ["a%20b", "a+b", "a b", "100%"]);
  const other = xml.replace("<IsT", "<EncodingType>base64</EncodingType><IsT");
  assert.deepEqual(keysOf(read(other)), ["a%20b", "a+b", "a b", "100%"]);
});

test("what no encoder leaves in a key shows that the page is not encoded", () => {
  for (const sign of ["a b", "é", "100%", "a%4", "a%4g", "%", "a&#10;b", "a&#9;b"]) {
    const key = sign.replace("&#10;", "\n").replace("&#9;", "\t");
    assert.deepEqual(keysOf(read(listed(sign, "c+d"))), [key, "c+d"], sign);
    assert.deepEqual(keysOf(read(listed("c+d", sign))), ["c+d", key], sign);
  }
});

test("a page of which some keys are encoded and some are not is an error", () => {
  for (const keys of [["a b", "c%20d"], ["c%20d", "a b"], ["é%2Fx"], ["100%", "a%2B"]]) {
    assert.throws(() => read(listed(...keys)), isFault(/encodes some and not others/), keys.join());
  }
});

test("what one page shows holds for those behind it", () => {
  const page = new ListedPage(new Uint8Array(), SOURCE);
  const next = (...keys: string[]) => keysOf(read(listed(...keys), 1, page));
  assert.deepEqual(next("a+b"), ["a b"]);
  assert.throws(() => next("a b", "c"), isFault(/encodes some and not others/));
  const other = new ListedPage(new Uint8Array(), SOURCE);
  assert.deepEqual(keysOf(read(listed("plain"), 1, other)), ["plain"]);
  assert.deepEqual(keysOf(read(listed("a b"), 1, other)), ["a b"]);
  assert.deepEqual(keysOf(read(listed("a+b"), 1, other)), ["a+b"]);
  assert.throws(() => read(listed("a%20b"), 1, other), isFault(/encodes some and not others/));
});

test("with the encoding turned off, keys are as they are, whatever the answer says", () => {
  const page = new ListedPage(new Uint8Array(), SOURCE);
  const keys = ["a b", "a%20b", "a+b", "100%"];
  assert.deepEqual(keysOf(read(listed(...keys), 1, page, { encoded: false })), keys);
});

test("two keys that become one are an error", () => {
  assert.throws(() => read(listed("a+b", "a%20b")), isFault(/the key 'a b' twice/));
  assert.throws(() => read(listed("a+b", "a%2Bb", "a%20b")), isFault(/the key 'a b' twice/));
});

test("an escape is cut off by the end of the key, whatever bytes are behind it", () => {
  // Undone in place, `&#37;` leaves digits behind the key.
  assert.deepEqual(keysOf(read(listed("a&#37;4", "a&#37;"))), ["a%4", "a%"]);
  for (const [text, end] of [["a%41", 3], ["a%41", 2], ["%%41", 1]] as const) {
    assert.equal(decodeUrl(new TextEncoder().encode(text), 0, end), -1, `${text} to ${end}`);
    assert.equal(decodePercent(new TextEncoder().encode(text), 0, end), -1, `${text} to ${end}`);
  }
});

test("property: what is encoded comes back", () => {
  const keys = fc.uniqueArray(
    fc.string({ unit: "binary", minLength: 1 }).filter((key) => key.isWellFormed()),
  );
  fc.assert(fc.property(keys, fc.boolean(), (keys, plus) => {
    const encode = (key: string) => {
      const encoded = encodeURIComponent(key);
      return plus ? encoded.replaceAll("%20", "+") : encoded;
    };
    assert.deepEqual(keysOf(read(listed(...keys.map(encode)))), keys);
  }));
});
