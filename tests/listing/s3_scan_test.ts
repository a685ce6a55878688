// The reader of S3 listings, on answers as servers write them, as XML allows them, and broken ones.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import fc from "fast-check";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { objectCodec } from "../../_diff/codec.ts";
import {
  isErrorAnswer,
  pageOfObjects,
  readListing,
  type S3Page,
} from "../../_listing/s3_listing.ts";

const encoder = new TextEncoder();

/** With `room` bytes of rubbish behind the answer, as in a buffer that is used again. */
function read(xml: string | Uint8Array, room = 1): S3Page {
  const answer = typeof xml === "string" ? encoder.encode(xml) : xml;
  const bytes = new Uint8Array(answer.length + room).fill("/".charCodeAt(0));
  bytes.set(answer);
  return readListing(bytes, answer.length, "s3://bucket");
}

function tracked(page: S3Page): ObjectMeta[] {
  const builder = new ObjectBuilder();
  page.addTo(builder);
  return [...builder.finish().values(objectCodec)];
}

function isFault(pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ExternalError && error.code === "protocol" &&
    error.source === "s3://bucket" && pattern.test(error.message);
}

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
const MD5 = "d41d8cd98f00b204e9800998ecf8427e";
const TIME = Date.UTC(2026, 10, 23, 4, 5, 6, 789);

const listing = (inner: string, truncated = false) =>
  `${HEAD}<IsTruncated>${truncated}</IsTruncated><EncodingType>url</EncodingType>${inner}</ListBucketResult>`;
const object = (key: string, rest = "<Size>1</Size>") =>
  `<Contents><Key>${key}</Key>${rest}</Contents>`;

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
      "<StorageClass>STANDARD</StorageClass><Type>Normal</Type><Key>ü%2Fx</Key></Contents></ListBucketResult>\n",
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
    `\ufeff<?xml version='1.0'?>\n<!-- a <ListBucketResult> -->\n<s3:ListBucketResult xmlns:s3='x>y' a="</b>" >
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

test("what is no whole listing is an error that says so", () => {
  const wrong: [string, RegExp][] = [
    ["", /no listing of objects but no XML/],
    ["{}", /no listing of objects but no XML/],
    ["<html><body>Login</body></html>", /no listing of objects but <html>/],
    ["<!DOCTYPE html><html></html>", /no listing of objects but no XML/],
    [`${HEAD.replace("ListBucketResult", "ListVersionsResult")}</ListVersionsResult>`, /<ListV/],
    ["<ListBucketResult/>", /empty/],
    [listing("").slice(0, -1), /cut off/],
    [listing("") + "<x/>", /behind its end|broken/],
    [listing("") + "x", /behind its end/],
    [listing("<Contents/>"), /without a key/],
    [listing("<Contents><Size>1</Size></Contents>"), /without a key/],
    [listing("<Contents><Key></Key><Size>1</Size></Contents>"), /without a key/],
    [listing("<Contents><Key>a</Key></Contents>"), /without a size/],
    [listing(object("a", "<Size>-1</Size>")), /Size/],
    [listing(object("a", "<Size>1e3</Size>")), /Size/],
    [listing(object("a", "<Size></Size>")), /Size/],
    [listing(object("a", "<Size>9007199254740992</Size>")), /Size/],
    [listing(object("a%")), /broken '%' escape/],
    [listing(object("a%4")), /broken '%' escape/],
    [listing(object("a%zz")), /broken '%' escape/],
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
  assert.equal(read(`${HEAD}</ListBucketResult>`).truncated, undefined);
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

test("a range is cut out of a page", () => {
  const page = (...keys: string[]) => read(listing(keys.map((key) => object(key)).join("")));
  const cut = (page: S3Page, after?: string, until?: string) => {
    const bytes = (key?: string) => key === undefined ? undefined : encoder.encode(key);
    const past = page.clip(bytes(after), bytes(until));
    const keys = page.objects().map(({ key }) => key);
    assert.deepEqual(tracked(page).map(({ key }) => key), keys);
    assert.equal(page.count, keys.length);
    return [keys.join(""), past];
  };
  assert.deepEqual(cut(page("a", "b", "c", "d"), "a", "c"), ["bc", true]);
  assert.deepEqual(cut(page("a", "b", "c", "d"), undefined, "d"), ["abcd", false]);
  assert.deepEqual(cut(page("a", "b", "c", "d"), "d"), ["", false]);
  assert.deepEqual(cut(page("a", "b", "c", "d"), "aa", "az"), ["", true]);
  assert.deepEqual(cut(page(), "a", "b"), ["", false]);
  assert.deepEqual(cut(page("\uffff", "\u{10000}"), "\uffff"), ["\u{10000}", false]);
});

test("a page tells its first key out of order, and its first one without a prefix", () => {
  const page = (...keys: string[]) => read(listing(keys.map((key) => object(key)).join("")));
  assert.equal(page().disorder(), -1);
  assert.equal(page("a", "ab", "b", "\uffff", "\u{10000}").disorder(), -1);
  assert.equal(page("a", "c", "b").disorder(), 2);
  assert.equal(page("a", "a").disorder(), 1);
  assert.equal(page("b", "a", "c").disorder(), 1);
  const keyOf = (page: S3Page, i: number) => new TextDecoder().decode(page.key(i));
  assert.equal(page().key(0), undefined);
  assert.equal(page("a").key(1), undefined);
  assert.equal(page("a").key(-1), undefined);
  const cut = page("a", "b", "c", "d");
  cut.clip(encoder.encode("a"), encoder.encode("c"));
  assert.equal(keyOf(cut, 0) + keyOf(cut, 1), "bc");
  assert.equal(cut.key(2), undefined);
  const without = (prefix: string, ...keys: string[]) =>
    page(...keys).without(encoder.encode(prefix));
  assert.equal(without("a/", "a/", "a/b"), -1);
  assert.equal(without("a/", "a/b", "a", "b"), 1);
  assert.equal(without("ab", "ac"), 0);
  assert.equal(without("ab", "a"), 0);
});

test("more than a thousand objects, and a page that is used again", () => {
  const keys = Array.from({ length: 2_500 }, (_, i) => `k${String(i).padStart(5, "0")}`);
  const page = read(listing(keys.map((key) => object(key)).join(""), true));
  assert.deepEqual(page.objects().map(({ key }) => key), keys);
  const bytes = encoder.encode(`${listing(object("a"))} `);
  assert.equal(readListing(bytes, bytes.length - 1, "s3://bucket", page), page);
  assert.deepEqual(page.objects(), [{ key: "a", size: 1 }]);
  assert.equal(page.truncated, false);
});

// Properties.

const text = (options: fc.StringConstraints) =>
  fc.string({ unit: "binary", ...options }).filter((text) => text.isWellFormed());

const anObject: fc.Arbitrary<ObjectMeta> = fc.record(
  {
    key: fc.oneof(
      text({ minLength: 1, maxLength: 30 }),
      fc.constantFrom("__proto__", "..", "a//b", "%2F", "+", " ", "\0", "\ufeff", "]]>", "&amp;"),
    ),
    size: fc.oneof(fc.nat(), fc.maxSafeNat()),
    etag: fc.oneof(
      fc.constant(`"${MD5}"`),
      fc.nat().map((n) => `"${MD5}-${n}"`),
      text({ minLength: 1, maxLength: 20 }),
    ),
    lastModified: fc.date({ min: new Date(0), max: new Date("9999"), noInvalidDate: true })
      .map((date) => date.getTime()),
  },
  { requiredKeys: ["key", "size"], noNullPrototype: true },
);

/** Decides for each place of a document how it is written. */
class Writer {
  readonly #choices: readonly number[];
  #next = 0;
  readonly urlEncoded: boolean;
  readonly #prefix: string;

  constructor(choices: readonly number[]) {
    this.#choices = choices;
    this.urlEncoded = this.choose(2) === 0;
    this.#prefix = this.choose(3) === 0 ? "ns0:" : "";
  }

  choose(count: number): number {
    return (this.#choices[this.#next++ % this.#choices.length] as number) % count;
  }

  shuffled<V>(values: readonly V[]): V[] {
    return values.map((value) => ({ value, rank: this.choose(1000) }))
      .sort((a, b) => a.rank - b.rank).map(({ value }) => value);
  }

  between(): string {
    return ["", "", "", "\n  ", "<!-- <Key> & -->", "<?x y?>", "<Other a='>'><Key>z</Key></Other>"][
      this.choose(7)
    ] as string;
  }

  element(name: string, content: string): string {
    const full = this.#prefix + name;
    if (content === "" && this.choose(2) === 0) return `<${full}/>`;
    return `<${full}${["", " ", ' a="<"'.replace("<", ">")][this.choose(3)]}>${content}</${full}>`;
  }

  /** The text, written with entities, CDATA or neither. */
  text(text: string): string {
    if (this.choose(6) === 0 && !text.includes("]]>")) return `<![CDATA[${text}]]>`;
    const named = new Map([["<", "lt"], [">", "gt"], ["&", "amp"], ['"', "quot"], ["'", "apos"]]);
    return Array.from(text, (char) => {
      const point = char.codePointAt(0) as number;
      const must = char === "<" || char === "&";
      const way = this.choose(must ? 3 : 12);
      if (way === 0) return `&#${point};`;
      if (way === 1) return `&#x${point.toString(16)};`;
      return named.has(char) && (must || way < 6) ? `&${named.get(char)};` : char;
    }).join("");
  }

  key(key: string): string {
    if (!this.urlEncoded) return this.text(key);
    const written = Array.from(encoder.encode(key), (byte) => {
      const hex = byte.toString(16).padStart(2, "0");
      const char = String.fromCharCode(byte);
      if (byte === 0x20) return this.choose(2) === 0 ? "+" : "%20";
      if (/[\w/.*-]/.test(char) && this.choose(4) > 0) return char;
      return `%${this.choose(2) === 0 ? hex : hex.toUpperCase()}`;
    }).join("");
    return this.text(written);
  }

  document(objects: readonly ObjectMeta[], token: string | undefined): string {
    const contents = objects.map(({ key, size, etag, lastModified }) => {
      const fields = [this.element("Key", this.key(key)), this.element("Size", String(size))];
      if (etag !== undefined) fields.push(this.element("ETag", this.text(etag)));
      if (lastModified !== undefined) {
        fields.push(this.element("LastModified", new Date(lastModified).toISOString()));
      }
      fields.push(this.element("StorageClass", "STANDARD"));
      const inner = this.shuffled(fields).map((field) => this.between() + field).join("");
      return this.element("Contents", inner + this.between());
    });
    const meta = [this.element("IsTruncated", String(token !== undefined))];
    if (this.urlEncoded) meta.push(this.element("EncodingType", "url"));
    if (token !== undefined) meta.push(this.element("NextContinuationToken", this.text(token)));
    const cut = this.choose(meta.length + 1);
    const parts = [...meta.slice(0, cut), ...contents, ...meta.slice(cut)];
    const inner = parts.map((part) => this.between() + part).join("") + this.between();
    return `<?xml version="1.0"?>${this.element("ListBucketResult", inner)}`;
  }
}

const aDocument = fc.record({
  objects: fc.uniqueArray(anObject, { maxLength: 8, selector: ({ key }) => key }),
  token: fc.option(text({ minLength: 1, maxLength: 20 }), { nil: undefined }),
  choices: fc.array(fc.nat(), { minLength: 1, maxLength: 200 }),
}).map((given) => ({
  ...given,
  xml: new Writer(given.choices).document(given.objects, given.token),
}));

test("property: every layout gives the objects, exactly", () => {
  fc.assert(
    fc.property(aDocument, fc.nat(100), ({ objects, token, xml }, room) => {
      const page = read(xml, room + 1);
      assert.deepEqual(page.objects(), objects);
      assert.equal(page.truncated, token !== undefined);
      assert.equal(page.nextToken, token);
      assert.equal(page.count, objects.length);
      const byKey = (a: ObjectMeta, b: ObjectMeta) => a.key < b.key ? -1 : 1;
      assert.deepEqual(tracked(page).sort(byKey), objects.toSorted(byKey));
      assert.deepEqual(pageOfObjects(objects, "").objects(), objects);
    }),
    { numRuns: 500 },
  );
});

test("property: no part of a listing is a listing", () => {
  fc.assert(
    fc.property(aDocument, fc.nat(), fc.nat(300), ({ xml }, at, room) => {
      const bytes = encoder.encode(xml);
      assert.throws(
        () => read(bytes.subarray(0, at % bytes.length), room + 1),
        (error) => error instanceof ExternalError && error.code === "protocol",
      );
    }),
    { numRuns: 500 },
  );
});

test("property: damage is read or refused, and nothing else", () => {
  fc.assert(
    fc.property(
      aDocument,
      fc.array(
        fc.tuple(fc.nat(), fc.oneof(fc.nat(255), fc.constantFrom(...encoder.encode("<>/&!%-")))),
      ),
      ({ xml }, damage) => {
        const bytes = encoder.encode(xml);
        for (const [at, byte] of damage) bytes[at % bytes.length] = byte;
        try {
          read(bytes).objects();
        } catch (error) {
          assert.ok(error instanceof ExternalError && error.code === "protocol", String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
