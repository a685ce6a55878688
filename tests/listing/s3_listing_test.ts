// The reader of S3 listings, on answers as servers write them, as XML allows them, and broken ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isErrorAnswer, readListing } from "../../_listing/s3_listing.ts";
import { HEAD, isFault, keysOf, listing, MD5, object, read, tracked } from "./_s3.ts";

const encoder = new TextEncoder();
const TIME = Date.UTC(2026, 10, 23, 4, 5, 6, 789);

test("a page of AWS", () => {
  const page = read(
    `${HEAD}<Name>bucket</Name><Prefix>a%2F</Prefix><StartAfter></StartAfter>` +
      "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>" +
      "<KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter><EncodingType>url</EncodingType>" +
      "<IsTruncated>true</IsTruncated>" +
      `<Contents><Key>a/b+c%2Bd%25%C3%BC</Key><LastModified>2026-11-23T04:05:06.789Z</LastModified>` +
      `<ETag>&quot;${MD5}&quot;</ETag><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>` +
      "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>42</Size>" +
      "<Owner><ID>75aa57f09aa0</ID><DisplayName>Key</DisplayName><Key>not this</Key></Owner>" +
      "<StorageClass>GLACIER</StorageClass><RestoreStatus><IsRestoreInProgress>false</IsRestoreInProgress>" +
      "<RestoreExpiryDate>2026-12-13T00:00:00Z</RestoreExpiryDate></RestoreStatus></Contents>" +
      `<Contents><Key>a/z</Key><LastModified>2026-11-23T04:05:06.000Z</LastModified>` +
      `<ETag>&quot;${MD5}-12&quot;</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>` +
      "<CommonPrefixes><Prefix>a/p/</Prefix></CommonPrefixes></ListBucketResult>",
  );
  assert.deepEqual(page.objects(), [
    { key: "a/b c+d%ü", size: 42, etag: `"${MD5}"`, lastModified: TIME },
    { key: "a/z", size: 0, etag: `"${MD5}-12"`, lastModified: TIME - 789 },
  ]);
  assert.equal(page.truncated, true);
  assert.equal(page.nextToken, "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
  assert.deepEqual(tracked(page), page.objects());
});

test("a page of MinIO: the encoding is named last, quotes are decimal", () => {
  const page = read(
    `${HEAD}<Name>bkt</Name><Prefix></Prefix><KeyCount>1</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>false</IsTruncated>` +
      "<Contents><Key>k/00000+%C3%BC%2B%25%26%3C.txt</Key><LastModified>2026-11-23T04:05:06.789Z</LastModified>" +
      `<ETag>&#34;${MD5}&#34;</ETag><Size>2</Size><StorageClass>STANDARD</StorageClass></Contents>` +
      "<EncodingType>url</EncodingType></ListBucketResult>",
  );
  const expected = { key: "k/00000 ü+%&<.txt", size: 2, etag: `"${MD5}"`, lastModified: TIME };
  assert.deepEqual(page.objects(), [expected]);
  assert.equal(page.truncated, false);
  assert.equal(page.nextToken, undefined);
});

test("a page of Ceph: raw quotes, size before ETag, an owner in front", () => {
  const page = read(
    `${HEAD}<Name>b</Name><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>` +
      "<Contents><Owner><ID>x</ID><DisplayName>X</DisplayName></Owner><Size>7</Size>" +
      `<ETag>"${MD5}"</ETag><LastModified>2026-11-23T04:05:06.789123Z</LastModified>` +
      "<StorageClass>STANDARD</StorageClass><Type>Normal</Type><Key>%C3%BC%2Fx</Key></Contents></ListBucketResult>\n",
  );
  const expected = { key: "ü/x", size: 7, etag: `"${MD5}"`, lastModified: TIME };
  assert.deepEqual(page.objects(), [expected]);
});

test("a page of R2: no blank, ETag without quotes, times in another form", () => {
  const page = read(
    '<?xml version="1.0"?><ListBucketResult xmlns="x">' +
      object(
        "a",
        `<Size>7</Size><LastModified>2026-11-23T05:05:06.789+01:00</LastModified><ETag>${MD5}</ETag>`,
      ) +
      "<IsTruncated>false</IsTruncated></ListBucketResult>",
  );
  assert.deepEqual(page.objects(), [{ key: "a", size: 7, etag: MD5, lastModified: TIME }]);
});

test("without an encoding named keys are as they are", () => {
  const page = read(
    `${HEAD}<IsTruncated>false</IsTruncated>${object("a+b%20c&amp;%ZZ")}</ListBucketResult>`,
  );
  assert.equal(page.objects()[0]?.key, "a+b%20c&%ZZ");
});

test("what XML allows: a byte order mark, prefixes, attributes, comments, CDATA, white space", () => {
  const page = read(
    `\ufeff<?xml version='1.0'?>\n<!-- a <ListBucketResult> -->\n<s3:ListBucketResult xmlns:s3='x>y' a="&lt;/b>" >
      <s3:Is.More/><s3:IsTruncated > false\n</s3:IsTruncated><?pi <x> ?>
      <s3:Contents\tid="1">
        <!-- <s3:Key>no</s3:Key> -->
        <s3:Key>a<![CDATA[<&amp;]]>b<!-- c -->&#x1F600;</s3:Key>
        <s3:Size>\n 5 </s3:Size ><s3:ETag/><s3:Empty /><s3:Tree><s3:Tree><x/></s3:Tree>text</s3:Tree>
      </s3:Contents>
    </s3:ListBucketResult>\n<!-- end -->\n`,
  );
  assert.deepEqual(page.objects(), [{ key: "a<&amp;b\u{1F600}", size: 5 }]);
  assert.equal(page.truncated, false);
});

test("an ETag is exact, whatever it is", () => {
  const etags: [string, string | undefined][] = [
    ["", undefined],
    ["&quot;&quot;", '""'],
    ["&quot;", '"'],
    ["&quot;a&quot;b&quot;", '"a"b"'],
    ["&quot;a&amp;b&quot;", '"a&b"'],
    ["&#34;a&quot;", '"a"'],
    ["&#x22;a&#x22;", '"a"'],
    ["W/&quot;a&quot;", 'W/"a"'],
    ['"a"', '"a"'],
    ["a%20+", "a%20+"],
    ['<![CDATA["a"]]>', '"a"'],
    [`&quot;${MD5.toUpperCase()}&quot;`, `"${MD5.toUpperCase()}"`],
  ];
  for (const [written, etag] of etags) {
    const page = read(listing(object("k", `<ETag>${written}</ETag><Size>1</Size>`)));
    assert.deepEqual(page.objects(), [{ key: "k", size: 1, ...(etag !== undefined && { etag }) }]);
    assert.deepEqual(tracked(page), page.objects());
  }
});

test("times are exact", () => {
  const time = (text: string) =>
    read(listing(object("k", `<LastModified>${text}</LastModified><Size>1</Size>`))).objects()[0]
      ?.lastModified;
  fc.assert(fc.property(
    fc.date({ min: new Date("0000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
    (date) => assert.equal(time(date.toISOString()), date.getTime()),
  ));
  for (const text of ["2024-02-29T00:00:00Z", " 2024-02-29T12:00:00.5+05:30\n"]) {
    assert.equal(time(text), Date.parse(text.trim()));
  }
  const wrong = ["", "-1", "1.5", "yesterday", "2026-11-23", "2026-13-01T00:00:00.000Z"];
  wrong.push("2026-11-23T24:60:00.000Z", "2026-11-00T00:00:00.000Z", "2026-11-23 04:05:06.789Z");
  for (const text of wrong) assert.throws(() => time(text), isFault(/LastModified/), text);
});

test("what is not a whole listing is an error that says so", () => {
  const wrong: [string, RegExp][] = [
    ["", /not a listing of objects but no XML/],
    ["{}", /not a listing of objects but no XML/],
    ["<html><body>Login</body></html>", /not a listing of objects but <html>/],
    ["<!DOCTYPE html><html></html>", /not a listing of objects but no XML/],
    [`${HEAD.replace("ListBucketResult", "ListVersionsResult")}</ListVersionsResult>`, /<ListV/],
    [listing("").slice(0, -1), /cut off/],
    [listing("") + "<x/>", /after its end|broken/],
    [listing("") + "x", /after its end/],
    [listing("") + "<!-- x --", /after its end/],
    [listing("<Contents/>"), /without a key/],
    [listing("<Contents><Size>1</Size></Contents>"), /without a key/],
    [listing("<Contents><Key></Key><Size>1</Size></Contents>"), /without a key/],
    [listing("<Contents><Key>a%2Fb</Key></Contents>"), /without a size, 'a\/b'/],
    [listing("<Contents><Key>a</Key><Key>a</Key></Contents>"), /more than one key/],
    [listing(object("a", "<Size>1</Size><Size>1</Size>")), /more than one size/],
    [listing(object("a", "<ETag>1</ETag><ETag>1</ETag>")), /more than one ETag/],
    [
      listing(object("a", "<LastModified>2026-11-23T04:05:06.789Z</LastModified>".repeat(2))),
      /more than one time/,
    ],
    [listing(object("a", "<Size>-1</Size>")), /Size/],
    [listing(object("a", "<Size>1e3</Size>")), /Size/],
    [listing(object("a", "<Size></Size>")), /Size/],
    [listing(object("a", "<Size>9007199254740992</Size>")), /Size/],
    [listing(object("a&nbsp;")), /entity/],
    [listing(object("a&b")), /entity/],
    [listing(object("a&constructor;")), /entity/],
    [listing(object("a&#xD800;")), /entity/],
    [listing(object("a&#x110000;")), /entity/],
    [listing(object("a<b/>")), /element where text belongs/],
    [listing("<Contents><Key>a</Kay><Size>1</Size></Contents>"), /broken XML/],
    [listing("<Contents><Key>a</Key><Size>1</Size></Content>"), /broken XML/],
    [listing("<Owner></Name>"), /broken XML/],
    [listing("<Owner <x>"), /broken XML/],
    [listing("<><Owner/>"), /broken XML/],
    [listing("<x>".repeat(100_000)), /too deep/],
    [`${HEAD}<IsTruncated>perhaps</IsTruncated></ListBucketResult>`, /IsTruncated/],
  ];
  for (const [xml, pattern] of wrong) assert.throws(() => read(xml, 64), isFault(pattern), xml);
  // Whether more follow is for the store to miss.
  assert.equal(read("<ListBucketResult/>").truncated, undefined);
});

test("a key that is not UTF-8 is an error both ways", () => {
  const page = read(listing(object("a%FF")));
  assert.throws(() => page.objects(), isFault(/not UTF-8/));
  assert.throws(() => tracked(page), { code: "protocol" });
});

test("an answer is an error by its root element", () => {
  const isError = (xml: string) => {
    const bytes = encoder.encode(xml + " ");
    return isErrorAnswer(bytes, bytes.length - 1);
  };
  assert.ok(isError('<?xml version="1.0"?>\n<Error><Code>InternalError</Code></Error>\n'));
  assert.ok(isError("<Error/>"));
  assert.ok(!isError(listing(object("<Error>"))));
  assert.ok(!isError("<html><Error/></html>"));
  assert.ok(!isError(""));
});

test("more than a thousand objects, and a page that is used again", () => {
  const keys = Array.from({ length: 2_500 }, (_, i) => `k${String(i).padStart(5, "0")}`);
  const page = read(listing(keys.map((key) => object(key)).join(""), true));
  assert.deepEqual(keysOf(page), keys);
  const bytes = encoder.encode(`${listing(object("a"))} `);
  assert.equal(readListing(bytes, bytes.length - 1, page), page);
  assert.deepEqual(page.objects(), [{ key: "a", size: 1 }]);
  assert.equal(page.truncated, false);
});
