// What a page of a listing of Azure Blob Storage says, and what is none. The store itself is tested
// against a server in tests/servers/azure_test.ts.
import { ExternalError } from "@koprs/external/error";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type AzurePage, scanAzurePage } from "../../_listing/azure_listing.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import type { ObjectMeta } from "../../store.ts";

const scan = (bytes: Uint8Array, prefix = ""): AzurePage =>
  scanAzurePage(bytes, new ListedPage(bytes, "az://me/c", prefix));

const bytesOf = (text: string) => new TextEncoder().encode(text);

const BOM = "\ufeff";
const TIME = Date.UTC(2026, 10, 23, 4, 23, 46);

/** As XML writes a text: by name, by number, or encoded as a whole where it has no way to say it. */
function nameOf(key: string, form: "names" | "numbers" | "percent"): string {
  const legal = /^(?:[\t\n\r\x20-\ud7ff\ue000-\ufffd]|[\u{10000}-\u{10ffff}])*$/u.test(key);
  if (!legal || form === "percent") return `<Name Encoded="true">${encodeURIComponent(key)}</Name>`;
  return `<Name>${form === "names" ? escapeByName(key) : escapeByNumber(key)}</Name>`;
}

function escapeByName(text: string): string {
  const names: Record<string, string> = {
    "&": "amp",
    "<": "lt",
    ">": "gt",
    '"': "quot",
    "'": "apos",
  };
  return text.replace(/[&<>"']/g, (c) => `&${names[c]};`).replace(/\r/g, "&#xD;");
}

function escapeByNumber(text: string): string {
  return Array.from(text, (c, i) => {
    const point = c.codePointAt(0) ?? 0;
    if (/[a-z]/.test(c)) return c;
    return i % 2 === 0 ? `&#${point};` : `&#x${point.toString(16)};`;
  }).join("");
}

interface Form {
  readonly names: "names" | "numbers" | "percent";
  readonly quotes: "" | '"' | "&quot;";
  readonly start: string;
  readonly gap: string;
}

const form: fc.Arbitrary<Form> = fc.record({
  names: fc.constantFrom("names", "numbers", "percent"),
  quotes: fc.constantFrom("", '"', "&quot;"),
  start: fc.constantFrom(
    "",
    BOM,
    '<?xml version="1.0" encoding="utf-8"?>',
    `${BOM}<?xml version='1.0'?>\n`,
  ),
  gap: fc.constantFrom("", "\n  "),
});

function blobOf(
  object: ObjectMeta,
  { names, quotes, gap }: Form,
  more = "",
  properties = "",
): string {
  return [
    "<Blob>",
    nameOf(object.key, names),
    "<Properties>",
    "<Creation-Time>Mon, 23 Nov 2020 04:23:46 GMT</Creation-Time>",
    `<Last-Modified>${new Date(object.lastModified ?? 0).toUTCString()}</Last-Modified>`,
    `<Etag>${quotes}${object.etag?.slice(1, -1)}${quotes}</Etag>`,
    `<Content-Length>${object.size}</Content-Length>`,
    "<Content-Type>a/b</Content-Type><Content-Encoding /><Content-Language/>",
    `${properties}</Properties>`,
    "<Metadata><Name>not this</Name><Etag>nor that</Etag></Metadata>",
    `<OrMetadata />${more}</Blob>`,
  ].join(gap);
}

function pageOf(blobs: readonly string[], { start, gap }: Form, marker = ""): Uint8Array {
  return bytesOf(
    `${start}<EnumerationResults ServiceEndpoint="https://a/?x>y" ContainerName='c'>${gap}<Prefix>p&amp;</Prefix>` +
      `${gap}<Blobs>${blobs.join(gap)}</Blobs>${gap}` +
      `${
        marker === "" ? "<NextMarker />" : `<NextMarker>${escapeByName(marker)}</NextMarker>`
      }</EnumerationResults>${gap}`,
  );
}

const PLAIN: Form = { names: "names", quotes: "", start: BOM, gap: "" };

const object = fc.record({
  key: fc.string({ unit: "binary", minLength: 1, maxLength: 20 }).filter((key) =>
    key.isWellFormed()
  ),
  size: fc.oneof(fc.nat(), fc.maxSafeNat()),
  etag: fc.string({ unit: fc.constantFrom(..."0123456789ABCDEFx"), minLength: 1 }).map((tag) =>
    `"${tag}"`
  ),
  lastModified: fc.integer({ min: 0, max: 4e9 }).map((seconds) => seconds * 1000),
}, { noNullPrototype: true });

test("a page says exactly what was put into it, in both ways it is read", () => {
  const marker = fc.string({ unit: fc.constantFrom("a", "&", "<", "!", "=") });
  fc.assert(
    fc.property(
      fc.uniqueArray(object, { selector: ({ key }) => key }),
      form,
      marker,
      (objects, form, marker) => {
        const { page, nextMarker } = scan(
          pageOf(objects.map((o) => blobOf(o, form)), form, marker),
        );
        assert.equal(nextMarker, marker);
        assert.equal(page.count, objects.length);
        assert.deepEqual(page.objects(), objects);
        const one = new ObjectBuilder();
        page.addTo(one);
        const other = new ObjectBuilder();
        for (const object of objects) {
          other.add(object);
        }
        assert.deepEqual([...one.finish().values(objectCodec)], [
          ...other.finish().values(objectCodec),
        ]);
      },
    ),
  );
});

test("directories, snapshots and deleted blobs are left out", () => {
  const at = (key: string) => ({ key, size: 1, etag: '"0x1"', lastModified: TIME });
  const blobs = [
    blobOf(at("file"), PLAIN, "", "<ResourceType>file</ResourceType>"),
    blobOf(at("folder"), PLAIN, "", "<ResourceType>directory</ResourceType>"),
    blobOf(at("snapshot"), PLAIN, "<Snapshot>2026-11-23T04:23:46.1234567Z</Snapshot>"),
    blobOf(at("deleted"), PLAIN, "<Deleted>true</Deleted>"),
    blobOf(at("here"), PLAIN, "<Snapshot /><Deleted>false</Deleted><Tags><TagSet /></Tags>"),
    // A directory may lack what a blob must have.
    "<Blob><Name>bare</Name><Properties><ResourceType>directory</ResourceType></Properties></Blob>",
  ];
  const { page } = scan(pageOf(blobs, PLAIN));
  assert.deepEqual(page.objects(), [at("file"), at("here")]);
});

test("an empty page may have another behind it", () => {
  const { page, nextMarker } = scan(pageOf([], PLAIN, "2!92!"));
  assert.deepEqual([page.count, nextMarker], [0, "2!92!"]);
  const bare = scan(
    bytesOf("<EnumerationResults><Blobs /><NextMarker/></EnumerationResults>"),
  );
  assert.deepEqual([bare.page.count, bare.nextMarker], [0, ""]);
});

test("a page that is cut short anywhere is none", () => {
  const object = { key: "a&é\u{1f600}\u0001", size: 5, etag: '"0x1"', lastModified: TIME };
  const whole = pageOf(
    [blobOf(object, PLAIN), blobOf({ ...object, key: "b" }, PLAIN)],
    PLAIN,
    "next",
  );
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => scan(whole.slice(0, length)),
      isFault(/not a complete listing/),
      `${length}`,
    );
  }
  scan(whole.slice());
});

test("what is no listing is refused", () => {
  const page = (blob: string) =>
    `<EnumerationResults><Blobs>${blob}</Blobs><NextMarker/></EnumerationResults>`;
  const blob = (name: string, properties: string) =>
    page(`<Blob>${name}<Properties>${properties}</Properties></Blob>`);
  const rest = "<Etag>0x1</Etag><Content-Length>1</Content-Length>";
  assert.equal(scan(bytesOf(blob("<Name>a</Name>", rest))).page.count, 1);
  for (
    const text of [
      "",
      "no XML at all",
      "<html><body>Sign in</body></html>",
      "<Error><Code>ServerBusy</Code></Error>",
      "</EnumerationResults>",
      "<EnumerationResults/>",
      "<EnumerationResults></EnumerationResults>",
      "<EnumerationResults><Blobs/></EnumerationResults>",
      "<EnumerationResults><NextMarker/></EnumerationResults>",
      `${page("")}<EnumerationResults/>`,
      page("<!DOCTYPE a>"),
      page("<Blob><Name>a</Name></Blqb>"),
      page(`<Blob><Name>a</Name><Properties>${rest}</Properties></Blqb>`),
      page(`<Blob><Name>a</Nbme><Properties>${rest}</Properties></Blob>`),
      page(`<Blob><Name>a</Name><Properties>${rest}</Propertiez></Blob>`),
      `${page("")}x`,
      page("</Blobs><Blobs>"),
      `<EnumerationResults><Blobs/><NextMarker>1</NextMarker><NextMarker/></EnumerationResults>`,
      page("<Blob/>"),
      blob("", rest),
      blob("<Name/>", rest),
      blob("<Name>a<b/></Name>", rest),
      blob("<Name>a&b</Name>", rest),
      blob("<Name>a&nbsp;</Name>", rest),
      blob("<Name>&#x110000;</Name>", rest),
      blob('<Name Encoded="true">%4</Name>', rest),
      blob('<Name Encoded="true">%zz</Name>', rest),
      blob("<Name>a</Name>", "<Etag>0x1</Etag><Content-Length>-1</Content-Length>"),
      blob("<Name>a</Name>", "<Etag>0x1</Etag><Content-Length>1e3</Content-Length>"),
      blob("<Name>a</Name>", `${rest}<Last-Modified>yesterday</Last-Modified>`),
      blob("<Name>a</Name>", `${rest}<Last-Modified>Mon, 31 Feb 2026 04:23:46 GMT</Last-Modified>`),
      blob("<Name>a</Name><Name>b</Name>", rest),
      blob("<Name>a</Name>", `${rest}<Etag>0x2</Etag>`),
    ]
  ) {
    assert.throws(() => scan(bytesOf(text)), isFault(/not a complete listing/), text);
  }
});

test("blobs that are written like the one before are told as it is", () => {
  const at = (key: string) => ({ key, size: key.length, etag: `"0x${key}"`, lastModified: TIME });
  const keys = ["a", "b", "c", "d"];
  const pages = (...more: string[]) =>
    more.flatMap((more, i) => keys.map((key) => blobOf(at(`${i}${key}`), PLAIN, "", more)));
  const directory = "<ResourceType>directory</ResourceType>";
  const blobs = pages("", directory, "", "<AccessTier>Hot</AccessTier>", directory);
  const told = [0, 2, 3].flatMap((i) => keys.map((key) => at(`${i}${key}`)));
  assert.deepEqual(scan(pageOf(blobs, PLAIN)).page.objects(), told);
});

test("blobs without a time, or with a field of as many letters as a wanted one, are read alike", () => {
  const blobs = (more: string) =>
    ["a", "b", "c"].map((key) =>
      `<Blob><Name>${key}</Name><Properties>${more}<Etag>0x${key}</Etag>` +
      `<Content-Length>1</Content-Length></Properties></Blob>`
    );
  const fields = ["Lease-Duration", "Acls", "Content-Type", "Creation-Time"];
  const others = fields.map((name) => `<${name}>9</${name}>`).join("");
  for (const more of ["", others]) {
    const { page } = scan(
      pageOf(["<BlobPrefix><Name>p/</Name></BlobPrefix>", ...blobs(more)], PLAIN),
    );
    const told = ["a", "b", "c"].map((key) => ({ key, size: 1, etag: `"0x${key}"` }));
    assert.deepEqual(page.objects(), told);
  }
  const empty = "<Etag>&quot;&quot;</Etag><Content-Length>1</Content-Length>";
  const blob = `<Blob><Name>a</Name><Properties>${empty}</Properties></Blob>`;
  assert.throws(() => scan(pageOf([blob], PLAIN)), isFault(/without an ETag, 'a'/));
});

test("a text that was undone in place is not taken for a pattern", () => {
  const at = (key: string) => ({ key, size: 1, etag: '"0x1"', lastModified: TIME });
  const deleted = (key: string, text: string) =>
    blobOf(at(key), PLAIN, `<Deleted>${text}</Deleted>`);
  // Undone, the first one leaves behind it what the second one is: <<60;&#60;
  const page = pageOf([deleted("a", "&#60;&#60;"), deleted("b", "<<60;&#60;")], PLAIN);
  assert.throws(() => scan(page), isFault(/broken XML/));
});

test("comments and CDATA are read as XML means them", () => {
  const name = "<Name>a<!-- b --><![CDATA[<c>]]></Name>";
  const properties = "<Properties><Etag>0x1</Etag><Content-Length>1</Content-Length></Properties>";
  const { page } = scan(pageOf([`<!-- <Blob> --><Blob>${name}${properties}</Blob>`], PLAIN));
  assert.deepEqual(page.objects(), [{ key: "a<c>", size: 1, etag: '"0x1"' }]);
});

test("a folder without a length is empty; a blob without one, or without an ETag, is named", () => {
  const blob = (name: string, properties: string) =>
    pageOf([`<Blob><Name>${name}</Name><Properties>${properties}</Properties></Blob>`], PLAIN);
  assert.deepEqual(scan(blob("a/", "<Etag>0x1</Etag>")).page.objects(), [
    { key: "a/", size: 0, etag: '"0x1"' },
  ]);
  assert.throws(() => scan(blob("a&amp;b", "<Etag>0x1</Etag>")), isFault(/without a size, 'a&b'/));
  const length = "<Content-Length>1</Content-Length>";
  assert.throws(() => scan(blob("a&amp;b", length)), isFault(/without an ETag, 'a&b'/));
});

test("a blob outside of the prefix is an error that says so", () => {
  const at = (key: string) => ({ key, size: 1, etag: '"0x1"', lastModified: TIME });
  const page = pageOf([blobOf(at("a/1"), PLAIN), blobOf(at("b"), PLAIN)], PLAIN);
  assert.throws(() => scan(page, "a/"), isFault(/ignores 'prefix': .* 'a\/', it lists 'b'/));
});

function isFault(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.deepEqual([error.code, error.source], ["protocol", "az://me/c"]);
    assert.match(error.message, pattern);
    assert.match(error.message, /^Cannot list 'az:\/\/me\/c' as /);
    return true;
  };
}

test("names that are not UTF-8 are refused, not mended", () => {
  const name = '<Name Encoded="true">%ff</Name>';
  const properties = "<Properties><Etag>0x1</Etag><Content-Length>1</Content-Length></Properties>";
  const { page } = scan(pageOf([`<Blob>${name}${properties}</Blob>`], PLAIN));
  assert.throws(() => page.objects(), /UTF-8/);
  assert.throws(() => page.addTo(new ObjectBuilder()), /UTF-8/);
});
